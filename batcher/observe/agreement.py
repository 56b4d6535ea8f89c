"""How far two runs agree on one field of their answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

# A field of labels has few values, and short ones; of any other no table could be read.
_FEW = 20
_SHORT = 60
_SHOWN = 10


@dataclass(slots=True)
class Agreement:
    """A fold over pairs of values (JSON text, None for null), in flat memory."""

    compared: int = 0
    same: int = 0
    _labels: bool = True
    _of_a: Counter[str | None] = field(default_factory=Counter)
    _of_b: Counter[str | None] = field(default_factory=Counter)
    _disagreements: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)

    def add(self, a: str | None, b: str | None) -> None:
        """Count the values of one row."""
        self.compared += 1
        self.same += a == b
        if self._labels:
            self._of_a[a] += 1
            self._of_b[b] += 1
            if a != b:
                self._disagreements[a, b] += 1
            few = max(len(self._of_a), len(self._of_b)) <= _FEW
            self._labels = few and max(len(a or ""), len(b or "")) <= _SHORT

    @property
    def share(self) -> float:
        """Which share of the rows has the same value, from 0 to 1."""
        return self.same / self.compared if self.compared else 1.0

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa: the agreement beyond what chance alone would give (0), 1 at most.

        None where the field has no labels, or but one: then chance explains everything.
        """
        if not (self._labels and self.compared):
            return None
        by_chance = sum(self._of_a[value] * self._of_b[value] for value in self._of_a)
        chance = by_chance / self.compared**2
        return None if chance == 1 else (self.share - chance) / (1 - chance)

    def disagreements(self) -> Iterator[tuple[str | None, str | None, int]]:
        """Yield the most frequent ones of a field of labels: the value in A, in B, how often."""
        if self._labels:
            for (a, b), rows in self._disagreements.most_common(_SHOWN):
                yield a, b, rows
