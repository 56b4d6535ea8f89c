"""Asking again for an answer that holds what the job wants."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.engine.policy.patience import RetryPolicy
from batcher.engine.policy.spending import Ceiling, Spending
from batcher.engine.repair import asked_again, joined, total_cost
from batcher.errors import ErrorClass, Problem, ProviderError
from batcher.job import PriceSpec
from batcher.providers import Pricing
from batcher.records import (
    Completion,
    Failure,
    InvalidAnswer,
    Kept,
    Request,
    Source,
    Success,
    Usage,
)
from batcher.structured import InvalidAnswerError
from tests.engines import Engine, Notebook, in_virtual_time, middle
from tests.overload import virtual

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 10}
REQUEST = Request(3, "id-3", "key-3", BODY, Source("prompts.jsonl", 4), 80, 2, "content-3")
PRICE = PriceSpec(input=1.0, output=2.0, currency="CNY", context=1000)
PRICING = Pricing.of("glm", {"m": PRICE})
COUNTS = st.none() | st.integers(0, 1000)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS)


def _said(text: str | None, finish_reason: str = "stop") -> Completion:
    return Completion(text, None, None, finish_reason, "m", Usage(7, 2, 1, 0))


def _read(text: str) -> str:
    if not text.startswith("{"):
        raise InvalidAnswerError(f"no object in {text!r}")
    return text


def _invalid(text: str | None = "hm", repairs: int = 0, cost: int | None = 5) -> InvalidAnswer:
    return InvalidAnswer("key-3", _said(text), "no object in it", repairs, cost)


@dataclass
class _World:
    """A row, and a model that answers by a script."""

    answers: Iterator[ProviderError | Completion]
    invalid: dict[str, InvalidAnswer] = field(default_factory=dict)
    policy: RetryPolicy = RetryPolicy()  # noqa: RUF009 -- frozen
    spending: Spending = field(default_factory=Spending)
    call_s: float = 1
    monotonic: Callable[[], float] = virtual.monotonic
    asked: list[Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    put: list[tuple[Kept, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        engine = Engine(
            [self._call],
            most=1,
            policy=self.policy,
            pricing=PRICING,
            spending=self.spending,
            monotonic=self.monotonic,
            uniform=middle,
        )
        self.retrier = replace(
            engine.retrier(), sleep=self._back_off, read=_read, invalid=self.invalid
        )

    async def _call(self, request: Request, request_id: str) -> Completion:
        del request_id
        self.asked.append(request)
        await asyncio.sleep(self.call_s)
        answer = next(self.answers)
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    async def _back_off(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(seconds)

    async def _put(self, kept: Kept) -> None:
        self.put.append((kept, self.retrier.admission.held))

    async def settle(self) -> Kept:
        await self.retrier.settle(REQUEST, self._put)
        assert self.retrier.admission.held == 0
        return self.put[-1][0]

    def messages(self, call: int) -> Any:  # noqa: ANN401 -- of a body
        return self.asked[call].body["messages"]


def _world(*answers: ProviderError | Completion, **settings: Any) -> _World:  # noqa: ANN401 -- of _World
    return _World(iter(answers), **settings)


@in_virtual_time
async def test_a_valid_answer_is_the_outcome_with_the_value_it_holds() -> None:
    world = _world(_said('{"a":1}'))
    outcome = await world.settle()
    assert isinstance(outcome, Success)
    assert (outcome.output, outcome.repairs, outcome.cost) == ('{"a":1}', 0, 11_000)
    assert (outcome.sample, outcome.content) == (2, "content-3")
    assert len(world.put) == 1


@in_virtual_time
async def test_an_invalid_answer_is_asked_for_again_at_once_with_what_is_wrong() -> None:
    world = _world(_said("hm"), _said('{"a":1}'))
    outcome = await world.settle()
    assert world.messages(1)[:2] == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hm"},
    ]
    assert world.messages(1)[2]["role"] == "user"
    assert "no object in 'hm'" in world.messages(1)[2]["content"]
    assert world.asked[1].key == "key-3"
    assert world.slept == []
    assert isinstance(outcome, Success)
    assert (outcome.output, outcome.repairs) == ('{"a":1}', 1)
    assert [(one.number, one.retry) for one in outcome.attempts] == [(1, False), (2, False)]


@in_virtual_time
async def test_tokens_and_cost_of_all_its_answers_are_the_rows() -> None:
    outcome = await _world(_said("hm"), _said("hm?"), _said("{}")).settle()
    assert isinstance(outcome, Success)
    assert outcome.completion.usage == Usage(21, 6, 3, 0)
    assert outcome.cost == 3 * 11_000


@in_virtual_time
async def test_an_invalid_answer_is_written_down_while_its_call_holds_its_permit() -> None:
    """Promise 2: a kill before the next answer loses nothing that was paid."""
    world = _world(_said("hm"), _said("{}"))
    await world.settle()
    (first, held), (_, held_too) = world.put
    assert first == InvalidAnswer("key-3", _said("hm"), "no object in 'hm'", 0, 11_000)
    assert isinstance(first, InvalidAnswer)
    assert first.of is not None
    assert first.of.key == first.key
    assert (held, held_too) == (1, 1)


@in_virtual_time
async def test_after_the_allowed_repairs_the_row_is_an_error_that_keeps_the_last_answer() -> None:
    world = _world(_said("one"), _said("two"), _said("three"), policy=RetryPolicy(repairs=2))
    outcome = await world.settle()
    assert isinstance(outcome, Failure)
    assert outcome.problem == Problem(ErrorClass.INVALID_OUTPUT, "no object in 'three'")
    assert outcome.completion is not None
    assert (outcome.completion.text, outcome.completion.usage) == ("three", Usage(21, 6, 3, 0))
    assert (outcome.repairs, outcome.cost, len(outcome.attempts)) == (2, 33_000, 3)
    assert (outcome.sample, outcome.content) == (2, "content-3")
    # Only the last answer is shown, not all that were given.
    assert [message["content"] for message in world.messages(2)][:2] == ["hi", "two"]


@in_virtual_time
async def test_without_repairs_the_first_invalid_answer_is_the_error() -> None:
    outcome = await _world(_said("one"), policy=RetryPolicy(repairs=0)).settle()
    assert isinstance(outcome, Failure)
    assert (outcome.problem.error_class, outcome.repairs) == (ErrorClass.INVALID_OUTPUT, 0)


@in_virtual_time
async def test_failures_of_the_endpoint_and_repairs_are_counted_apart() -> None:
    down = ProviderError(Problem(ErrorClass.SERVER_ERROR, "it failed", None, 500))
    answers: list[ProviderError | Completion] = [
        down,
        _said("one"),
        down,
        _said("two"),
        down,
        _said("{}"),
    ]
    world = _world(*answers, policy=RetryPolicy(max_attempts=8, repairs=2))
    outcome = await world.settle()
    assert isinstance(outcome, Success)
    assert (outcome.repairs, len(outcome.attempts)) == (2, 6)
    # Backed off by the failures, of which the answers between are none.
    assert world.slept == [1.0, 2.0, 4.0]
    assert [attempt.retry for attempt in outcome.attempts] == [False, True] * 3
    assert world.messages(2) == world.messages(3)


@in_virtual_time
async def test_a_row_that_fails_after_an_invalid_answer_keeps_that_answer_and_its_cost() -> None:
    refused = ProviderError(Problem(ErrorClass.BAD_REQUEST, "refused", "1210", 400))
    outcome = await _world(_said("one"), refused).settle()
    assert isinstance(outcome, Failure)
    assert outcome.problem.error_class is ErrorClass.BAD_REQUEST
    assert outcome.completion == _said("one")
    assert (outcome.repairs, outcome.cost) == (1, 11_000)


@in_virtual_time
async def test_a_row_goes_on_where_an_earlier_process_stopped_asking_again() -> None:
    world = _world(_said("{}"), invalid={"key-3": _invalid("hm", 1)})
    outcome = await world.settle()
    assert [message["content"] for message in world.messages(0)][:2] == ["hi", "hm"]
    assert isinstance(outcome, Success)
    assert (outcome.repairs, outcome.answered_before, len(outcome.attempts)) == (2, 2, 1)
    assert (outcome.completion.usage.prompt_tokens, outcome.cost) == (14, 11_005)


@in_virtual_time
async def test_a_row_that_used_its_repairs_up_before_is_an_error_without_a_call() -> None:
    """The job allows fewer than it did."""
    world = _world(invalid={"key-3": _invalid("hm", 1)}, policy=RetryPolicy(repairs=1))
    outcome = await world.settle()
    assert isinstance(outcome, Failure)
    assert (outcome.problem.message, outcome.repairs) == ("no object in 'hm'", 1)
    assert world.asked == []


@in_virtual_time
async def test_a_ceiling_reserves_the_worst_case_of_the_longer_request() -> None:
    notebook = Notebook()
    spending = Spending(None, Ceiling(10_000, 0, "stopped", notebook))
    world = _world(_said("hm " * 50), _said("{}"), spending=spending)
    bills = []
    weigh = world.retrier.pricing.worst_case
    await world.settle()
    bills = [weigh(request.body) for request in world.asked]
    assert bills[0] is not None
    assert bills[1] is not None
    assert bills[1].tokens > bills[0].tokens + 100
    assert notebook.amount >= bills[1].tokens


@in_virtual_time
async def test_an_answer_kept_by_an_earlier_process_that_is_valid_needs_no_call() -> None:
    """It was stopped before it had looked at it."""
    kept = _invalid('{"a":1}', 1, 7)
    world = _world(invalid={"key-3": kept})
    outcome = await world.settle()
    assert isinstance(outcome, Success)
    assert world.asked == []
    assert (outcome.output, outcome.completion, outcome.cost) == ('{"a":1}', kept.completion, 7)
    assert (outcome.repairs, outcome.answered_before, outcome.attempts) == (1, 2, ())


async def test_an_answer_whose_check_is_cut_off_is_written_down() -> None:
    """It is paid, and the next process looks at it."""
    checking, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def read(text: str) -> str:
        loop.call_soon_threadsafe(checking.set)
        go_on.wait(30)
        return text

    world = _world(_said("{" + " " * 1000 + "}"), call_s=0, monotonic=time.monotonic)
    world.retrier = replace(world.retrier, read=read)
    settling = asyncio.create_task(world.settle())
    await checking.wait()
    settling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await settling
    go_on.set()
    ((kept, held),) = world.put
    assert isinstance(kept, InvalidAnswer)
    assert (kept.completion.text, kept.cost, kept.repairs, held) == (
        "{" + " " * 1000 + "}",
        11_000,
        0,
        1,
    )


async def test_of_an_endless_answer_only_the_start_is_held_while_it_is_asked_again() -> None:
    answers = (_said("hm" * 100_000), _error_of_the_row())
    world = _world(*answers, call_s=0, monotonic=time.monotonic)
    outcome = await world.settle()
    assert isinstance(outcome, Failure)
    assert outcome.completion is not None
    assert len(outcome.completion.text or "") == 16_000
    first, _ = world.put[0]
    assert isinstance(first, InvalidAnswer)
    assert len(first.completion.text or "") == 200_000


def _error_of_the_row() -> ProviderError:
    return ProviderError(Problem(ErrorClass.BAD_REQUEST, "refused", "1210", 400))


def test_the_same_answer_twice_makes_another_request() -> None:
    """A model at temperature 0 would give it a third time."""
    first, second = (asked_again(REQUEST, _invalid("hm", repairs)) for repairs in (0, 1))
    assert first.body != second.body


def test_an_answer_without_text_is_not_sent_back() -> None:
    for text in (None, "", "  "):
        body = asked_again(REQUEST, _invalid(text)).body
        assert [message["role"] for message in body["messages"]] == ["user", "user"]  # type: ignore[attr-defined]


def test_of_an_endless_answer_only_the_start_is_sent_back() -> None:
    again = asked_again(REQUEST, _invalid("x" * 1_000_000))
    assert len(again.body["messages"][1]["content"]) == 16_000  # type: ignore[index]
    assert 16_000 < again.size < 40_000


def test_an_answer_that_was_cut_off_is_wanted_shorter() -> None:
    cut = replace(_invalid(), completion=_said('{"a', "length"))
    assert "keep it short" in str(asked_again(REQUEST, cut).body)
    assert "keep it short" not in str(asked_again(REQUEST, _invalid()).body)


def test_the_request_itself_is_left_as_it_is() -> None:
    asked_again(REQUEST, _invalid())
    assert len(BODY["messages"]) == 1  # type: ignore[arg-type]


@given(one=USAGES, other=USAGES)
def test_what_is_known_of_the_tokens_of_several_answers_is_added(one: Usage, other: Usage) -> None:
    before = replace(_invalid(), completion=replace(_said("hm"), usage=other))
    both = joined(replace(_said("{}"), usage=one), before).usage
    if one.prompt_tokens is None and other.prompt_tokens is None:
        assert both.prompt_tokens is None
    else:
        assert both.prompt_tokens == (one.prompt_tokens or 0) + (other.prompt_tokens or 0)


def test_a_sum_with_an_unknown_cost_is_unknown() -> None:
    assert total_cost(3, None) == 3
    assert total_cost(3, _invalid(cost=5)) == 8
    assert total_cost(None, _invalid(cost=5)) is None
    assert total_cost(3, _invalid(cost=None)) is None
