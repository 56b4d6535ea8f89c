"""The table of ratios: what is to be reached, and what was. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from statistics import median

_HEADER = ("what", "goal", "reached", "min .. max", "", "note")
_GAP = "  "


class Unit(Enum):
    """How a figure is written."""

    TIMES = "{:,.2f}x"
    SHARE = "{:.2%}"
    SECONDS = "{:,.2f} s"
    MEGABYTES = "{:,.0f} MB"
    ROWS_A_SECOND = "{:,.0f} rows/s"


class Side(Enum):
    """On which side of a bound the good figures are."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound, and the side of it on which a figure is to be."""

    side: Side
    bound: float
    unit: Unit

    def is_met(self, figure: float) -> bool:
        """Return whether a figure is on the good side; the bound itself is."""
        return figure >= self.bound if self.side is Side.AT_LEAST else figure <= self.bound

    def __str__(self) -> str:
        return f"{self.side.value} {self.write(self.bound)}"

    def write(self, figure: float) -> str:
        """Write a figure in the goal's unit."""
        return self.unit.value.format(figure)


def at_least(bound: float, unit: Unit) -> Goal:
    """Return the goal of so much or more."""
    return Goal(Side.AT_LEAST, bound, unit)


def at_most(bound: float, unit: Unit) -> Goal:
    """Return the goal of so much or less."""
    return Goal(Side.AT_MOST, bound, unit)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A line of the table.

    Attributes:
        what: What is compared with what.
        goal: What is to be reached.
        values: What was reached, a figure for each round; none where it could not be measured.
        note: What a reader must know of these figures; why there are none.
    """

    what: str
    goal: Goal
    values: tuple[float, ...]
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the median reached the goal."""
        if not self.values:
            return "not measured"
        return "met" if self.goal.is_met(median(self.values)) else "SHORT"

    def cells(self) -> tuple[str, ...]:
        """Return the line's cells."""
        if not self.values:
            return self.what, str(self.goal), "-", "-", self.verdict, self.note
        lowest, highest = (self.goal.write(end(self.values)) for end in (min, max))
        reached = self.goal.write(median(self.values))
        return self.what, str(self.goal), reached, f"{lowest} .. {highest}", self.verdict, self.note


def table(ratios: Iterable[Ratio]) -> Iterator[str]:
    """Yield the table's lines, with the median and the spread of the rounds."""
    yield from aligned([_HEADER, *(ratio.cells() for ratio in ratios)])


def aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield rows of cells as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield _GAP.join(cells).rstrip()
