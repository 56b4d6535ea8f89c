"""How far the documented ratio of characters to tokens is off, by a sample that was counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Of a normal distribution, 95 % lie within so many standard errors.
_ERRORS_OF_95 = 1.96


@dataclass(frozen=True, slots=True)
class TokenRatio:
    """Tokens as counted for each that was estimated, over `rows` that were counted.

    With 95 % the ratio over all rows is within `error` of `value`, both to be multiplied by an
    estimate; nine of ten single rows are between `low` and `high`. Without a row it is that of the
    documents, 1, and nothing is known of its error.
    """

    value: float = 1.0
    rows: int = 0
    error: float = 0.0
    low: float = 1.0
    high: float = 1.0

    @classmethod
    def of(cls, counts: Sequence[tuple[int, int]]) -> TokenRatio:
        """Make it of pairs: tokens as estimated, at least one, and as counted."""
        if not counts:
            return cls()
        rows, estimated = len(counts), sum(pair[0] for pair in counts)
        value = sum(pair[1] for pair in counts) / estimated
        # The standard error of a ratio of sums (Cochran, Sampling Techniques, chapter 6).
        squares = sum((counted - value * one) ** 2 for one, counted in counts)
        mean = estimated / rows
        error = math.sqrt(squares / (rows * (rows - 1))) / mean if rows > 1 else value
        single = sorted(counted / one for one, counted in counts)
        low, high = single[int(0.05 * (rows - 1))], single[math.ceil(0.95 * (rows - 1))]
        return cls(value, rows, _ERRORS_OF_95 * error if rows > 1 else error, low, high)
