"""What a run will cost, before it is begun."""

from __future__ import annotations

import io
import logging
import math
from typing import Any

from batcher.airflow.ending import Consequences, Ending, ending_of_error, said, what_follows
from batcher.airflow.instance import TaskInstance
from batcher.airflow.task import Task
from batcher.airflow.task_log import TaskLog
from batcher.errors import BatcherError
from batcher.job import CeilingSpec
from batcher.money import NANOS, Money, money_of
from batcher.runs.estimate import Assumptions, Estimator
from batcher.runs.quote import Fit, Quote
from batcher.runs.quote_lines import quote_lines


def quoted(
    task: Task, ti: TaskInstance, output_tokens: int | None, chosen: Consequences
) -> dict[str, Any]:
    """Estimate what a task will need; see `batcher.airflow.estimate`.

    Raises:
        AirflowSkipException, AirflowFailException, AirflowException: what is `chosen` for how it
            ended.
    """
    log = TaskLog(logging.getLogger("batcher"))
    try:
        start = task.ready(ti, log)
        assumptions = Assumptions(output_tokens, retry_errors=start.retry_errors)
        quote = Estimator(
            start.job,
            start.callee,
            io.BytesIO(),
            assumptions,
            portion=start.portion,
            rows=start.rows,
        ).estimate()
    except (BatcherError, OSError) as error:
        raise what_follows(chosen[ending_of_error(error)], said(error)) from None
    log.say("\n".join(quote_lines(quote)))
    if why := _beyond(quote):
        raise what_follows(chosen[Ending.CEILING], why)
    return quote.facts()


def _beyond(quote: Quote) -> str | None:
    """Return which ceiling the run would meet, or may meet for all that is known."""
    spec = quote.job.ceilings
    known = {fit.name: fit for fit in quote.fits()}
    for name in ("max_cost", "max_tokens_total"):
        if getattr(spec, name) is None:
            continue
        if name not in known:
            return f"{name}: what the run will need is not known; the log says what is missing"
        fit = known[name]
        if not fit.holds:
            needs, most = _in_its_unit(fit, spec)
            return f"The run needs about {needs}, more than {name} allows ({most})"
    return None


def _in_its_unit(fit: Fit, spec: CeilingSpec) -> tuple[str, str]:
    """Return what a run needs, rounded up, and what is allowed, as it was written."""
    needs = fit.spent + fit.to_come
    if spec.max_cost is not None and fit.name == "max_cost":
        currency = money_of(spec.max_cost).currency
        return str(Money(math.ceil(needs * NANOS), currency)), spec.max_cost
    return f"{math.ceil(needs):,} tokens", f"{fit.most:,.0f} tokens"
