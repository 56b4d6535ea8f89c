"""What is known of the models: context, longest output, and who thinks (protocol.md section 8)."""

from __future__ import annotations

from dataclasses import dataclass

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
    """The bounds of a model, in tokens; `thinks` where it reasons unless told not to."""

    context: int
    longest_output: int
    thinks: bool = True


_FAMILIES = (
    ("glm-5.3", Model(1_000_000, 131_072)),
    ("glm-5.2", Model(1_000_000, 131_072)),
    ("glm-5", Model(200_000, 131_072)),
    ("glm-4.7", Model(200_000, 131_072)),
    ("glm-4.6", Model(200_000, 131_072)),
    ("glm-4.5", Model(128_000, 98_304)),
    ("glm-4-plus", Model(128_000, 4_095, thinks=False)),
    ("glm-4-air", Model(128_000, 16_384, thinks=False)),
    ("glm-", Model(128_000, 16_384, thinks=False)),
)


def find_model(name: str) -> Model | None:
    """Return the bounds of a model, or None if there is no such model (code 1211)."""
    for family, model in _FAMILIES:
        if name.startswith(family) and len(name) > len("glm-"):
            return model
    return None
