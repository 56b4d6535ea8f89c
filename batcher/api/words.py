"""What batcher says, in the words of whoever called it.

Messages name settings by the options of the command line. An argument has the name of its option
(`--max-cost`, `max_cost`), so that one rule puts all of them into a caller's words.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from batcher.api.options import Options
from batcher.errors import BatcherError

# The last is one of `batcher.airflow.estimate`.
_ARGUMENTS = (*Options.__annotations__, "simulate", "output_tokens")
# Options that stand for one value of an argument that takes several.
_SEVERAL = {"param": "parameters", "field": "fields", "image-column": "image_columns"}
_NAMES = {name.replace("_", "-"): name for name in _ARGUMENTS} | _SEVERAL
# And no word of a command in backticks: that is what a shell takes.
_OPTIONS = re.compile(
    r"`[^`]*`|(?<![^\s(])(?:-o\b|--(?P<option>[a-z][a-z-]*[a-z])(?P<value> \d+/\d+)?)"
)


@dataclass(frozen=True, slots=True)
class Words:
    """A caller's own words: the argument of the run directory, and the way to give a key.

    `phrases` stand in the place of what a terminal is told, each in its turn.
    """

    directory: str
    key: str
    phrases: Mapping[str, str] = field(default_factory=dict)

    def of(self, text: str) -> str:
        """Return `text` with arguments in the place of options."""
        # A DAG that is read says nothing, and has no need of all that makes calls.
        from batcher.runs.credentials import KEY_FILE  # noqa: PLC0415 -- see above

        for phrase, own in self.phrases.items():
            text = text.replace(phrase, own)
        return _OPTIONS.sub(self._argument, text.replace(KEY_FILE, self.key))

    @contextlib.contextmanager
    def spoken(self) -> Iterator[None]:
        """Let errors that come from inside say it so.

        Raises:
            BatcherError: as it was raised.
        """
        try:
            yield
        except BatcherError as error:
            error.args = (self.of(str(error)),)
            raise

    def _argument(self, found: re.Match[str]) -> str:
        option, value = found["option"], found["value"] or ""
        if found[0] in ("-o", "--output"):
            return self.directory
        if option == "shard" and value:
            return f"shard=({value.strip().replace('/', ', ')})"
        return _NAMES[option] + value if option in _NAMES else found[0]


PYTHON = Words("output", "give api_key, or the name of its file as api_key_file")
"""Those of `batcher.run`."""
