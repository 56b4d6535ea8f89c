"""Whether an input would take in a file, were it there; or in the directory of a run."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from batcher.inputs.urls import is_passed_over, matches, parts_of
from batcher.storage import Address, is_url


def reaches(given: str, place: Path | Address) -> bool:
    """Tell whether the user's word `given`, as a folder or a glob, takes in a file at `place`.

    Neither the disk nor a store is asked what is there.
    """
    word = Address.of(given) if is_url(given) else Path(given)
    word, place = _on_disk(word), _on_disk(place)
    if isinstance(word, Path) and isinstance(place, Path):
        root, pattern = _split(word.parts)
        root = Path(*root).resolve().parts
        return _takes_in(root, pattern, place.resolve().parts)
    if isinstance(word, Address) and isinstance(place, Address):
        root, pattern = _split(parts_of(word))
        same = (word.scheme, word.host) == (place.scheme, place.host)
        return same and _takes_in(root, pattern, parts_of(place))
    return False


def passes_over(given: str, directory: Path) -> bool:
    """Tell whether `given` takes in nothing of a folder any more once a run has that for its own.

    What a glob spells out may be a run's directory, as the folder of a file may.
    """
    word = _on_disk(Address.of(given) if is_url(given) else Path(given))
    if isinstance(word, Address):
        return False
    root, pattern = _split(word.parts)
    found, place = Path(*root).resolve(), directory.resolve()
    return place.is_relative_to(found) and not (pattern and place == found)


def _on_disk(place: Path | Address) -> Path | Address:
    is_path = isinstance(place, Address) and place.scheme == "file"
    return Path(place.path) if is_path and isinstance(place, Address) else place


def _split(parts: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return what is spelt out, and the pattern behind it."""
    spelt = next((at for at, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return parts[:spelt], parts[spelt:]


def _takes_in(root: Sequence[str], pattern: Sequence[str], parts: Sequence[str]) -> bool:
    below = parts[len(root) :]
    if [*parts[: len(root)]] != [*root] or not below:
        return False
    if pattern:
        return matches(below, pattern)
    return not any(map(is_passed_over, below))
