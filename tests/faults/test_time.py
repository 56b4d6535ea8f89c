"""Rows 31 and 44 of the fault matrix: waits that a provider asks for, and clocks that jump."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batcher.checkpoint import Checkpoint
from batcher.engine.admission import RunStoppedError
from batcher.engine.client import Client, Receiving, Timeouts, open_transport
from batcher.engine.judgement import RESET_MARGIN_S, named_wait
from batcher.engine.retry import Retrier
from batcher.errors import ErrorClass, Problem, ProviderError
from batcher.inputs import Dataset, discover
from batcher.outputs import Material, export
from batcher.providers import Bearer, SignedToken, provider_named
from batcher.providers.envelope import Envelope
from batcher.records import (
    Attempt,
    Completion,
    Failure,
    InvalidAnswer,
    Kept,
    Outcome,
    Request,
    Source,
    Success,
    Usage,
)
from batcher.simulator import SIMULATED_KEY, SimulatorConfig
from batcher.simulator.service import serve
from tests.engines import Engine
from tests.one_call import PATIENT, connect
from tests.simulated import AT_ONCE, Place, QuickTime

HOUR = 3600.0
NOW = datetime(2026, 8, 25, 12, 0, 0, tzinfo=UTC)
SOURCE = Source("prompts.jsonl", 1)
REQUEST = Request(
    0,
    "id-0",
    "key-0",
    {"model": "glm-4-flash", "messages": [{"role": "user", "content": "Say 0."}]},
    SOURCE,
)
ANSWER = Completion("fine", None, None, "stop", "glm-4-flash", Usage(1, 1))


async def _outcome(retrier: Retrier) -> Outcome:
    """Return the outcome of the request."""
    outcomes: list[Outcome] = []

    async def put(outcome: Kept) -> None:
        assert not isinstance(outcome, InvalidAnswer)
        outcomes.append(outcome)

    await retrier.settle(REQUEST, put)
    (only,) = outcomes
    return only


# 31: what a provider asks to wait


@dataclass
class Waits:
    """A provider that refuses once with these headers, and the waits that follow."""

    headers: dict[str, str]
    share: float
    refused: bool = False
    time: QuickTime = field(default_factory=QuickTime)

    async def call(self, _request: Request, _request_id: str) -> Completion:
        if self.refused:
            return ANSWER
        self.refused = True
        raise Envelope(429, self.headers, NOW).error(ErrorClass.THROTTLED, "slow down", "1302")

    def retrier(self) -> Retrier:
        return Engine(
            [self.call],
            1,
            sleep=self.time.sleep,
            clock=NOW.timestamp,
            monotonic=self.time.monotonic,
            uniform=lambda low, high: low + self.share * (high - low),
        ).retrier()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "21600"}, 21_600.0),
        ({"retry-after": "Tue, 25 Aug 2026 12:05:00 GMT"}, 300.0),
        ({"retry-after": "Tue, 25 Aug 2026 20:05:00 +0800"}, 300.0),
        ({"retry-after": "Tue, 25 Aug 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0.0),
        ({"retry-after-ms": "2500"}, 2.5),
        ({"retry-after-ms": "2500", "retry-after": "60"}, 2.5),
        ({"retry-after-ms": "soon", "retry-after": "60"}, 60.0),
        # Garbage asks for nothing.
        *(
            ({"retry-after": text}, None)
            for text in ("", "-1", "NaN", "1e400", "inf", "soon", "1,5", "7 s", "0x10", "9" * 400)
        ),
        ({"retry-after": "Tue, 99 Foo 2026 99:99:99 GMT"}, None),
        ({}, None),
    ],
)
async def test_31_a_wait_asked_for_is_never_cut_short_and_garbage_asks_for_none(
    headers: dict[str, str], asked: float | None, share: float
) -> None:
    """Section C: the longer of our own backoff and the given wait, and up to a tenth of it more."""
    world = Waits(headers, share)
    assert isinstance(await _outcome(world.retrier()), Success)
    own = share * 2.0
    expected = own if asked is None else max(own, asked + share * asked / 10)
    assert world.time.now == pytest.approx(expected)


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "36000"},
        {"retry-after": "1" + "0" * 300},
        {"retry-after-ms": "36000000"},
        {"retry-after": "Wed, 26 Aug 2026 12:00:00 GMT"},
        {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"},
    ],
)
async def test_31_a_wait_beyond_max_wait_stops_the_run_and_never_brings_a_retry_forward(
    headers: dict[str, str],
) -> None:
    world = Waits(headers, 0.0)
    with pytest.raises(RunStoppedError):
        await _outcome(world.retrier())
    assert world.time.now == 0


def test_31_a_run_that_is_told_to_wait_10_hours_ends_with_its_rows_pending(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(40))
    job = place.job(limits={"concurrency": 2})
    throttling = replace(AT_ONCE, fail_after=(5, "1302"), retry_after="36000")
    done = place.run(job, throttling)
    assert done.halted is not None
    assert done.halted.exit_code == 75
    assert (done.summary.counts.error_rows, done.summary.pending) == (0, 40 - len(place.results()))
    # What was in flight when the first refusal came, and not one more.
    assert len(place.ledger()) <= 5 + 2
    place.run(job)
    assert len(place.results()) == 40


# 44: clocks that jump


@dataclass
class Clock:
    """A wall clock that anybody may set."""

    now: float = NOW.timestamp()
    # Added at each reading.
    drift: float = 0.0

    def __call__(self) -> float:
        self.now += self.drift
        return self.now


@asynccontextmanager
async def _calling(
    ours: Callable[[], float],
    theirs: Callable[[], float],
    simulator: SimulatorConfig = AT_ONCE,
    total: float = 30.0,
) -> AsyncIterator[Client]:
    """Serve a simulator, strict about tokens, and yield a client that signs them by `ours`."""
    config = replace(simulator, keys=frozenset({SIMULATED_KEY}))
    timeouts = Timeouts(5.0, 5.0, total)
    async with serve(config, clock=theirs) as simulated:
        provider = replace(provider_named("glm"), base_url=simulated.base_url)
        async with open_transport(provider.base_url, 1, environment={}) as transport:
            receiving = Receiving(1 << 20)
            refused = Bearer("no.such-key")
            await connect(
                Client(transport, provider, refused, timeouts=PATIENT, receiving=receiving)
            )
            auth = SignedToken(SIMULATED_KEY)
            yield Client(
                transport, provider, auth, timeouts=timeouts, receiving=receiving, clock=ours
            )


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 24 * HOUR, -24 * HOUR, 12 * 365 * 24 * HOUR])
async def test_44_after_a_jump_of_the_clock_the_token_is_signed_again_and_calls_go_on(
    jump: float,
) -> None:
    """As by NTP, a suspended machine, or a summer time that somebody set by hand."""
    auth = SignedToken(SIMULATED_KEY)
    moments = [NOW.timestamp() + turn * jump for turn in range(3)]
    assert len({auth.headers(moment)["authorization"] for moment in moments}) == 3
    clock = Clock()
    async with _calling(clock, clock) as client:
        for clock.now in moments:
            assert (await client.complete(REQUEST, "request-1")).text


@pytest.mark.parametrize(
    "now",
    [
        2.0**31 - 1,  # 32 bits end here, in 2038
        2.0**31 + 1,
        2.0**32 + 1,  # in 2106
        datetime(2026, 3, 29, 1, 0, tzinfo=UTC).timestamp(),  # summer time begins in Europe
        datetime(2026, 10, 25, 1, 0, tzinfo=UTC).timestamp(),  # and ends
    ],
)
async def test_44_tokens_hold_across_the_moments_that_programs_stumble_over(now: float) -> None:
    clock = Clock(now - 90, drift=60)
    async with _calling(clock, lambda: clock.now) as client:
        for _ in range(5):
            assert (await client.complete(REQUEST, "request-1")).text


async def test_44_a_clock_that_is_an_hour_behind_the_provider_s_stops_the_run_as_expired() -> None:
    """Signed anew once, then stopped: a token of the past is refused however often it is made."""
    async with _calling(lambda: NOW.timestamp() - HOUR, NOW.timestamp) as client:
        attempts: list[Attempt] = []
        waits = QuickTime()
        engine = Engine(
            [client.complete],
            1,
            on_attempt=lambda exchange: attempts.append(exchange.attempt),
            sleep=waits.sleep,
            monotonic=waits.monotonic,
        )
        with pytest.raises(RunStoppedError):
            await _outcome(engine.retrier())
    (halt,) = engine.halts
    assert ErrorClass.TOKEN_EXPIRED.rule.hint in halt.reason
    assert halt.exit_code == 77
    assert len(attempts) == 2


@pytest.mark.parametrize("drift", [HOUR, -HOUR])
async def test_44_a_jumping_clock_ends_no_call_that_is_in_time(drift: float) -> None:
    """Timeouts are of the monotonic clock; were they not, each of these would be an hour late."""
    clock = Clock(drift=drift)
    async with _calling(clock, lambda: clock.now) as client:
        for _ in range(3):
            assert (await client.complete(REQUEST, "request-1")).text


@pytest.mark.parametrize("drift", [0.0, -HOUR])
async def test_44_a_call_that_hangs_ends_by_its_timeout_whatever_the_clock_says(
    drift: float,
) -> None:
    """Also where the clock stands still, or runs backwards."""
    hanging = SimulatorConfig(latency_s=0, faults={"timeout": 1.0})
    clock = Clock(drift=drift)
    async with _calling(clock, lambda: clock.now, hanging, total=0.2) as client:
        with pytest.raises(ProviderError, match=r"no whole answer within 0\.2 s") as raised:
            await client.complete(REQUEST, "request-1")
    assert raised.value.problem.error_class is ErrorClass.AMBIGUOUS


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
async def test_44_a_jump_during_a_call_changes_neither_its_latency_nor_the_wait_behind_it(
    jump: float,
) -> None:
    clock, monotonic = Clock(), Clock(0.0)
    called: list[float] = []

    async def call(_request: Request, _request_id: str) -> Completion:
        called.append(monotonic.now)
        monotonic.now += 1.5
        clock.now += jump
        if len(called) > 1:
            return ANSWER
        envelope = Envelope(429, {"retry-after": "30"}, datetime.fromtimestamp(clock(), UTC))
        raise envelope.error(ErrorClass.THROTTLED, "slow down")

    async def sleep(seconds: float) -> None:
        monotonic.now += seconds

    retrier = Engine(
        [call],
        1,
        sleep=sleep,
        clock=clock,
        monotonic=monotonic,
        uniform=lambda low, _high: low,
    ).retrier()
    outcome = await _outcome(retrier)
    assert [attempt.latency for attempt in outcome.attempts] == [1.5, 1.5]
    assert called == [0.0, 31.5]


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Live in a time zone for the length of a test."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    "changes",
    [
        datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 0, tzinfo=UTC),
        datetime(2026, 3, 8, 7, 0, tzinfo=UTC),
        datetime(2026, 11, 1, 6, 0, tzinfo=UTC),
    ],
)
def test_44_waits_across_a_change_to_or_from_summer_time_are_as_long_as_they_say(
    changes: datetime,
) -> None:
    """Nothing is ever counted in local time."""
    now = changes - timedelta(minutes=10)
    date = format_datetime(changes + timedelta(minutes=10), usegmt=True)
    given = Envelope(429, {"retry-after": date}, now).error(ErrorClass.THROTTLED, "slow down")
    assert given.retry_after == 1200.0
    # What GLM writes into its text is Beijing's time, wherever we are.
    reset = (changes + timedelta(minutes=10, hours=8)).strftime("%Y-%m-%d %H:%M:%S")
    quota = Envelope(429, {}, now).error(ErrorClass.QUOTA_EXHAUSTED, f"resets at {reset}")
    assert named_wait(quota, now.timestamp()) == 1200.0 + RESET_MARGIN_S


@pytest.mark.parametrize("moment", [0.0, 2.0**31 + 0.5, 2.0**32 + 0.5])
def test_44_moments_of_any_year_come_through_checkpoint_and_outputs(
    tmp_path: Path, moment: float
) -> None:
    (tmp_path / "prompts.jsonl").write_text('{"id": "a", "prompt": "x"}\n{"id": "b"}\n')
    problem = Problem(ErrorClass.INVALID_ROW, "no prompt")
    with Checkpoint.open(tmp_path / "checkpoint.db") as checkpoint:
        checkpoint.write(
            [
                Success(0, "a", "key-a", ANSWER, (), moment, SOURCE),
                Failure(1, "b", None, problem, (), moment, SOURCE),
            ]
        )
        dataset = Dataset(discover([str(tmp_path / "prompts.jsonl")]), None)
        done = export(Material(*dataset.batches(), checkpoint.outcomes()), tmp_path)
    expected = [datetime.fromtimestamp(moment, UTC)]
    assert pq.read_table(done.results_path).column("finished_at").to_pylist() == expected
    assert done.errors_path is not None
    assert pq.read_table(done.errors_path).column("failed_at").to_pylist() == expected
