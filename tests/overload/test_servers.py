"""An endpoint: what its calls cost in time, how they end, and what is written down."""

from __future__ import annotations

import asyncio
import statistics
from datetime import UTC, datetime

import pytest

from batcher.errors import ErrorClass, ProviderError
from batcher.limits import RateLimit, RateLimits
from tests.overload import virtual
from tests.overload.gates import BLACK_HOLE, UNAVAILABLE, AfterCalls, Concurrency, During, Minute
from tests.overload.ledger import steps
from tests.overload.rows import request
from tests.overload.servers import Answer, Endpoint, Refusal, answers
from tests.overload.service import Service

ANSWERS = [Answer(10, 90, 2.0)]


def _error(endpoint: Endpoint) -> ProviderError:
    async def main() -> None:
        await endpoint(request(0), "call")

    with pytest.raises(ProviderError) as raised:
        virtual.run(main())
    return raised.value


def test_a_completion_takes_the_network_and_its_own_time() -> None:
    endpoint = Endpoint(Service(), ANSWERS)

    async def main() -> float:
        completion = await endpoint(request(0), "call")
        assert completion.usage.completion_tokens == 90
        return virtual.monotonic()

    assert virtual.run(main()) == pytest.approx(2.04)
    (entry,) = endpoint.ledger.entries
    assert (entry.sent, entry.arrived, entry.left) == pytest.approx((0, 0.02, 2.02))
    assert entry.ended == pytest.approx(2.04)
    assert entry.verdict is None


def test_a_refused_call_never_reaches_the_service() -> None:
    endpoint = Endpoint(Service(), ANSWERS, [During(0, 10, UNAVAILABLE)])
    error = _error(endpoint)
    assert (error.problem.error_class, error.problem.http_status) == (ErrorClass.OVERLOADED, 503)
    (entry,) = endpoint.ledger.entries
    assert entry.arrived is None
    assert entry.ended == pytest.approx(0.04)
    assert entry.verdict is ErrorClass.OVERLOADED


def test_a_black_hole_ends_by_the_deadline() -> None:
    endpoint = Endpoint(Service(), ANSWERS, [During(0, 10, BLACK_HOLE)], total_s=300)
    assert _error(endpoint).problem.error_class is ErrorClass.AMBIGUOUS
    assert endpoint.ledger.entries[0].ended == pytest.approx(300)


def test_a_service_that_is_too_slow_is_given_up() -> None:
    endpoint = Endpoint(Service(), ANSWERS, total_s=1)
    assert _error(endpoint).problem.error_class is ErrorClass.AMBIGUOUS


def test_a_refusal_says_when_to_come_again() -> None:
    used_up = Refusal(ErrorClass.QUOTA_EXHAUSTED, "1308", 429, 0.5, 7.0, virtual.EPOCH + 60)
    error = _error(Endpoint(Service(), ANSWERS, [During(0, 10, used_up)]))
    assert error.retry_after == 7.0
    assert error.resets_at == datetime.fromtimestamp(virtual.EPOCH + 60, UTC)


def test_answers_and_refusals_name_the_limits_that_are_left() -> None:
    gate = Minute(requests=1)
    endpoint = Endpoint(Service(), ANSWERS, [gate], named=gate.named)

    async def main() -> RateLimits | None:
        return (await endpoint(request(0), "call")).rate_limits

    assert virtual.run(main()) == RateLimits(RateLimit(1, 0, 60.0))
    assert _error(endpoint).rate_limits == RateLimits(RateLimit(1, 0, 60.0))


def test_keys_have_their_own_limits() -> None:
    endpoint = Endpoint(Service(), ANSWERS, [Concurrency(steps(1))])

    async def main() -> list[object]:
        calls = [endpoint.signed_in(key)(request(0), "call") for key in ("one", "two", "two")]
        return await asyncio.gather(*calls, return_exceptions=True)

    ended = virtual.run(main())
    assert not isinstance(ended[0], ProviderError)
    assert sum(isinstance(end, ProviderError) for end in ended) == 1
    assert [entry.key for entry in endpoint.ledger.entries] == ["one", "two", "two"]


def test_the_place_of_a_call_that_ended_is_free_again() -> None:
    endpoint = Endpoint(
        Service(), ANSWERS, [AfterCalls({"key": 2}, UNAVAILABLE), Concurrency(steps(1))]
    )

    async def main() -> None:
        await endpoint(request(0), "call")
        await endpoint(request(1), "call")

    virtual.run(main())
    assert endpoint.ledger.answered() == {0, 1}


def test_answers_are_lognormal_and_the_same_for_the_same_seed() -> None:
    drawn = answers(1, median_tokens=150, sigma=0.8, first_token_s=0.4, tokens_a_second=80)
    assert drawn == answers(1)
    assert drawn != answers(2)
    tokens = [answer.completion_tokens for answer in drawn]
    assert 130 < statistics.median(tokens) < 170
    assert 350 < statistics.quantiles(tokens, n=10)[-1] < 500
    assert drawn[0].seconds == 0.4 + drawn[0].completion_tokens / 80
