"""A card as a file: metadata as YAML between lines of dashes, its text, and a seal at the end.

    ---
    license: mit        <- the user's: kept
    dataset_info: ...   <- ours: said anew
    ---
    # Answers ...
    <!-- written by batcher HASH -->

The seal names the hash of the text, so that a card that a user wrote or edited is known as one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from batcher.errors import OutputError

Metadata = Mapping[str, object]

OURS = ("configs", "dataset_info")
"""What each card says anew; all other metadata is its user's."""

_CARD = re.compile(r"---\n(.*?\n)---\n(.*\n)([^\n]+)\n+", re.DOTALL)
# What YAML takes for ends of lines, beside those of everybody.
_BREAKS = frozenset("\x85\u2028\u2029")


def sealed(metadata: Metadata, text: str) -> bytes:
    """Return a card; lone surrogates, which settings can hold, become text.

    Lines end as those of UNIX do, so that an editor that changes all of them changes no text.
    """
    text = re.sub(r"\r\n?", "\n", text).strip()
    text = f"{text}\n\n".encode(errors="backslashreplace").decode()
    return f"---\n{_yaml(metadata)}---\n\n{text}{_seal(text)}\n".encode()


def kept_metadata(card: Path) -> Metadata:
    """Return what the user added to the metadata of a card, such as its license.

    Raises:
        OutputError: the file is there, and its text is not as batcher wrote it; so a new card
            would replace what its user wrote.
    """
    import yaml  # noqa: PLC0415 # as in `_yaml`

    try:
        content = card.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot read {card}: {error}; move it away") from None
    found = _CARD.fullmatch(content)
    if found is None or found[3] != _seal(found[2]):
        raise OutputError(
            f"the text of {card} is not, or no longer, as batcher wrote it: move it away, export "
            "again, and take over from it what you want to keep; or name another directory with "
            "--to"
        )
    try:
        metadata: Metadata = yaml.safe_load(found[1])
        return {name: value for name, value in metadata.items() if name not in OURS}
    except (yaml.YAMLError, AttributeError) as error:
        raise OutputError(f"the metadata at the top of {card} is no YAML: {error}") from None


def _yaml(metadata: Metadata) -> str:
    import yaml  # noqa: PLC0415 # only a dataset needs it, and each run would wait for it

    # Where one of those stands, it is escaped, and all other signs with it.
    readable = _BREAKS.isdisjoint(json.dumps(metadata, ensure_ascii=False, default=str))
    return yaml.safe_dump(dict(metadata), allow_unicode=readable, sort_keys=False, width=1000)


def _seal(text: str) -> str:
    digest = hashlib.blake2b(text.strip().encode(), digest_size=16).hexdigest()
    return f"<!-- written by batcher {digest} -->"
