"""What a call may cost that brought no answer."""

from __future__ import annotations

from batcher.errors import ErrorClass, Problem
from batcher.providers import Pricing
from batcher.records import Request


def may_be_billed(problem: Problem) -> bool:
    """Whether a failed call may cost: it was not answered whole, or answered with success."""
    ok = problem.http_status is not None and 200 <= problem.http_status < 300  # noqa: PLR2004
    return ok or problem.error_class is ErrorClass.AMBIGUOUS


def possible_cost(pricing: Pricing, request: Request, problem: Problem | None) -> int:
    """Return the most, in nanos, that a call may have cost for nothing which ended in `problem`."""
    if problem is None or not may_be_billed(problem):
        return 0
    worst = pricing.worst_case(request.body)
    return 0 if worst is None else worst.cost or 0
