"""What is known of the models: context, longest output, and who thinks (protocol.md section 8)."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from batcher.providers.prices import listed_models

LIMITS = {
    "glm-4-flash": 1000,
    "glm-4-air": 200,
    "glm-4.5": 20,
    "glm-4.6v": 20,
    "glm-5": 5,
    "glm-4.7": 5,
    "glm-4.7-flashx": 4,
    "glm-4.7-flash": 2,
    "*": 50,
}
"""Requests in flight at once (section 4, one unverified listing); `*` stands for the others."""


@dataclass(frozen=True, slots=True)
class Model:
    """The bounds of a model, in tokens.

    It `thinks` where it reasons unless told not to, and `sees` where it takes more than text.
    """

    context: int
    longest_output: int
    thinks: bool = True
    sees: bool = False


_UNLISTED = (131_072, 16_384)
_THINKERS = ("glm-4.5", "glm-4.6", "glm-4.7", "glm-5")

# Such as glm-4v-plus, glm-4.6v and glm-4.1v-thinking.
_VISION = re.compile(r"glm-[0-9.]+v\b")


@functools.lru_cache
def find_model(name: str) -> Model | None:
    """Return the bounds of a model, or None if there is no such model (code 1211).

    Those of the listed model whose name it begins with: the simulator is no judge of versions.
    """
    if not name.startswith("glm-") or name == "glm-":
        return None
    known = listed_models()
    context, longest_output = _UNLISTED
    if family := max(filter(name.startswith, known), key=len, default=None):
        context = known[family].context or context
        longest_output = known[family].max_output or longest_output
    return Model(
        context,
        longest_output,
        thinks=name.startswith(_THINKERS),
        sees=_VISION.match(name) is not None,
    )
