"""Calls that have ended, for tests of what counts and shows them."""

from __future__ import annotations

from batcher.errors import ErrorClass, Problem
from batcher.limits import Flow
from batcher.observe import Tally
from batcher.observe.metrics import RunFacts
from batcher.records import Attempt, Completion, Exchange, Request, Source, Usage

QUOTED = "the prompt, as the provider quotes it"
FACTS = RunFacts("prompts.batch", "1.2.3", "glm", "glm-4.7", simulated=False, address="api.example")
USAGE = Usage(100, 20, 60, 5)


def exchange(
    error_class: ErrorClass | None = None,
    *,
    latency: float = 0.2,
    number: int = 1,
    retry: bool = False,
    usage: Usage = USAGE,
    cost: int | None = 1_000_000,
    **body: object,
) -> Exchange:
    """Return a call that brought an answer, or ended in an error of a class."""
    problem = None if error_class is None else Problem(error_class, QUOTED, "1302", 429)
    attempt = Attempt(number, f"request-{number}", 1_700_000_000.5, latency, problem, retry)
    messages = [{"role": "user", "content": "Say 7."}]
    asked = {"model": "glm-4.7", "messages": messages, **body}
    request = Request(7, "id-7", "key", asked, Source("prompts.jsonl", 8), sample=0)
    if problem is not None:
        return Exchange(request, attempt, possible_cost=2_000_000)
    answer = Completion("Seven.", "Hm.", None, "stop", "glm-4.7-0915", usage, "answer-7")
    return Exchange(request, attempt, answer, cost)


def flowing(in_flight: int = 3, limit: int = 8, waiting: str | None = None) -> Flow:
    """Return how calls flow."""
    return Flow(in_flight, limit, waiting)


def tally_of(*exchanges: Exchange) -> Tally:
    """Return a tally that has counted these calls."""
    tally = Tally()
    for one in exchanges:
        tally.attempted(one)
    return tally
