"""Asking again for an answer that holds what the job wants: pure.

Counted apart from attempts: the endpoint did its part, and the model is told what is wrong.
"""

from __future__ import annotations

from dataclasses import replace

from batcher.records import Completion, InvalidAnswer, Request, Usage

# What is sent back of an answer, in characters: a model that went on for a megabyte is not paid to
# read it all again.
SHOWN = 16_000
_CUT = "length"


def asked_again(request: Request, invalid: InvalidAnswer) -> Request:
    """Return the request for another answer: the same, then the invalid one and what is wrong."""
    answer = (invalid.completion.text or "")[:SHOWN]
    messages = list(_messages(request))
    if answer.strip():
        messages.append({"role": "assistant", "content": answer})
    messages.append({"role": "user", "content": _wish(invalid)})
    added = len(answer) + len(invalid.message)
    return request._replace(
        body={**request.body, "messages": messages}, size=request.size + 2 * added
    )


def joined(completion: Completion, before: InvalidAnswer | None) -> Completion:
    """Return a completion with the usage of the invalid answers before it added to its own."""
    if before is None:
        return completion
    one, other = completion.usage, before.completion.usage
    usage = Usage(
        _sum(one.prompt_tokens, other.prompt_tokens),
        _sum(one.completion_tokens, other.completion_tokens),
        _sum(one.cached_tokens, other.cached_tokens),
        _sum(one.reasoning_tokens, other.reasoning_tokens),
    )
    return replace(completion, usage=usage)


def total_cost(cost: int | None, before: InvalidAnswer | None) -> int | None:
    """Return what an answer cost and those before it did; None where one of them is unknown."""
    if before is None:
        return cost
    return None if cost is None or before.cost is None else cost + before.cost


def _messages(request: Request) -> list[object]:
    messages = request.body["messages"]
    assert isinstance(messages, list)  # noqa: S101 -- what `render` makes
    return messages


def _wish(invalid: InvalidAnswer) -> str:
    cut = invalid.completion.finish_reason == _CUT
    shorter = " The answer was cut off at its token limit: keep it short." if cut else ""
    # Else a model without chance, asked the same after the same answer, would give it once more.
    which = f"This answer, the {invalid.answers}. one," if invalid.repairs else "This answer"
    return (
        f"{which} cannot be used. {invalid.message}{shorter} "
        "Answer again with the whole JSON object and nothing else."
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return one if other is None else other + (one or 0)
