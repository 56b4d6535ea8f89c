"""The figures at the head of a page: how far a run is, and what it took."""

from __future__ import annotations

from collections.abc import Iterator

from batcher.history import History
from batcher.money import amount
from batcher.observe.words import Words
from batcher.recorded import Counts


def tiles(
    counts: Counts, history: History, total: int | None, words: Words, *, samples: int = 1
) -> list[dict[str, str]]:
    """Return the figures, each with a name, a label, a value, a note ("" for none), and a tone.

    The tone is good, bad, wait, or "" for none. All are there at any time, so that a page can be
    told again as the run goes on. `total` counts records, as many of a row as there are `samples`.
    """
    calls = attempts(counts, history)
    pending = None if total is None else max(0, total - counts.rows)
    return [
        _tile(words, "results", f"{counts.results:,}", _of_results(counts, words), "good"),
        _tile(
            words,
            "errors",
            f"{counts.error_rows:,}",
            words("share_of_rows", share=share(counts.error_rows, counts.rows)),
            "bad" if counts.error_rows else "",
        ),
        _tile(
            words,
            "pending",
            words("unknown") if pending is None else f"{pending:,}",
            _of_total(total, samples, words),
            "wait" if pending else "",
        ),
        _tile(words, "cost", *_cost(counts, words)),
        _tile(
            words,
            "tokens",
            f"{counts.tokens:,}",
            words(
                "tokens_note",
                sent=f"{counts.prompt_tokens:,}",
                came=f"{counts.completion_tokens:,}",
            ),
        ),
        _tile(words, "attempts", f"{calls:,}", _of_attempts(counts, calls, words)),
    ]


def attempts(counts: Counts, history: History) -> int:
    """Return how many calls have ended: those of rows that are done, and of pending ones.

    `counts` has the first only; what a history saw may lack the last moments of a killed process.
    """
    return max(counts.attempts, sum(moment.attempts for moment in history.moments))


def is_priced(counts: Counts) -> bool:
    """Whether the cost is known, of some results or of all that there are: then it may be 0."""
    return counts.has_cost or (counts.currency is not None and not counts.unpriced)


def share(part: int, whole: int) -> str:
    """Return a part in percent: to a tenth, and never as nothing or all where it is not."""
    if not 0 < part < whole:
        return "100%" if whole and part == whole else "0%"
    percent = 100 * part / whole
    return f"{min(99.9, max(0.1, percent)):.1f}%"


def extents(counts: Counts, total: int | None) -> dict[str, int]:
    """Return the lengths of the bar of progress: results, errors and all rows."""
    return {
        "results": counts.results,
        "errors": counts.error_rows,
        "total": max(1, counts.rows, total or 0),
    }


def _tile(words: Words, name: str, value: str, note: str = "", tone: str = "") -> dict[str, str]:
    return {
        "name": name,
        "label": words(f"tile_{name}"),
        "value": value,
        "note": note,
        "tone": tone,
    }


def _of_total(total: int | None, samples: int, words: Words) -> str:
    if total is None:
        return ""
    return words("of_total", total=total) if samples == 1 else words("of_samples", total=total)


def _of_results(counts: Counts, words: Words) -> str:
    def parts() -> Iterator[str]:
        for name in ("truncated", "duplicates", "cached"):
            if number := getattr(counts, name):
                yield words(f"results_{name}", number=number)

    return words("comma").join(parts())


def _of_attempts(counts: Counts, calls: int, words: Words) -> str:
    billed = counts.ambiguous_attempts + counts.killed_calls
    parts = [
        words("attempts_outcomes", number=counts.attempts) if calls > counts.attempts else "",
        words("attempts_repairs", number=counts.repairs) if counts.repairs else "",
        words("attempts_billed", number=billed) if billed else "",
    ]
    return words("comma").join(filter(None, parts))


def _cost(counts: Counts, words: Words) -> tuple[str, str]:
    """Return what is known of the cost, and what is not."""
    if not is_priced(counts):
        return words("unknown"), words("cost_unknown")
    spent, possible = counts.cost, counts.possible_cost
    if not spent and not possible:
        return f"0 {counts.currency}", words("cost_nothing")
    notes = [
        words("cost_more", cost=amount(possible)) if possible else "",
        words("cost_unpriced", number=counts.unpriced) if counts.unpriced else "",
    ]
    return f"{amount(spent)} {counts.currency}", words("comma").join(filter(None, notes))
