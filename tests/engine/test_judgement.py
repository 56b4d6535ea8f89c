"""What the end of a call means: for its row, its key, the endpoint, and the run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.engine.admission import Admission, RunStoppedError
from batcher.engine.judgement import RESET_MARGIN_S, Judge, Verdict
from batcher.engine.policy.breaker import IN_A_ROW, REFUSALS_IN_A_ROW
from batcher.engine.policy.lane import Lane
from batcher.engine.policy.limit import FixedLimit
from batcher.engine.policy.signal import Signal, signal_of
from batcher.engine.policy.spending import NOTHING, Bill, Ceiling, Spending
from batcher.engine.waiting import Permit, Wish
from batcher.errors import Action, ErrorClass, Problem, ProviderError
from batcher.limits import RateLimit, RateLimits
from batcher.records import Completion, Request, Usage
from tests.engines import Engine, Notebook, in_virtual_time, middle
from tests.overload import virtual

WISH = Wish(("m",), 100, 50, NOTHING, 0, last_chance=False)
COMPLETION = Completion("hello", None, None, "stop", "m", Usage(70, 20))
DAY_S = 24 * 3600.0
USED_UP = RateLimits(requests=RateLimit(1000, 0, reset_s=600.0))

# What sets a key aside at once.
ACCOUNT = (ErrorClass.AUTHENTICATION, ErrorClass.BALANCE, ErrorClass.PERMISSION)
PASSING = [
    error_class
    for error_class in ErrorClass
    if error_class.rule.action is Action.RETRY and error_class is not ErrorClass.TOKEN_EXPIRED
]
FAILING = [error_class for error_class in ErrorClass if error_class.rule.action is Action.FAIL_ROW]


async def _never(_request: Request, _request_id: str) -> Completion:
    """Stand for the call of a key: the tests say how it ends."""
    raise AssertionError


def _error(error_class: ErrorClass, **values: Any) -> ProviderError:  # noqa: ANN401 -- any of its own
    return ProviderError(Problem(error_class, f"it was {error_class}", "1234", 429), **values)


def _go_down(lane: Lane) -> None:
    now = virtual.monotonic()
    for _ in range(IN_A_ROW):
        lane.breaker.heard(now, Signal.FAILED, began=now, probe=False)


@dataclass
class _Court:
    """A judge, and calls that end as the test says."""

    engine: Engine
    judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        self.judge = self.engine.retrier().judge

    @classmethod
    def of(cls, keys: int = 1, **values: Any) -> _Court:  # noqa: ANN401 -- fields of Engine
        own: dict[str, Any] = {
            "monotonic": virtual.monotonic,
            "clock": virtual.clock,
            "sleep": asyncio.sleep,
            "uniform": middle,
            "max_wait": 1000.0,
        }
        return cls(Engine([_never] * keys, **(own | values)))

    @property
    def gate(self) -> Admission:
        return self.judge.admission

    def lane(self, key: int = 1, model: str = "m") -> Lane:
        return self.gate.lanes(model)[key - 1]

    @contextlib.asynccontextmanager
    async def calling(self, wish: Wish = WISH) -> AsyncIterator[Permit]:
        async with self.gate.admitted(wish) as permit:
            yield permit

    async def fail(
        self, error: ErrorClass | ProviderError, wish: Wish = WISH, *, telling: bool = True
    ) -> Verdict:
        """Make a call that fails so."""
        async with self.calling(wish) as permit:
            given = error if isinstance(error, ProviderError) else _error(error)
            return self.judge.failed(permit, given, telling=telling)

    async def fail_on(self, error: ErrorClass) -> int:
        """Make calls that fail so until the run ends; return how many."""
        for calls in count(1):
            try:
                await self.fail(error)
            except RunStoppedError:
                return calls
        raise AssertionError

    async def succeed(
        self, completion: Completion = COMPLETION, wish: Wish = WISH, cost: int | None = 5
    ) -> None:
        async with self.calling(wish) as permit:
            self.judge.completed(permit, completion, cost)

    async def well(self, calls: int = 40) -> None:
        """Have the endpoint do well."""
        for _ in range(calls):
            await self.succeed()

    async def go_down(self, model: str = "m") -> None:
        """Have the endpoint go down for a model by all keys, without a notice."""
        for lane in self.gate.lanes(model):
            _go_down(lane)

    async def next_key(self) -> int:
        """Return the key that the next call goes by."""
        async with self.calling() as permit:
            return permit.lane.account.number

    @property
    def exit_codes(self) -> list[int]:
        return [halt.exit_code for halt in self.engine.halts]


# --- answers ---


@in_virtual_time
async def test_an_answer_costs_what_its_usage_says() -> None:
    tokens, cost = Ceiling(1000, 0, "", Notebook()), Ceiling(1000, 0, "", Notebook())
    court = _Court.of(spending=Spending(cost, tokens))
    await court.succeed(wish=replace(WISH, worst=Bill(400, 300)), cost=7)
    assert (tokens.spent, tokens.reserved) == (90, 0)
    assert (cost.spent, cost.reserved) == (7, 0)


@pytest.mark.parametrize("usage", [Usage(), Usage(70, None), Usage(None, 20)])
def test_an_answer_without_its_usage_or_price_counts_as_its_worst_case(usage: Usage) -> None:
    async def main() -> None:
        tokens, cost = Ceiling(1000, 0, "", Notebook()), Ceiling(1000, 0, "", Notebook())
        court = _Court.of(spending=Spending(cost, tokens))
        completion = replace(COMPLETION, usage=usage)
        await court.succeed(completion, replace(WISH, worst=Bill(400, 300)), cost=None)
        assert (tokens.spent, cost.spent) == (400, 300)

    virtual.run(main())


@in_virtual_time
async def test_a_budget_of_tokens_is_set_right_by_what_was_used() -> None:
    """150 foreseen and taken; 90 used; so the next call waits for 90 only."""
    court = _Court.of(tpm=6000)
    await court.succeed()
    begun = virtual.monotonic()
    await court.succeed()
    await court.succeed()
    assert virtual.monotonic() - begun < 1.5


@in_virtual_time
async def test_the_forecast_learns_from_usage_but_not_from_its_absence() -> None:
    court = _Court.of()
    lane = court.lane()
    await court.succeed(replace(COMPLETION, usage=Usage()))
    assert lane.forecast.tokens(100, None) == 356
    await court.succeed(replace(COMPLETION, usage=Usage(100, 30)))
    assert lane.forecast.tokens(100, None) == 130


@in_virtual_time
async def test_limits_that_an_answer_names_are_kept_from_then_on() -> None:
    court = _Court.of()
    limits = RateLimits(requests=RateLimit(60, 10, reset_s=1.0))
    await court.succeed(replace(COMPLETION, rate_limits=limits))
    assert court.lane().requests.per_minute == 60


@in_virtual_time
async def test_a_limit_that_an_answer_says_is_used_up_pauses_the_key() -> None:
    court = _Court.of()
    await court.succeed(replace(COMPLETION, rate_limits=USED_UP))
    assert 600 <= court.lane().account.paused_until <= 660
    (notice,) = court.engine.notices
    assert notice.startswith("The key is paused for 10 min")


@in_virtual_time
async def test_an_answer_that_ends_the_run_is_kept_nevertheless() -> None:
    """The limit that it says is used up comes back too late; but it is paid."""
    court = _Court.of(max_wait=599.0)
    await court.succeed(replace(COMPLETION, rate_limits=USED_UP))
    assert court.exit_codes == [75]
    with pytest.raises(RunStoppedError):
        await court.succeed()


# --- what counts against the row ---


@pytest.mark.parametrize("error_class", [*PASSING, *FAILING])
def test_while_others_succeed_a_failure_counts_as_its_class_says(error_class: ErrorClass) -> None:
    async def main() -> None:
        court = _Court.of()
        await court.well()
        assert await court.fail(error_class) == Verdict(error_class.rule.counts)
        assert court.engine.notices == []

    virtual.run(main())


@pytest.mark.parametrize("error_class", PASSING)
def test_while_less_than_half_succeeds_only_what_the_row_itself_causes_counts(
    error_class: ErrorClass,
) -> None:
    async def main() -> None:
        court = _Court.of(most=100)
        await court.well(6)
        for _ in range(7):
            await court.fail(ErrorClass.SERVER_ERROR)
        assert not court.lane().breaker.is_open
        own = signal_of(error_class) is Signal.ANSWERED
        assert (await court.fail(error_class)).counts is (own and error_class.rule.counts)

    virtual.run(main())


@in_virtual_time
async def test_while_the_endpoint_is_down_no_failure_of_its_own_counts() -> None:
    court = _Court.of()
    await court.well()
    verdicts = [await court.fail(ErrorClass.NOT_SENT) for _ in range(IN_A_ROW + 20)]
    assert not any(verdict.counts for verdict in verdicts[IN_A_ROW - 1 :])


@in_virtual_time
async def test_rows_that_failed_before_while_others_went_well_do_not_open_the_breaker() -> None:
    court = _Court.of()
    await court.well()
    for _ in range(100):
        await court.fail(ErrorClass.SERVER_ERROR, telling=False)
    assert not court.lane().breaker.is_open


# --- the endpoint ---


@in_virtual_time
async def test_that_the_endpoint_is_down_and_back_is_said_once() -> None:
    court = _Court.of()
    for _ in range(IN_A_ROW + 3):
        await court.fail(ErrorClass.OVERLOADED)
    for _ in range(5):
        await court.succeed()
    assert court.engine.notices == [
        "The endpoint is down (it was overloaded). Rows wait for it",
        "The endpoint is back",
    ]


@in_virtual_time
async def test_of_several_keys_it_is_said_which_one_is_meant() -> None:
    court = _Court.of(2)
    court.gate.accounts[1].pause(0.0, 1e6)
    for _ in range(IN_A_ROW):
        await court.fail(ErrorClass.OVERLOADED)
    assert court.engine.notices == [
        "The endpoint is down (it was overloaded). Rows wait for it (Key 1 of 2, m)"
    ]


@in_virtual_time
async def test_a_probe_that_is_refused_for_its_own_row_says_that_the_endpoint_is_back() -> None:
    court = _Court.of()
    await court.go_down()
    for _ in range(3):
        assert await court.fail(ErrorClass.BAD_REQUEST) == Verdict(counts=True)
    assert court.engine.notices == ["The endpoint is back"]


@in_virtual_time
async def test_refusals_without_end_are_an_outage_too_that_one_answer_ends() -> None:
    court = _Court.of()
    for _ in range(REFUSALS_IN_A_ROW):
        await court.fail(ErrorClass.THROTTLED)
        await asyncio.sleep(1.1)
    assert court.lane().breaker.is_open
    await court.succeed()
    assert not court.lane().breaker.is_open


@in_virtual_time
async def test_an_outage_that_lasts_too_long_ends_the_run_with_its_rows_pending() -> None:
    court = _Court.of(max_outage=3600.0)
    await court.fail_on(ErrorClass.OVERLOADED)
    (halt,) = court.engine.halts
    assert halt.exit_code == 75
    assert halt.reason.startswith("The endpoint has been down for 1 h")
    assert "it was overloaded" in halt.reason
    assert 3600 <= virtual.monotonic() <= 3600 + 120


@in_virtual_time
async def test_an_outage_that_is_just_ending_does_not_end_the_run() -> None:
    court = _Court.of(max_outage=100.0)
    await court.go_down()
    await asyncio.sleep(200)
    for _ in range(3):
        assert await court.fail(ErrorClass.BAD_REQUEST) == Verdict(counts=True)
    assert court.engine.halts == []


@in_virtual_time
async def test_an_outage_by_one_key_alone_ends_nothing() -> None:
    court = _Court.of(2, max_outage=100.0)
    _go_down(court.lane(1))
    await asyncio.sleep(1000)
    assert (await court.fail(ErrorClass.OVERLOADED)).counts is False
    assert court.engine.halts == []


@in_virtual_time
async def test_keys_that_are_set_aside_do_not_hide_an_outage() -> None:
    court = _Court.of(2, max_outage=100.0)
    await court.go_down()
    court.gate.accounts[1].set_aside = Problem(ErrorClass.BALANCE, "recharge")
    await asyncio.sleep(1000)
    with pytest.raises(RunStoppedError):
        await court.fail(ErrorClass.OVERLOADED)


@in_virtual_time
async def test_an_outage_ends_nothing_while_a_next_model_answers() -> None:
    court = _Court.of(max_outage=100.0)
    await court.go_down("a")
    await asyncio.sleep(1000)
    either = replace(WISH, models=("a", "b"))
    assert not (await court.fail(ErrorClass.OVERLOADED, either)).counts
    assert court.engine.halts == []
    await court.go_down("b")
    await asyncio.sleep(1000)
    with pytest.raises(RunStoppedError):
        await court.fail(ErrorClass.OVERLOADED, either)


@in_virtual_time
async def test_a_call_from_before_by_a_key_set_aside_meanwhile_ends_no_run_by_an_outage() -> None:
    court = _Court.of(2, max_outage=100.0)
    async with court.calling() as permit:
        await court.go_down()
        await asyncio.sleep(1000)
        for account in court.gate.accounts:
            account.set_aside = Problem(ErrorClass.BALANCE, "recharge")
        assert not court.judge.failed(permit, _error(ErrorClass.NOT_SENT), telling=True).counts
    assert court.engine.halts == []


# --- keys ---


@pytest.mark.parametrize("error_class", ACCOUNT)
def test_a_key_that_is_refused_is_set_aside_and_its_row_goes_by_another_at_once(
    error_class: ErrorClass,
) -> None:
    async def main() -> None:
        court = _Court.of(3)
        assert await court.fail(error_class) == Verdict(counts=False, at_once=True)
        assert court.engine.halts == []
        assert court.engine.notices == [
            f"Key 1 of 3 is set aside: it was {error_class}. 2 of 3 keys left"
        ]
        assert {await court.next_key() for _ in range(10)} == {2}

    virtual.run(main())


@in_virtual_time
async def test_calls_that_were_in_flight_by_a_key_that_is_set_aside_are_no_news() -> None:
    court = _Court.of(2, limit=lambda: FixedLimit(2))
    async with court.calling() as first, court.calling(), court.calling() as third:
        assert first.lane is third.lane
        for permit, error in ((first, ErrorClass.QUOTA_EXHAUSTED), (third, ErrorClass.BALANCE)):
            verdict = court.judge.failed(permit, _error(error), telling=True)
            assert verdict == Verdict(counts=False, at_once=True)
    (notice,) = court.engine.notices
    assert "it was quota_exhausted" in notice
    aside = court.gate.accounts[0].set_aside
    assert aside is not None
    assert aside.error_class is ErrorClass.QUOTA_EXHAUSTED


@pytest.mark.parametrize(
    ("classes", "exit_code"),
    [
        ([ErrorClass.BALANCE], 77),
        ([ErrorClass.BALANCE, ErrorClass.AUTHENTICATION], 77),
        ([ErrorClass.BALANCE, ErrorClass.QUOTA_EXHAUSTED], 75),
        ([ErrorClass.QUOTA_EXHAUSTED, ErrorClass.BALANCE], 75),
        ([ErrorClass.MODEL_UNAVAILABLE], 78),
        ([ErrorClass.MODEL_UNAVAILABLE] * 2, 78),
        ([ErrorClass.BALANCE, ErrorClass.MODEL_UNAVAILABLE], 77),
        ([ErrorClass.QUOTA_EXHAUSTED, ErrorClass.MODEL_UNAVAILABLE], 75),
        ([ErrorClass.ENDPOINT_UNKNOWN], 78),
    ],
)
def test_the_run_ends_when_no_key_is_left_and_its_exit_code_says_whether_waiting_helps(
    classes: list[ErrorClass], exit_code: int
) -> None:
    async def main() -> None:
        court = _Court.of(len(classes))
        for error_class in classes[:-1]:
            await court.fail(error_class)
        assert court.engine.halts == []
        with pytest.raises(RunStoppedError):
            await court.fail(classes[-1])
        assert court.exit_codes == [exit_code]
        reason = court.engine.halts[0].reason
        assert reason.startswith(f"Stopped by the provider: it was {classes[-1]} (code 1234). ")
        assert reason.endswith(classes[-1].rule.hint)
        with pytest.raises(RunStoppedError):
            await court.succeed()

    virtual.run(main())


@in_virtual_time
async def test_a_problem_without_a_code_is_told_without_one() -> None:
    court = _Court.of()
    with pytest.raises(RunStoppedError):
        await court.fail(ProviderError(Problem(ErrorClass.BALANCE, "recharge")))
    assert court.engine.halts[0].reason.startswith("Stopped by the provider: recharge. ")


@in_virtual_time
async def test_an_unknown_endpoint_ends_the_run_whatever_keys_there_are() -> None:
    court = _Court.of(3)
    with pytest.raises(RunStoppedError):
        await court.fail(ErrorClass.ENDPOINT_UNKNOWN)
    assert court.exit_codes == [78]


@in_virtual_time
async def test_a_model_that_a_key_may_not_use_is_asked_by_the_others() -> None:
    court = _Court.of(2)
    assert await court.fail(ErrorClass.MODEL_UNAVAILABLE) == Verdict(counts=False, at_once=True)
    assert court.engine.notices == [
        "Key 1 of 2 is set aside for m: it was model_unavailable. 2 of 2 keys left"
    ]
    assert await court.next_key() == 2
    other = replace(WISH, models=("other",))
    async with court.calling(other) as permit:
        assert permit.lane.account.number == 1


@in_virtual_time
async def test_a_key_that_may_not_use_a_model_is_set_aside_with_a_notice_all_the_same() -> None:
    court = _Court.of(2)
    async with court.calling() as permit:
        court.lane(1).closed = Problem(ErrorClass.MODEL_UNAVAILABLE, "no such model")
        court.judge.failed(permit, _error(ErrorClass.BALANCE), telling=True)
    assert court.engine.notices == ["Key 1 of 2 is set aside: it was balance. 1 of 2 keys left"]


@in_virtual_time
async def test_rows_that_waited_for_a_key_that_is_set_aside_go_by_another_at_once() -> None:
    court = _Court.of(2, limit=lambda: FixedLimit(1))
    court.gate.accounts[1].pause(0.0, 50.0)
    async with court.calling() as permit:
        waiting = asyncio.create_task(court.next_key())
        await asyncio.sleep(60)
        court.judge.failed(permit, _error(ErrorClass.BALANCE), telling=True)
        assert await waiting == 2


# --- expired tokens ---


@in_virtual_time
async def test_an_expired_token_is_signed_anew_and_the_row_goes_on() -> None:
    court = _Court.of()
    assert await court.fail(ErrorClass.TOKEN_EXPIRED) == Verdict(counts=False)
    await court.succeed()
    assert court.engine.renewed == [1]


@in_virtual_time
async def test_a_token_that_is_refused_right_after_it_was_signed_sets_its_key_aside() -> None:
    court = _Court.of()
    await court.fail(ErrorClass.TOKEN_EXPIRED)
    with pytest.raises(RunStoppedError):
        await court.fail(ErrorClass.TOKEN_EXPIRED)
    assert court.engine.renewed == [1]
    assert court.exit_codes == [77]


@in_virtual_time
async def test_many_calls_with_the_old_token_have_it_signed_anew_once() -> None:
    court = _Court.of(most=3)
    async with court.calling() as one, court.calling() as two, court.calling() as three:
        for permit in (one, two, three):
            verdict = court.judge.failed(permit, _error(ErrorClass.TOKEN_EXPIRED), telling=True)
            assert verdict == Verdict(counts=False)
    assert court.engine.renewed == [1]
    assert court.engine.halts == []


@in_virtual_time
async def test_each_key_has_its_own_token_and_none_is_signed_anew_without_end() -> None:
    """As by a clock that is wrong: no row goes to and fro between two keys for ever."""
    court = _Court.of(2)
    assert await court.fail_on(ErrorClass.TOKEN_EXPIRED) == 4
    assert court.engine.renewed == [1, 2]
    assert court.exit_codes == [77]


@pytest.mark.parametrize(
    ("between", "accepted"),
    [
        (ErrorClass.THROTTLED, True),
        (ErrorClass.BAD_REQUEST, True),
        (ErrorClass.NOT_SENT, False),
        (ErrorClass.OVERLOADED, False),
        (ErrorClass.AMBIGUOUS, False),
    ],
)
def test_a_token_that_was_accepted_may_expire_again(between: ErrorClass, accepted: bool) -> None:  # noqa: FBT001 -- a case
    async def main() -> None:
        court = _Court.of()
        await court.fail(ErrorClass.TOKEN_EXPIRED)
        await court.fail(between)
        with contextlib.nullcontext() if accepted else pytest.raises(RunStoppedError):
            await court.fail(ErrorClass.TOKEN_EXPIRED)
        assert court.engine.renewed == [1] * (1 + accepted)

    virtual.run(main())


@in_virtual_time
async def test_an_answer_to_the_old_token_says_nothing_of_the_new_one() -> None:
    court = _Court.of(most=3)
    async with court.calling() as early, court.calling() as late:
        court.judge.failed(early, _error(ErrorClass.TOKEN_EXPIRED), telling=True)
        court.judge.completed(late, COMPLETION, None)
    with pytest.raises(RunStoppedError):
        await court.fail(ErrorClass.TOKEN_EXPIRED)
    assert court.engine.renewed == [1]


# --- pauses ---


@given(
    wait=st.floats(0.001, 1000),
    share=st.floats(0, 1),
    error_class=st.sampled_from([*PASSING, ErrorClass.QUOTA_EXHAUSTED]),
)
def test_retry_after_pauses_all_lanes_of_the_key_is_never_cut_short_and_little_is_added(
    wait: float, share: float, error_class: ErrorClass
) -> None:
    async def main() -> None:
        court = _Court.of(uniform=lambda low, high: low + share * (high - low))
        verdict = await court.fail(_error(error_class, retry_after=wait))
        assert not verdict.at_once
        await court.succeed(wish=replace(WISH, models=("other",)))
        assert wait <= virtual.monotonic() <= wait * 1.1 + 0.001

    virtual.run(main())


@given(seconds=st.integers(-1_000_000, 990))
def test_the_moment_of_a_reset_is_waited_for_with_a_margin(seconds: int) -> None:
    async def main() -> None:
        court = _Court.of()
        resets_at = datetime.fromtimestamp(virtual.EPOCH, UTC) + timedelta(seconds=seconds)
        await court.fail(_error(ErrorClass.QUOTA_EXHAUSTED, resets_at=resets_at))
        await court.succeed()
        wait = max(0, seconds) + RESET_MARGIN_S
        assert wait <= virtual.monotonic() <= wait * 1.1 + 0.001

    virtual.run(main())


@given(after=st.floats(0, 900), seconds=st.integers(0, 900))
def test_of_two_waits_that_are_named_the_longer_one_holds(after: float, seconds: int) -> None:
    async def main() -> None:
        court = _Court.of(uniform=lambda low, _high: low)
        resets_at = datetime.fromtimestamp(virtual.EPOCH, UTC) + timedelta(seconds=seconds)
        await court.fail(_error(ErrorClass.QUOTA_EXHAUSTED, retry_after=after, resets_at=resets_at))
        assert court.lane().account.paused_until == max(after, seconds + RESET_MARGIN_S)

    virtual.run(main())


@in_virtual_time
async def test_rows_of_a_key_that_is_told_to_wait_go_by_another() -> None:
    court = _Court.of(2)
    await court.fail(_error(ErrorClass.THROTTLED, retry_after=100.0))
    assert await court.next_key() == 2
    assert virtual.monotonic() == 0.0


@pytest.mark.parametrize(("wait", "said"), [(4.9, False), (5.0, True)])
def test_a_pause_that_a_user_would_notice_is_said_once(wait: float, said: bool) -> None:  # noqa: FBT001 -- a case
    async def main() -> None:
        court = _Court.of(most=2)
        async with court.calling() as one, court.calling() as two:
            for permit in (one, two):
                error = _error(ErrorClass.THROTTLED, retry_after=wait)
                court.judge.failed(permit, error, telling=True)
        assert (
            court.engine.notices
            == ["The key is paused for 5 s, as the provider asks: it was throttled"] * said
        )

    virtual.run(main())


@pytest.mark.parametrize(
    ("error", "aside"),
    [
        (_error(ErrorClass.THROTTLED), False),
        (_error(ErrorClass.THROTTLED, retry_after=1000.0), False),
        (_error(ErrorClass.THROTTLED, retry_after=1000.5), True),
        (_error(ErrorClass.OVERLOADED, retry_after=36_000.0), True),
        (_error(ErrorClass.QUOTA_EXHAUSTED), True),
        (_error(ErrorClass.QUOTA_EXHAUSTED, retry_after=0.0), True),
        (_error(ErrorClass.QUOTA_EXHAUSTED, retry_after=1000.0), False),
        (_error(ErrorClass.QUOTA_EXHAUSTED, retry_after=1001.0), True),
        (_error(ErrorClass.QUOTA_EXHAUSTED, rate_limits=USED_UP), False),
        (
            _error(
                ErrorClass.QUOTA_EXHAUSTED,
                resets_at=datetime.fromtimestamp(virtual.EPOCH + 998, UTC),
            ),
            False,
        ),
        (
            _error(
                ErrorClass.QUOTA_EXHAUSTED,
                resets_at=datetime.fromtimestamp(virtual.EPOCH + 999, UTC),
            ),
            True,
        ),
        (_error(ErrorClass.QUOTA_EXHAUSTED, resets_at=datetime.fromtimestamp(0, UTC)), False),
        (_error(ErrorClass.BAD_REQUEST, retry_after=1001.0), False),
    ],
)
def test_a_key_that_would_have_to_wait_too_long_or_nobody_knows_how_long_is_set_aside(
    error: ProviderError,
    aside: bool,  # noqa: FBT001 -- a case
) -> None:
    async def main() -> None:
        court = _Court.of(2)
        verdict = await court.fail(error)
        assert (court.gate.accounts[0].set_aside is error.problem) is aside
        assert verdict.at_once is aside
        if aside:
            with pytest.raises(RunStoppedError):
                await court.fail(error)
            assert court.exit_codes == [75]

    virtual.run(main())


@in_virtual_time
async def test_a_refused_row_asks_for_no_pause_but_the_limits_it_names_are_kept() -> None:
    court = _Court.of()
    await court.fail(_error(ErrorClass.BAD_REQUEST, retry_after=100.0))
    assert court.lane().account.paused_until == 0.0
    verdict = await court.fail(_error(ErrorClass.BAD_REQUEST, rate_limits=USED_UP))
    assert verdict == Verdict(counts=True)
    assert court.lane().account.paused_until >= 600.0


@in_virtual_time
async def test_a_key_whose_headers_name_too_long_a_wait_is_set_aside() -> None:
    court = _Court.of(2)
    day = RateLimits(tokens=RateLimit(10**6, 0, reset_s=DAY_S))
    verdict = await court.fail(_error(ErrorClass.BAD_REQUEST, rate_limits=day))
    assert verdict == Verdict(counts=True)
    assert court.engine.notices == [
        "Key 1 of 2 is set aside: the limit that its headers name is used up. 1 of 2 keys left"
    ]
    assert await court.next_key() == 2
