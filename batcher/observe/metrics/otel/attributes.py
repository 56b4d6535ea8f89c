"""The attributes of a call, by OpenTelemetry's conventions for generative AI.

docs/gen-ai/gen-ai-spans.md of the conventions has the names that begin with
`gen_ai`; what it has no name for begins with `batcher`. None of them holds a text of a row or of an
answer, or an error's message, which may quote one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

from batcher.money import NANOS
from batcher.observe.metrics.figures import RunFacts
from batcher.observe.metrics.texts import encodable
from batcher.records import Completion, Exchange

Attribute = str | bool | int | float | list[str]
Attributes = dict[str, Attribute]

# Parameter of a request -> attribute, and the types it may have there.
_WHOLE = {
    "max_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
}
_REAL = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
}
_JSON = ("json_object", "json_schema")
# The protocol has whole numbers of 64 bits; a larger one would cost the whole batch of spans.
_LEAST, _MOST = -(2**63), 2**63 - 1


def call(facts: RunFacts, model: str) -> Attributes:
    """Return what spans and metrics say of each call to a model."""
    found: Attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": facts.provider,
        "gen_ai.request.model": encodable(model),
        "batcher.run": facts.run,
    }
    if facts.address is not None:
        found["server.address"] = facts.address
    if facts.port is not None:
        found["server.port"] = facts.port
    return found


def asked(body: Mapping[str, object], *, streamed: bool) -> Attributes:
    """Return what the body of a request says beside its model and messages."""
    found: Attributes = {}
    for name, attribute in _WHOLE.items():
        if _is_whole(value := body.get(name)):
            found[attribute] = value
    for name, attribute in _REAL.items():
        # A convention says double, and one may write temperature = 0.
        if isinstance(value := body.get(name), float) or _is_whole(value):
            found[attribute] = float(value)
    match body.get("stop"):
        case str(stop):
            found["gen_ai.request.stop_sequences"] = [encodable(stop)]
        case [*stops]:
            texts = [encodable(stop) for stop in stops if isinstance(stop, str)]
            found["gen_ai.request.stop_sequences"] = texts
    match body.get("response_format"):
        case {"type": str(kind)}:
            found["gen_ai.output.type"] = "json" if kind in _JSON else encodable(kind)
    if streamed:
        found["gen_ai.request.stream"] = True
    return found


def _is_whole(value: object) -> TypeGuard[int]:
    return type(value) is int and _LEAST <= value <= _MOST


def answered(completion: Completion) -> Attributes:
    """Return what an answer says beside its texts."""
    usage = completion.usage
    known: dict[str, Attribute | None] = {
        "gen_ai.response.model": encodable(completion.model) or None,
        # Not gen_ai.response.id, which is the completion's: a header or request_id goes before it.
        "batcher.provider_request_id": completion.request_id and encodable(completion.request_id),
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
    }
    if completion.finish_reason:
        known["gen_ai.response.finish_reasons"] = [encodable(completion.finish_reason)]
    return {name: value for name, value in known.items() if value is not None}


def ended(row: int, exchange: Exchange, currency: str | None) -> Attributes:
    """Return where in the run a call stands, and what it came to."""
    attempt = exchange.attempt
    found: Attributes = {
        "batcher.row": row,
        "batcher.sample": exchange.request.sample,
        "batcher.attempt": attempt.number,
        "batcher.retry": attempt.retry,
        "batcher.request_id": attempt.request_id,
    }
    if (problem := attempt.problem) is not None:
        found["error.type"] = problem.error_class.value
        if problem.http_status is not None:
            found["http.response.status_code"] = problem.http_status
        if problem.code is not None:
            found["batcher.error.code"] = encodable(problem.code)
    if currency is not None:
        if exchange.cost is not None:
            found["batcher.cost"] = exchange.cost / NANOS
        if exchange.possible_cost:
            found["batcher.possible_cost"] = exchange.possible_cost / NANOS
        found["batcher.currency"] = currency
    return found
