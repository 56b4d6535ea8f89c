"""What a run cost, and what is in no count of it, in words."""

from __future__ import annotations

from collections.abc import Iterator

from batcher.money import amount
from batcher.observe.language import Said
from batcher.recorded import Counts
from batcher.wording import counted

CUT_SHORT = Said("Went on with a copy made on the way", "曾从运行途中的副本继续")
UNCOUNTED = Said(
    "what was called after it is called again, and is in no count",
    "该副本之后的调用会重新进行，且不计入任何统计",
)


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


def uncounted_lines(counts: Counts, indent: int) -> Iterator[str]:
    """Yield that calls are in no sum, in a line that is indented by so many characters, if so."""
    if counts.cut_short:
        yield f"{'':{indent}}{CUT_SHORT.en[0].lower()}{CUT_SHORT.en[1:]}: {UNCOUNTED.en}"
