"""Figures that span magnitudes, as a histogram: bars on a logarithmic axis, and quantiles."""

from __future__ import annotations

from collections import Counter

from batcher.magnitudes import Magnitudes, magnitude

# Bars that a chart has room for, and the fewest buckets (1 % each) that are worth one.
_MOST_BARS = 32
_FEWEST_BUCKETS = 12

_QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}

# Figures of 100 and more are read as whole numbers, those below one to a thousandth.
_WHOLE, _ONE, _LEAST = 100, 1, 0.0005


def bars(magnitudes: Magnitudes) -> tuple[dict[int, int], int]:
    """Return how many figures there are by the first bucket of each bar, and the buckets of one.

    Figures of 0 have no place on a logarithmic axis and are left out.
    """
    buckets = {bucket: n for bucket, n in magnitudes.buckets.items() if bucket > magnitude(0)}
    if not buckets:
        return {}, _FEWEST_BUCKETS
    wide = max(_FEWEST_BUCKETS, -(-(max(buckets) - min(buckets)) // _MOST_BARS))
    found: Counter[int] = Counter()
    for bucket, figures in buckets.items():
        found[bucket // wide * wide] += figures
    first, last = min(found), max(found)
    return {at: found[at] for at in range(first, last + 1, wide)}, wide


def quantiles(magnitudes: Magnitudes) -> dict[str, float]:
    """Return p50, p95 and p99; nothing where there are no figures."""
    found = {name: magnitudes.quantile(share) for name, share in _QUANTILES.items()}
    return {name: value for name, value in found.items() if value is not None}


def figure(value: float, *, whole: bool = False) -> str:
    """Return a figure as people read it: three digits that count, or a `whole` number."""
    if whole or value >= _WHOLE:
        return f"{value:,.0f}"
    if value >= _WHOLE / 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= _ONE else f"{value:.3f}" if value >= _LEAST else "0"
