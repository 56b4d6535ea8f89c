"""Where the answers of a run come from, and what came in their place, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from batcher.errors import ErrorClass
from batcher.recorded import Counts
from batcher.wording import counted


def error_lines(counts: Counts, examples: Mapping[ErrorClass, str], indent: int) -> Iterator[str]:
    """Yield how many rows ended in which error, the most first: what to do, and an example."""
    for error_class, rows in sorted(counts.errors.items(), key=lambda item: -item[1]):
        yield f"{'':{indent}}{rows:,} {error_class}: {error_class.rule.hint}"
        if error_class in examples:
            yield f"{'':{indent + 2}}first: {examples[error_class]}"


def answer_lines(counts: Counts, indent: int, *, cache: bool = False) -> Iterator[str]:
    """Yield where the results come from, in a line that begins with a heading of `indent`.

    There is none where each has a call of its own, unless there is a `cache` that was of no use.
    """
    if not (counts.duplicates or counts.cached or cache):
        return
    parts = [f"{counts.called:,} called", counted(counts.duplicates, "duplicate")]
    if counts.cached or cache:
        parts.append(f"{counts.cached:,} from the cache (hit rate {100 * counts.hit_rate:.1f} %)")
    yield f"{'  answers':{indent}}{', '.join(parts)}"
