"""A sample, counted by a tokenizer."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from batcher.job import JobSpec
from batcher.providers import Bearer, provider_named
from batcher.records import Request, Source
from batcher.runs.calling import Callee
from batcher.runs.tokenizing import Sample, Tokenized, tokenize
from tests.simulated import AT_ONCE, QuickTime
from tests.toxic import Behaviour, Exchange, refuses, says, toxic, whole

KEY = "canary-id-0123456789.canary-secret-0123456789"
EIGHT = whole(b'{"usage":{"prompt_tokens":14}}')
# One character and one message: seven tokens by the documented ratio.
SEVEN = [{"role": "user", "content": "x"}]


def _request(row: int, model: str = "glm-4.7", size: int = 50) -> Request:
    body = {"model": model, "messages": SEVEN}
    return Request(row, f"{row}", f"k{row}", body, Source("f", row + 1), size)


def _sample(requests: Sequence[Request], most: int = 100) -> Sample:
    sample = Sample(most)
    for request in requests:
        sample.offer(request)
    return sample


async def _tokenized(
    behave: Behaviour, requests: Sequence[Request], quick: QuickTime | None = None
) -> tuple[Tokenized, int]:
    """Return what a server that behaves so makes of a sample, and how often it was asked."""
    async with toxic(behave) as server:
        callee = Callee(provider_named("glm", server.url), (Bearer(KEY),))
        done = await tokenize(_sample(requests), JobSpec(), callee, (quick or QuickTime()).sleep)
        return done, len(server.seen)


def _in_turn(*behaviours: Behaviour) -> Behaviour:
    """Behave once as each says, and then for ever as the last."""

    async def behave(exchange: Exchange) -> None:
        await behaviours[min(exchange.number, len(behaviours) - 1)](exchange)

    return behave


def test_a_sample_holds_each_request_with_the_same_chance() -> None:
    drawn = Counter[int]()
    for seed in range(400):
        sample = Sample(5, random.Random(seed))  # noqa: S311 -- a sample
        for row in range(20):
            sample.offer(_request(row))
        ((_, requests),) = sample
        drawn.update(request.row for request in requests)
    assert drawn.total() == 400 * 5
    assert min(drawn.values()) > 60
    assert max(drawn.values()) < 140


def test_a_sample_is_the_same_each_time_and_has_its_share_of_each_model() -> None:
    requests = [_request(row, ("a", "b")[row > 900]) for row in range(1_000)]
    first, second = (dict(_sample(requests, 10)) for _ in range(2))
    assert first == second
    assert {model: len(kept) for model, kept in first.items()} == {"a": 10, "b": 10}


def test_what_is_too_large_to_keep_is_not_sampled() -> None:
    assert list(_sample([_request(0, size=2_000_000)])) == []
    assert list(_sample([_request(0)], 0)) == []


async def test_the_ratio_is_that_of_counts_to_estimates_by_model() -> None:
    requests = [*map(_request, range(10)), _request(10, "glm-5")]
    done, asked = await _tokenized(says(EIGHT), requests)
    assert asked == 11
    assert {model: (ratio.value, ratio.rows) for model, ratio in done.ratios.items()} == {
        "glm-4.7": (2, 10),
        "glm-5": (2, 1),
    }
    assert done.reasons == {}


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (refuses("1000", "who are you", status="401 Unauthorized"), "who are you"),
        (refuses("404", "no such thing", status="404 Not Found"), "no such thing"),
        (refuses("1211", "unknown model", status="400 Bad Request"), "unknown model"),
        (says(whole(b"<html>", status="404 Not Found")), "HTTP 404: <html>"),
    ],
)
async def test_a_refusal_that_all_would_meet_ends_the_counting_and_is_the_reason(
    behave: Behaviour, words: str
) -> None:
    done, asked = await _tokenized(behave, list(map(_request, range(50))))
    assert done.ratios == {}
    assert words in done.reasons["glm-4.7"]
    # No more than were under way at once.
    assert asked <= 4


async def test_a_row_that_is_refused_for_itself_is_left_out() -> None:
    behave = _in_turn(refuses("1261", "too long", status="400 Bad Request"), says(EIGHT))
    done, asked = await _tokenized(behave, list(map(_request, range(10))))
    assert asked == 10
    assert done.ratios["glm-4.7"].rows == 9
    assert done.reasons == {"glm-4.7": "too long"}


async def test_a_throttle_is_waited_out_and_the_row_counted_again() -> None:
    quick = QuickTime()
    throttled = refuses("1302", "slow", "Retry-After: 9000", status="429 Too Many Requests")
    done, asked = await _tokenized(_in_turn(throttled, says(EIGHT)), [_request(0)], quick)
    assert (asked, quick.now) == (2, 30)
    assert done.ratios["glm-4.7"].rows == 1
    assert done.reasons == {}


async def test_a_tokenizer_that_stays_down_is_given_up_after_three_tries() -> None:
    down = refuses("1305", "overloaded", status="429 Too Many Requests")
    done, asked = await _tokenized(down, [_request(0)])
    assert asked == 3
    assert done.reasons == {"glm-4.7": "overloaded"}


async def test_an_endpoint_that_cannot_be_reached_is_the_reason() -> None:
    async with toxic(says(EIGHT)) as server:
        url = server.url
    callee = Callee(provider_named("glm", url), (Bearer(KEY),))
    done = await tokenize(_sample([_request(0)]), JobSpec(), callee)
    assert "no connection" in done.reasons["glm-4.7"]


async def test_a_provider_without_a_tokenizer_is_not_asked() -> None:
    callee = Callee(provider_named("openai"), (Bearer(KEY),))
    done = await tokenize(_sample([_request(0)]), JobSpec(), callee)
    assert done == Tokenized(reasons={"glm-4.7": "openai has no tokenizer to ask"})


async def test_the_simulator_counts_as_it_bills() -> None:
    callee = Callee(provider_named("glm"), (Bearer(KEY),), AT_ONCE)
    done = await tokenize(_sample([_request(0)]), JobSpec(), callee)
    assert done.ratios["glm-4.7"].value == 1
