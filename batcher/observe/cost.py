"""What a run cost, in words."""

from __future__ import annotations

from collections.abc import Iterator

from batcher.money import amount
from batcher.recorded import Counts
from batcher.wording import counted


def cost_lines(counts: Counts, indent: int) -> Iterator[str]:
    """Yield what is known of the cost, in lines that begin with a heading of `indent` characters.

    There is none where no call of the run has a known price.
    """
    if not counts.has_cost:
        return
    spent, possible = counts.cost, counts.possible_cost
    more = f", at most {amount(possible)} more for calls without an answer" if possible else ""
    known = f"{amount(spent)} {counts.currency} by the prices of {counts.priced_by}"
    yield f"{'  cost':{indent}}{known}{more}"
    if counts.unpriced:
        unpriced = counted(counts.unpriced, "result")
        yield f"{'':{indent}}the cost of {unpriced} is unknown, and not in this sum"
