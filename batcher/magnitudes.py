"""How large figures are, such as seconds or tokens: quantiles and histograms in flat memory."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

# They fall into buckets 1 % wide, so a quantile is within 1 % however many there are.
BUCKETS_PER_E = 100


def magnitude(figure: float) -> int:
    """Return the bucket of a figure; all that are not above 0 share one."""
    return round(math.log(max(figure, 1e-6)) * BUCKETS_PER_E)


def figure_of(bucket: float) -> float:
    """Return the figure in the middle of a bucket."""
    return math.exp(bucket / BUCKETS_PER_E)


@dataclass(slots=True)
class Magnitudes:
    """Figures, counted by their magnitude."""

    buckets: Counter[int] = field(default_factory=Counter)

    def add(self, figure: float) -> None:
        """Count one more."""
        self.buckets[magnitude(figure)] += 1

    def quantile(self, share: float) -> float | None:
        """Return the figure that `share` of them did not exceed, or None where there are none."""
        rank = math.ceil(share * self.buckets.total())
        for bucket in sorted(self.buckets):
            rank -= self.buckets[bucket]
            if rank <= 0:
                return figure_of(bucket)
        return None
