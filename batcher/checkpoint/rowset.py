"""A set of row numbers at one bit a row: 100 million rows in 12.5 MB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import lt
from typing import Protocol


class Done(Protocol):
    """Rows that are not to be called."""

    def __contains__(self, row: int) -> bool:
        """Whether `row` is one of them."""

    def first_missing(self) -> int:
        """Return the lowest row that is to be called."""

    def last_missing(self) -> int | None:
        """Return the highest row that is to be called; None where all of the input's end are."""


class RowSet:
    """Row numbers from 0; grows as needed."""

    def __init__(self, rows: Iterable[int] = ()) -> None:
        """Hold `rows`."""
        self._bits = bytearray()
        self._size = 0
        for row in rows:
            self.add(row)

    def add(self, row: int) -> None:
        """Put `row` into the set."""
        index, bit = row >> 3, 1 << (row & 7)
        if index >= len(self._bits):
            self._grow(index + 1)
        if not self._bits[index] & bit:
            self._bits[index] |= bit
            self._size += 1

    def add_range(self, first: int, stop: int) -> None:
        """Put the rows from `first` to before `stop` into the set; many at once cost little."""
        whole = range((first + 7) >> 3, stop >> 3)
        if not whole:
            for row in range(first, stop):
                self.add(row)
            return
        if whole.stop > len(self._bits):
            self._grow(whole.stop)
        held = self._bits[whole.start : whole.stop]
        self._size += 8 * len(whole) - int.from_bytes(held, "little").bit_count()
        self._bits[whole.start : whole.stop] = b"\xff" * len(whole)
        for row in (*range(first, whole.start << 3), *range(whole.stop << 3, stop)):
            self.add(row)

    def _grow(self, length: int) -> None:
        self._bits.extend(bytes(max(length - len(self._bits), len(self._bits) or 1024)))

    def __contains__(self, row: int) -> bool:
        index = row >> 3
        return index < len(self._bits) and bool(self._bits[index] & 1 << (row & 7))

    def __len__(self) -> int:
        return self._size

    def count_before(self, stop: int) -> int:
        """Count the rows of the set that are lower than `stop`."""
        whole = self._bits[: stop >> 3]
        rest = sum(row in self for row in range(stop & ~7, stop))
        return int.from_bytes(whole, "little").bit_count() + rest

    def __iter__(self) -> Iterator[int]:
        """Yield the rows in ascending order."""
        for index, byte in enumerate(self._bits):
            if byte:
                yield from (index * 8 + bit for bit in range(8) if byte >> bit & 1)

    def first_missing(self) -> int:
        """Return the lowest row number that is not in the set."""
        index = len(self._bits) - len(self._bits.lstrip(b"\xff"))
        byte = self._bits[index] if index < len(self._bits) else 0
        return index * 8 + next(bit for bit in range(8) if not byte >> bit & 1)

    def last_missing(self) -> None:
        """Return that no row is the last one that is not in the set."""

    def first(self) -> int | None:
        """Return the lowest row number, or None."""
        index = len(self._bits) - len(self._bits.lstrip(b"\0"))
        if index == len(self._bits):
            return None
        lowest = self._bits[index] & -self._bits[index]
        return index * 8 + lowest.bit_length() - 1

    def last(self) -> int | None:
        """Return the highest row number, or None."""
        length = len(self._bits.rstrip(b"\0"))
        return (length - 1) * 8 + self._bits[length - 1].bit_length() - 1 if length else None


class AllBut:
    """Every row but some."""

    def __init__(self, rows: RowSet) -> None:
        """Leave out `rows`."""
        self._rows = rows

    def __contains__(self, row: int) -> bool:
        return row not in self._rows

    def first_missing(self) -> int:
        """Return the lowest row number that was left out; 0 where none was."""
        return self._rows.first() or 0

    def last_missing(self) -> int:
        """Return the highest row number that was left out; -1 where none was."""
        last = self._rows.last()
        return -1 if last is None else last


def runs_of(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Divide `rows` into runs of successive numbers: the first of each, and what would follow."""
    if len(rows) == rows[-1] - rows[0] + 1 and all(map(lt, rows, rows[1:])):
        yield rows[0], rows[-1] + 1
        return
    ends = [at for at, (one, other) in enumerate(pairwise(rows), 1) if other != one + 1]
    for start, stop in pairwise((0, *ends, len(rows))):
        yield rows[start], rows[stop - 1] + 1
