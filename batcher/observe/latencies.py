"""How long answers took: quantiles in flat memory."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

# Latencies fall into buckets 1 % wide, so a quantile is within 1 % whatever the number of rows.
_BUCKETS_PER_E = 100


@dataclass(slots=True)
class Latencies:
    """Seconds, counted by their magnitude."""

    _buckets: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        """Count one more."""
        self._buckets[round(math.log(max(seconds, 1e-6)) * _BUCKETS_PER_E)] += 1

    def quantile(self, share: float) -> float | None:
        """Return the seconds that `share` of them did not exceed, or None where there are none."""
        rank = math.ceil(share * self._buckets.total())
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return math.exp(bucket / _BUCKETS_PER_E)
        return None
