"""What a task tells those downstream of it: small, and plain JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from batcher.airflow.ending import Ending

if TYPE_CHECKING:
    from batcher.api.result import Result


class Figures(TypedDict):
    """How a run ended; the counts are of its whole directory.

    `ended` is an `Ending`. `pending` is None where the input was not counted to its end, costs
    where no price is known, `report` where none was written. `to` is the URL where the files
    are put as well, of a shard its own folder; None where the job names none.
    """

    ended: str
    results: int
    errors: int
    pending: int | None
    error_classes: dict[str, int]
    attempts: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost: float | None
    possible_cost: float | None
    currency: str | None
    simulated: bool
    directory: str
    results_path: str
    errors_path: str
    report: str | None
    to: str | None


def figures_of(result: Result, ended: Ending, to: str | None = None) -> Figures:
    """Return what an XCom may hold of a run: no prompt, no answer, no word of the provider's."""
    return Figures(
        ended=ended.value,
        results=result.succeeded,
        errors=result.failed,
        pending=result.pending,
        error_classes=dict(result.error_classes),
        attempts=result.attempts,
        prompt_tokens=result.prompt_tokens,
        completion_tokens=result.completion_tokens,
        cached_tokens=result.cached_tokens,
        reasoning_tokens=result.reasoning_tokens,
        cost=result.cost,
        possible_cost=result.possible_cost,
        currency=result.currency,
        simulated=result.simulated,
        directory=str(result.directory),
        results_path=str(result.results_path),
        errors_path=str(result.errors_path),
        report=None if result.report is None else str(result.report),
        to=to,
    )
