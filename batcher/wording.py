"""Counts, times and kinds of values in words."""

from __future__ import annotations

import difflib
import functools
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

# Minutes of an hour, hours of a day.
_HOUR, _DAY = 60, 24


def counted(number: int, noun: str) -> str:
    """Return `number` before `noun`, which takes an s unless there is exactly one of it."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def extent(records: int, samples: int) -> str:
    """Return how many records there are, of rows with so many samples each."""
    if samples == 1:
        return f"{records:,}"
    rows, rest = divmod(records, samples)
    if rest:
        return counted(records, "sample")
    return f"{counted(rows, 'row')} x {samples:,} samples"


def lasting(seconds: float) -> str:
    """Return a duration in its two largest units, such as 40 s, 12 min, 2 h 5 min, 3 d 4 h."""
    whole = max(0, round(seconds))
    if whole < 100:  # noqa: PLR2004 -- up to there a number of seconds is easy to grasp
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < _HOUR:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, _HOUR)
    if hours < _DAY:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, _DAY)
    return f"{days} d {hours} h" if hours else f"{days} d"


def utc(at: float) -> str:
    """Return a moment (Unix seconds) for people to read, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def nearest(given: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return which of the `known` words resembles `given` most; None where none does.

    Of 0 to 1, `cutoff` is how much it must.
    """
    return _nearest(given, tuple(sorted(known)), cutoff)


@functools.lru_cache(64)
def _nearest(given: str, known: tuple[str, ...], cutoff: float) -> str | None:
    # Kept, since a slip of a job is told of each of its rows.
    return next(iter(difflib.get_close_matches(given, known, 1, cutoff)), None)


def did_you_mean(given: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """End a sentence: "; did you mean `...`?" with the nearest other word, "." where none is."""
    near = nearest(given, (word for word in known if word != given), cutoff)
    return "." if near is None else f"; did you mean `{near}`?"


def kind_of(value: object) -> str:
    """Return what a value of a row is, to a user."""
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list"
        case _:
            return f"of type {type(value).__name__}"


def printable(text: str) -> str:
    """Keep a terminal safe from what others wrote: no control or direction characters."""
    return "".join(character if character.isprintable() else "?" for character in text)


def width(text: str) -> int:
    """Return how many columns of a terminal `text` takes: two for a Chinese character."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def table(rows: Sequence[Sequence[str]], left: int = 1, *, noted: bool = False) -> Iterator[str]:
    """Yield rows of cells as aligned lines, the first `left` columns to the left.

    Where they are `noted`, so is the last.
    """
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    notes = len(widths) - 1 if noted else len(widths)
    for row in rows:
        cells = [
            f"{cell}{' ' * (wide - width(cell))}"
            if at < left or at == notes
            else f"{' ' * (wide - width(cell))}{cell}"
            for at, (cell, wide) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
