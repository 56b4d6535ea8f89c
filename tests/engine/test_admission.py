"""The gate: who may call, by which key, and when; and that nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.engine.admission import BURST, LEAST_ROWS, MAX_BACKOFF_S, Admission, RunStoppedError
from batcher.engine.ahead import Ahead
from batcher.engine.policy.breaker import IN_A_ROW
from batcher.engine.policy.lane import Lane
from batcher.engine.policy.limit import FixedLimit
from batcher.engine.policy.signal import Signal
from batcher.engine.policy.spending import NOTHING, Bill, Ceiling, PutDown, Spending
from batcher.engine.room import Room
from batcher.engine.waiting import Permit, Wish
from batcher.errors import ErrorClass, Halt, Problem, StorageError
from batcher.records import Completion, Request, Usage
from tests.engines import Engine, Notebook, in_virtual_time, middle
from tests.overload import virtual

WISH = Wish(("m",), 100, 50, NOTHING, 0, last_chance=False)
LAST_CHANCE = replace(WISH, last_chance=True)
REFUSED = Problem(ErrorClass.BALANCE, "recharge", "1113", 429)


async def _never(_request: Request, _request_id: str) -> Completion:
    """Stand for the call of a key, which the gate itself never makes."""
    raise AssertionError


def _engine(keys: int = 1, **values: Any) -> Engine:  # noqa: ANN401 -- fields of Engine
    time = {
        "monotonic": virtual.monotonic,
        "clock": virtual.clock,
        "sleep": asyncio.sleep,
        "uniform": middle,
    }
    return Engine([_never] * keys, **(time | values))


@dataclass
class _Calls:
    """Calls through a gate: when each began and by which key, and which are still under way."""

    gate: Admission
    begun: list[tuple[object, float, int]] = field(default_factory=list)
    tasks: dict[object, asyncio.Task[None]] = field(default_factory=dict)
    ends: dict[object, asyncio.Event] = field(default_factory=dict)
    permits: dict[object, Permit] = field(default_factory=dict)
    most: int = 0

    def start(self, name: object, wish: Wish = WISH, seconds: float | None = None) -> None:
        """Begin a call that lasts so many seconds, or until it is let end."""
        self.tasks[name] = asyncio.create_task(self._call(name, wish, seconds))

    async def _call(self, name: object, wish: Wish, seconds: float | None) -> None:
        async with self.gate.admitted(wish) as permit:
            self.permits[name] = permit
            self.begun.append((name, virtual.monotonic(), permit.lane.account.number))
            self.most = max(self.most, self.gate.held)
            if seconds is None:
                await self.ends.setdefault(name, asyncio.Event()).wait()
            else:
                await asyncio.sleep(seconds)

    async def end(self, name: object, *, spent: Bill | None = None) -> None:
        """Let a call end, and whoever can go on."""
        self.permits[name].spent = spent
        self.ends[name].set()
        await self.tasks[name]
        await settled()

    async def all(self) -> None:
        await asyncio.gather(*self.tasks.values())

    @property
    def names(self) -> list[object]:
        return [name for name, _, _ in self.begun]

    @property
    def moments(self) -> list[float]:
        return [round(moment, 2) for _, moment, _ in self.begun]

    @property
    def keys(self) -> list[int]:
        return [key for _, _, key in self.begun]


async def settled() -> None:
    """Let everything go on that can without time."""
    for _ in range(10):
        await asyncio.sleep(0)


def _open(lane: Lane) -> None:
    """Have the endpoint of a lane go down now."""
    now = virtual.monotonic()
    for _ in range(IN_A_ROW):
        lane.breaker.heard(now, Signal.FAILED, began=now, probe=False)
    assert lane.breaker.is_open


def _heard(permit: Permit, signal: Signal) -> None:
    """Do what a judge does with the end of a call."""
    permit.judged = True
    way = permit.way
    permit.lane.breaker.heard(virtual.monotonic(), signal, began=way.at, probe=way.probe)


def _ceiling(most: int, put_down: PutDown | None = None) -> Ceiling:
    return Ceiling(most, 0, f"{most} is reached", put_down or Notebook())


# --- in order, and never too many ---


@given(
    limit=st.integers(1, 6),
    calls=st.integers(1, 6),
    keys=st.integers(1, 3),
    lengths=st.lists(st.floats(0, 5), max_size=20),
)
def test_never_more_than_limit_and_calls_are_in_flight_and_all_get_through_in_order(
    limit: int, calls: int, keys: int, lengths: list[float]
) -> None:
    async def main() -> None:
        engine = _engine(keys, most=calls, limit=lambda: FixedLimit(limit))
        under_way = _Calls(engine.admission())
        for name, seconds in enumerate(lengths):
            under_way.start(name, seconds=seconds)
        await under_way.all()
        assert under_way.names == list(range(len(lengths)))
        assert under_way.most <= min(calls, limit * keys)
        assert under_way.gate.held == 0
        assert under_way.gate.peak == under_way.most
        assert all(lane.in_flight == 0 for lane in under_way.gate.lanes("m"))

    virtual.run(main())


@in_virtual_time
async def test_a_call_that_fails_makes_room() -> None:
    gate = _engine(most=1).admission()
    with pytest.raises(KeyError):
        async with gate.admitted(WISH):
            raise KeyError
    async with gate.admitted(WISH):
        assert gate.held == 1


@in_virtual_time
async def test_of_several_models_the_row_that_came_first_goes_first() -> None:
    """However many rows one model has, those of another are not left behind."""
    calls = _Calls(_engine(most=1).admission())
    models = "aabab"
    for name, model in enumerate(models):
        calls.start(name, replace(WISH, models=(model,)), seconds=1)
    await calls.all()
    assert calls.names == list(range(len(models)))


@in_virtual_time
async def test_a_row_of_one_model_goes_when_a_call_of_another_makes_room_for_it() -> None:
    calls = _Calls(_engine(most=1).admission())
    calls.start("a", replace(WISH, models=("a",)))
    calls.start("b", replace(WISH, models=("b",)))
    await settled()
    assert calls.names == ["a"]
    await calls.end("a")
    assert calls.names == ["a", "b"]
    await calls.end("b")


@in_virtual_time
async def test_a_model_that_is_held_up_holds_up_no_other() -> None:
    gate = _engine(most=8, limit=lambda: FixedLimit(1)).admission()
    calls = _Calls(gate)
    for name, model in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        calls.start(name, replace(WISH, models=(model,)))
    await settled()
    assert calls.names == ["a1", "b1"]
    gate.close()
    for name in ("a1", "b1"):
        await calls.end(name)


@in_virtual_time
async def test_who_leaves_lets_in_all_that_there_is_room_for() -> None:
    """As when the limit has grown meanwhile."""
    calls = _Calls(_engine(limit=lambda: FixedLimit(1)).admission())
    for name in range(4):
        calls.start(name)
    await settled()
    calls.gate.lanes("m")[0].limit = FixedLimit(3)
    await calls.end(0)
    assert calls.names == [0, 1, 2, 3]
    for name in (1, 2, 3):
        await calls.end(name)


@in_virtual_time
async def test_a_lane_has_room_again_while_an_answer_is_being_written_down() -> None:
    """But a kill never loses more completions than there may be permits."""
    gate = _engine(most=3, limit=lambda: FixedLimit(1)).admission()
    calls = _Calls(gate)
    for name in range(5):
        calls.start(name)
    await settled()
    for name in (0, 1, 2):
        assert calls.names == list(range(name + 1))
        gate.end(calls.permits[name])
        await settled()
    assert gate.held == 3
    assert gate.lanes("m")[0].in_flight == 0
    for name in range(5):
        await calls.end(name)
    assert gate.lanes("m")[0].in_flight == 0


# --- several keys ---


@in_virtual_time
async def test_the_key_with_the_most_room_goes_first() -> None:
    limits = iter([FixedLimit(2), FixedLimit(4)])
    calls = _Calls(_engine(2, limit=lambda: next(limits)).admission())
    for name in range(6):
        calls.start(name, seconds=1)
    await calls.all()
    assert calls.keys == [1, 2, 2, 1, 2, 2]


@in_virtual_time
async def test_rows_of_a_paused_key_go_by_another() -> None:
    gate = _engine(2, most=8).admission()
    gate.accounts[0].pause(0.0, 100.0)
    calls = _Calls(gate)
    for name in range(4):
        calls.start(name, seconds=1)
    await calls.all()
    assert calls.keys == [2] * 4
    assert calls.moments == [0.0] * 4


@in_virtual_time
async def test_a_pause_of_all_keys_is_waited_for_until_the_first_one_ends() -> None:
    gate = _engine(2).admission()
    gate.accounts[0].pause(0.0, 100.0)
    gate.accounts[1].pause(0.0, 40.0)
    calls = _Calls(gate)
    calls.start("row", seconds=1)
    await calls.all()
    assert (calls.moments, calls.keys) == ([40.0], [2])


@in_virtual_time
async def test_a_pause_holds_for_every_model_of_the_key() -> None:
    gate = _engine().admission()
    calls = _Calls(gate)
    calls.start("a", replace(WISH, models=("a",)), seconds=1)
    await calls.all()
    gate.accounts[0].pause(1.0, 10.0)
    calls.start("b", replace(WISH, models=("b",)), seconds=1)
    await calls.all()
    assert calls.moments == [0.0, 11.0]


@in_virtual_time
async def test_a_pause_that_is_made_longer_while_rows_wait_is_kept_in_full() -> None:
    gate = _engine().admission()
    gate.accounts[0].pause(0.0, 10.0)
    calls = _Calls(gate)
    calls.start("row", seconds=1)
    await asyncio.sleep(5)
    gate.accounts[0].pause(5.0, 20.0)
    await calls.all()
    assert calls.moments == [25.0]


@in_virtual_time
async def test_a_key_that_is_set_aside_makes_no_call_and_the_rows_that_wait_for_it_go_on() -> None:
    gate = _engine(2, limit=lambda: FixedLimit(1)).admission()
    calls = _Calls(gate)
    for name in range(4):
        calls.start(name)
    await settled()
    gate.accounts[0].set_aside = REFUSED
    gate.look_again()
    for name in (0, 1, 2, 3):
        await calls.end(name)
    assert calls.keys == [1, 2, 2, 2]


@in_virtual_time
async def test_a_lane_that_is_closed_is_left_to_the_other_models_of_its_key() -> None:
    gate = _engine(2).admission()
    gate.lanes("a")[0].closed = REFUSED
    calls = _Calls(gate)
    calls.start("a", replace(WISH, models=("a",)), seconds=1)
    calls.start("b", replace(WISH, models=("b",)), seconds=1)
    await calls.all()
    assert calls.keys == [2, 1]


# --- paces, and time that hardly passes ---


@in_virtual_time
async def test_an_interval_is_kept_between_two_calls() -> None:
    calls = _Calls(_engine(limit=lambda: FixedLimit(1, interval=2.0)).admission())
    for name in range(3):
        calls.start(name, seconds=0.5)
    await calls.all()
    assert calls.moments == [0.0, 2.0, 4.0]


@in_virtual_time
async def test_requests_a_minute_pace_the_calls() -> None:
    calls = _Calls(_engine(most=100, rpm=60).admission())
    for name in range(62):
        calls.start(name, seconds=0.1)
    await calls.all()
    assert calls.moments[0] == 0.0
    assert 60 <= calls.moments[-1] <= 63


@in_virtual_time
async def test_tokens_a_minute_take_what_a_call_may_use() -> None:
    """So many of its prompt, and as many as it asks for at most."""
    calls = _Calls(_engine(most=100, tpm=6000).admission())
    for name in range(9):
        calls.start(name, seconds=0.1)
    await calls.all()
    pauses = [after - before for before, after in pairwise(calls.moments[1:])]
    # 150 tokens at 100 a second, less the 1 % that no minute may exceed.
    assert all(1.5 <= pause <= 1.6 for pause in pauses)


@pytest.mark.parametrize("start", [0.0, 1e9])
@pytest.mark.parametrize("early", [0.0, 1e-9, 1e-6])
def test_waits_end_though_clocks_are_coarse_and_timers_wake_too_early(
    start: float, early: float
) -> None:
    """What rounding leaves of a wait is not waited for over and over."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(max(0.0, seconds - early))

    async def main() -> None:
        engine = _engine(
            rpm=77.7,
            tpm=12_345,
            limit=lambda: FixedLimit(1, interval=0.3),
            sleep=sleep,
            monotonic=lambda: start + virtual.monotonic(),
        )
        calls = _Calls(engine.admission())
        for name in range(40):
            calls.start(name, seconds=0.0)
        await calls.all()

    virtual.run(main())
    assert 20 < len(slept) < 200


@in_virtual_time
async def test_a_wait_that_turns_out_shorter_than_another_is_not_slept_through() -> None:
    gate = _engine(2).admission()
    gate.accounts[0].pause(0.0, 100.0)
    gate.lanes("a")[1].closed = REFUSED
    calls = _Calls(gate)
    calls.start("a", replace(WISH, models=("a",)), seconds=1)
    await settled()
    gate.accounts[1].pause(0.0, 7.0)
    calls.start("b", replace(WISH, models=("b",)), seconds=1)
    await calls.all()
    assert calls.begun == [("b", 7.0, 2), ("a", 100.0, 1)]


# --- outages ---


@in_virtual_time
async def test_in_an_outage_one_row_at_a_time_asks_and_it_is_one_that_failed_least() -> None:
    gate = _engine(most=8).admission()
    (lane,) = gate.lanes("m")
    _open(lane)
    calls = _Calls(gate)
    for name, tries in enumerate((3, 2, 1, 1)):
        calls.start(name, replace(WISH, tries=tries))
    await asyncio.sleep(4.9)
    assert calls.names == []
    await asyncio.sleep(0.2)
    assert calls.names == [2]
    await asyncio.sleep(500)
    assert calls.names == [2]
    _heard(calls.permits[2], Signal.FAILED)
    await calls.end(2)
    await asyncio.sleep(11)
    assert calls.names == [2, 3]
    gate.close()
    await calls.end(3)


@in_virtual_time
async def test_when_the_endpoint_is_back_all_that_wait_go() -> None:
    gate = _engine(most=8).admission()
    (lane,) = gate.lanes("m")
    _open(lane)
    calls = _Calls(gate)
    for name in range(6):
        calls.start(name)
    await asyncio.sleep(6)
    for name in range(3):
        assert calls.names == list(range(name + 1))
        _heard(calls.permits[name], Signal.ANSWERED)
        await calls.end(name)
    assert calls.names == list(range(6))
    for name in (3, 4, 5):
        await calls.end(name)


@in_virtual_time
async def test_a_row_on_its_last_chance_waits_until_the_endpoint_is_back() -> None:
    gate = _engine(most=8).admission()
    (lane,) = gate.lanes("m")
    _open(lane)
    calls = _Calls(gate)
    calls.start("spared", LAST_CHANCE, seconds=1)
    for name in range(3):
        calls.start(name)
    await asyncio.sleep(100)
    for name in range(3):
        _heard(calls.permits[name], Signal.ANSWERED)
        await calls.end(name)
    await calls.all()
    assert calls.names == [0, 1, 2, "spared"]


@in_virtual_time
async def test_a_row_that_may_ask_goes_ahead_of_those_that_may_not_whenever_it_comes() -> None:
    gate = _engine(most=8).admission()
    (lane,) = gate.lanes("m")
    calls = _Calls(gate)
    calls.start("before", seconds=1)
    await calls.all()
    _open(lane)
    calls.start("spared", LAST_CHANCE)
    await asyncio.sleep(30)
    calls.start("fit")
    await settled()
    assert calls.names == ["before", "fit"]
    gate.close()
    await calls.end("fit")


@in_virtual_time
async def test_a_row_on_its_last_chance_goes_by_a_key_that_gets_through() -> None:
    gate = _engine(2, most=8).admission()
    _open(gate.lanes("m")[0])
    calls = _Calls(gate)
    await asyncio.sleep(10)
    calls.start("busy", LAST_CHANCE, seconds=50)
    calls.start("spared", LAST_CHANCE, seconds=1)
    await calls.all()
    assert (calls.keys, calls.moments) == ([2, 2], [10.0, 10.0])


@in_virtual_time
async def test_where_no_row_may_ask_any_more_the_run_ends_once_none_can_come_back() -> None:
    engine = _engine(most=8)
    gate = engine.admission()
    (lane,) = gate.lanes("m")
    calls = _Calls(gate)
    calls.start("lost", seconds=1)
    await calls.all()
    _open(lane)
    calls.start("spared", LAST_CHANCE)
    await asyncio.sleep(MAX_BACKOFF_S - 1)
    assert engine.halts == []
    with pytest.raises(RunStoppedError):
        await calls.tasks["spared"]
    (halt,) = engine.halts
    assert halt.exit_code == 75
    assert "down" in halt.reason
    assert virtual.monotonic() == pytest.approx(1 + MAX_BACKOFF_S)


@in_virtual_time
async def test_where_no_row_may_ask_but_another_key_is_only_paused_its_end_is_waited_for() -> None:
    engine = _engine(2, most=8)
    gate = engine.admission()
    _open(gate.lanes("m")[0])
    gate.accounts[1].pause(0.0, 500.0)
    calls = _Calls(gate)
    calls.start("spared", LAST_CHANCE, seconds=1)
    await calls.all()
    assert calls.begun == [("spared", 500.0, 2)]
    assert engine.halts == []


@in_virtual_time
async def test_while_another_call_is_in_flight_its_row_may_still_come_to_ask() -> None:
    engine = _engine(most=8)
    gate = engine.admission()
    calls = _Calls(gate)
    calls.start("slow")
    await settled()
    _open(gate.lanes("m")[0])
    calls.start("spared", LAST_CHANCE)
    await asyncio.sleep(1000)
    await calls.end("slow")
    await asyncio.sleep(MAX_BACKOFF_S - 1)
    assert engine.halts == []
    calls.start("slow", replace(WISH, tries=1))
    await settled()
    assert calls.names == ["slow", "slow"]
    gate.close()
    await calls.end("slow")


@in_virtual_time
async def test_the_next_model_is_asked_while_the_endpoint_is_down_for_the_first() -> None:
    gate = _engine(most=8).admission()
    either = replace(WISH, models=("a", "b"))
    calls = _Calls(gate)
    calls.start(0, either, seconds=1)
    await calls.all()
    _open(gate.lanes("a")[0])
    for name in (1, 2):
        calls.start(name, either, seconds=1)
    calls.start("a only", replace(WISH, models=("a",)))
    await asyncio.sleep(3)
    assert [calls.permits[name].lane.model for name in (0, 1, 2)] == ["a", "b", "b"]
    assert "a only" not in calls.names
    # It is still asked from time to time whether the first is back.
    await asyncio.sleep(3)
    assert calls.names[-1] == "a only"
    gate.close()
    await calls.end("a only")


@in_virtual_time
async def test_a_model_whose_keys_are_only_paused_or_full_is_waited_for() -> None:
    gate = _engine(most=8, limit=lambda: FixedLimit(1)).admission()
    either = replace(WISH, models=("a", "b"))
    calls = _Calls(gate)
    for name in range(3):
        calls.start(name, either, seconds=1)
    await calls.all()
    assert {permit.lane.model for permit in calls.permits.values()} == {"a"}
    assert calls.moments == [0.0, 1.0, 2.0]


# --- ceilings ---


@in_virtual_time
async def test_a_worst_case_is_reserved_before_the_call_and_settled_after_it() -> None:
    ceiling = _ceiling(100)
    calls = _Calls(_engine(spending=Spending(cost=ceiling)).admission())
    calls.start(0, replace(WISH, worst=Bill(0, 30)))
    await settled()
    assert (ceiling.reserved, ceiling.spent) == (30, 0)
    await calls.end(0, spent=Bill(0, 12))
    assert (ceiling.reserved, ceiling.spent) == (0, 12)


@in_virtual_time
async def test_a_call_that_nobody_reports_of_counts_as_its_worst_case() -> None:
    ceiling = _ceiling(100)
    calls = _Calls(_engine(spending=Spending(tokens=ceiling)).admission())
    calls.start(0, replace(WISH, worst=Bill(30, 0)))
    await settled()
    await calls.end(0)
    assert (ceiling.reserved, ceiling.spent) == (0, 30)


@in_virtual_time
async def test_rows_wait_at_a_ceiling_while_calls_in_flight_may_free_something() -> None:
    engine = _engine(spending=Spending(cost=_ceiling(100)))
    calls = _Calls(engine.admission())
    for name in range(4):
        calls.start(name, replace(WISH, worst=Bill(0, 40)))
    await settled()
    assert calls.names == [0, 1]
    await calls.end(0, spent=Bill(0, 10))
    assert calls.names == [0, 1, 2]
    assert engine.halts == []
    await calls.end(1, spent=Bill(0, 40))
    assert calls.names == [0, 1, 2]
    await calls.end(2, spent=Bill(0, 40))
    with pytest.raises(RunStoppedError):
        await calls.tasks[3]
    assert engine.halts == [Halt("100 is reached", ceiling=True)]


@given(
    most=st.integers(0, 200),
    rows=st.lists(st.tuples(st.integers(0, 60), st.floats(0, 1)), max_size=20),
)
def test_no_ceiling_is_ever_exceeded_and_nobody_waits_at_one_for_ever(
    most: int, rows: list[tuple[int, float]]
) -> None:
    async def main() -> None:
        ceiling = _ceiling(most)
        gate = _engine(most=4, spending=Spending(tokens=ceiling)).admission()

        async def call(worst: int, share: float) -> bool:
            async with gate.admitted(replace(WISH, worst=Bill(worst, 0))) as permit:
                await asyncio.sleep(share)
                assert ceiling.spent + ceiling.reserved <= most
                permit.spent = Bill(int(worst * share), 0)
            return True

        ended = await asyncio.gather(*(call(*row) for row in rows), return_exceptions=True)
        assert all(end is True or isinstance(end, RunStoppedError) for end in ended)
        assert ceiling.reserved == 0
        assert gate.held == 0

    virtual.run(main())


# --- who is cancelled ---


@in_virtual_time
async def test_one_who_is_cancelled_while_waiting_takes_no_permit_along() -> None:
    gate = _engine(most=1).admission()
    calls = _Calls(gate)
    for name in range(3):
        calls.start(name)
    await settled()
    calls.tasks[1].cancel()
    await settled()
    assert gate.held == 1
    await calls.end(0)
    await calls.end(2)
    assert calls.names == [0, 2]
    assert gate.held == 0


@in_virtual_time
async def test_one_who_is_cancelled_just_as_the_permit_comes_gives_it_back_unspent() -> None:
    ceiling = _ceiling(100)
    gate = _engine(most=1, spending=Spending(tokens=ceiling)).admission()
    calls = _Calls(gate)
    for name in range(3):
        calls.start(name, replace(WISH, worst=Bill(10, 0)))
    await settled()
    calls.permits[0].spent = NOTHING
    calls.ends[0].set()
    # The next turn ends the call and grants its place; the one after would begin the next call.
    calls.tasks[1].get_loop().call_soon(calls.tasks[1].cancel)
    await settled()
    assert calls.tasks[1].cancelled()
    assert calls.names == [0, 2]
    assert (gate.held, ceiling.reserved, ceiling.spent) == (1, 10, 0)
    await calls.end(2)
    assert gate.held == 0


@in_virtual_time
async def test_all_can_be_cancelled_at_once_whoever_is_first() -> None:
    gate = _engine(most=1).admission()
    calls = _Calls(gate)
    for name in range(4):
        calls.start(name)
    await settled()
    for task in calls.tasks.values():
        task.cancel()
    ended = await asyncio.gather(*calls.tasks.values(), return_exceptions=True)
    assert [type(end) for end in ended] == [asyncio.CancelledError] * 4
    assert gate.held == 0


@in_virtual_time
async def test_a_row_that_needs_less_goes_on_when_the_one_before_it_is_cancelled() -> None:
    engine = _engine(most=8, spending=Spending(tokens=_ceiling(100)))
    calls = _Calls(engine.admission())
    for name, tokens in enumerate((60, 60, 30)):
        calls.start(name, replace(WISH, worst=Bill(tokens, 0)))
    await settled()
    assert calls.names == [0]
    calls.tasks[1].cancel()
    await settled()
    assert calls.names == [0, 2]
    for name in (0, 2):
        await calls.end(name)


@in_virtual_time
async def test_a_probe_that_is_cancelled_is_followed_by_another() -> None:
    gate = _engine(most=8).admission()
    _open(gate.lanes("m")[0])
    calls = _Calls(gate)
    for name in range(2):
        calls.start(name)
    await asyncio.sleep(10)
    assert calls.names == [0]
    calls.tasks[0].cancel()
    await settled()
    assert calls.names == [0, 1]
    gate.close()
    await calls.end(1)


@in_virtual_time
async def test_a_probe_that_is_cancelled_before_it_begins_is_followed_by_another() -> None:
    gate = _engine(most=8).admission()
    (lane,) = gate.lanes("m")
    _open(lane)
    calls = _Calls(gate)
    for name in range(2):
        calls.start(name)
    await asyncio.sleep(4)
    loop = asyncio.get_running_loop()
    loop.call_later(0.5, lambda: setattr(lane.breaker, "_next_probe", 4.5))
    loop.call_later(0.5, gate.look_again)
    loop.call_later(0.5, calls.tasks[0].cancel)
    await asyncio.sleep(1)
    assert calls.names == [1]
    gate.close()
    await calls.end(1)


@in_virtual_time
async def test_a_call_from_before_the_outage_that_is_cancelled_leaves_the_probe_alone() -> None:
    gate = _engine(most=8).admission()
    (lane,) = gate.lanes("m")
    calls = _Calls(gate)
    calls.start("before")
    await settled()
    _open(lane)
    for name in range(2):
        calls.start(name)
    await asyncio.sleep(10)
    calls.tasks["before"].cancel()
    await asyncio.sleep(100)
    assert calls.names == ["before", 0]
    gate.close()
    await calls.end(0)


@in_virtual_time
async def test_a_probe_that_was_heard_and_is_still_being_written_down_lets_the_next_one_be() -> (
    None
):
    gate = _engine(most=8).admission()
    _open(gate.lanes("m")[0])
    calls = _Calls(gate)
    for name in range(3):
        calls.start(name)
    await asyncio.sleep(10)
    _heard(calls.permits[0], Signal.ANSWERED)
    gate.look_again()
    await settled()
    assert calls.names == [0, 1]
    await calls.end(0)
    assert calls.names == [0, 1]
    gate.close()
    await calls.end(1)


# --- the end ---


@in_virtual_time
async def test_at_the_end_those_who_wait_leave_and_no_timer_is_left() -> None:
    gate = _engine(most=8).admission()
    calls = _Calls(gate)
    calls.start("in flight")
    await settled()
    gate.accounts[0].pause(0.0, 1000.0)
    calls.start("waiting")
    await settled()
    gate.accounts[0].paused_until = 500.0
    gate.look_again()
    await settled()
    gate.close()
    with pytest.raises(RunStoppedError):
        await calls.tasks["waiting"]
    calls.start("late")
    with pytest.raises(RunStoppedError):
        await calls.tasks["late"]
    await calls.end("in flight")
    assert calls.names == ["in flight"]
    assert gate.held == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@in_virtual_time
async def test_a_ceiling_that_ends_the_run_leaves_no_timer_for_another_model() -> None:
    engine = _engine(spending=Spending(cost=_ceiling(10)))
    gate = engine.admission()
    gate.lanes("a")[0].requests.given = gate.lanes("a")[0].requests.per_minute = 0.1
    gate.lanes("a")[0].requests.take(0.0, 1)
    calls = _Calls(gate)
    calls.start("a", replace(WISH, models=("a",)))
    calls.start("b", replace(WISH, models=("b",), worst=Bill(0, 11)))
    ended = await asyncio.gather(*calls.tasks.values(), return_exceptions=True)
    assert [type(end) for end in ended] == [RunStoppedError] * 2
    await settled()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@in_virtual_time
async def test_one_who_is_cancelled_just_as_the_run_ends_is_cancelled_nevertheless() -> None:
    gate = _engine(most=1).admission()
    calls = _Calls(gate)
    for name in range(2):
        calls.start(name)
    await settled()
    gate.close()
    calls.tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await calls.tasks[1]
    await calls.end(0)


@in_virtual_time
async def test_an_end_says_why_once_and_lets_nobody_through() -> None:
    engine = _engine()
    gate = engine.admission()
    gate.halt(Halt("enough"))
    with pytest.raises(RunStoppedError):
        async with gate.admitted(WISH):
            pytest.fail("the run is over")
    assert engine.halts == [Halt("enough")]


# --- what is in flight takes room, and calls are not begun all at once ---


@in_virtual_time
async def test_calls_are_as_many_as_their_answers_have_room_for() -> None:
    """Not known before the first answers; and a call that brought none takes none."""
    gate = _engine(most=50).admission()
    gate.room = Room(100)
    calls = _Calls(gate)

    async def call(name: int) -> None:
        async with gate.admitted(WISH) as permit:
            permit.attempt = str(name)
            calls.most = max(calls.most, gate.held)
            await asyncio.sleep(1)
            gate.room.hold(str(name), 25)

    await asyncio.gather(*map(call, range(50)))
    assert calls.most == 50
    calls.most = 0
    await asyncio.gather(*map(call, range(50, 200)))
    assert calls.most == 4
    await _begin(gate, 10).all()
    assert gate.room.calls == 4


@in_virtual_time
async def test_in_one_turn_of_the_loop_only_so_many_calls_begin() -> None:
    gate = _engine(most=300).admission()
    calls = _begin(gate, 300)
    begun = []
    while len(calls.begun) < 300:
        await asyncio.sleep(0)
        begun.append(len(calls.begun))
    assert max(later - earlier for earlier, later in pairwise([0, *begun])) == BURST
    await calls.all()


# --- what may fail around it ---


def _begin(gate: Admission, calls: int) -> _Calls:
    """Begin so many calls, of a nano each at worst."""
    begun = _Calls(gate)
    for name in range(calls):
        begun.start(name, replace(WISH, worst=Bill(0, 1)), seconds=1.0)
    return begun


@in_virtual_time
async def test_how_many_calls_there_may_be_is_asked_before_there_are_more() -> None:
    gate = _engine(most=100).admission()
    asked: list[tuple[int, int, int]] = []

    def widen(calls: int, soon: int) -> bool:
        asked.append((gate.held, calls, calls + soon))
        return True

    gate.widen = widen
    await _begin(gate, 100).all()
    assert all(calls == held + 1 for held, calls, _ in asked)
    assert [soon for _, _, soon in asked[:12]] == [16] * 8 + [18, 20, 22, 24]
    assert asked[-1] == (99, 100, 100)


@pytest.mark.parametrize("what", ["calls", "cost"])
@in_virtual_time
async def test_calls_wait_until_what_they_may_take_is_put_down_and_the_loop_does_not(
    what: str,
) -> None:
    """A disk that takes 5 s for each write: whoever comes first goes with what came before."""
    written: list[tuple[float, int]] = []

    async def write(amount: int) -> None:
        await asyncio.sleep(5.0)
        written.append((virtual.monotonic(), amount))

    def look_again() -> None:
        gate.look_again()

    put_down = Ahead(0, write, look_again)
    spending = Spending(cost=_ceiling(200, put_down) if what == "cost" else None)
    gate = _engine(most=200, spending=spending).admission()
    if what == "calls":
        gate.widen = put_down.covers
    calls = _begin(gate, 100)
    await calls.all()
    assert len(calls.names) == 100
    for number, moment in enumerate(calls.moments, 1):
        by_then = [amount for done, amount in written if done <= moment + 0.01]
        # Each call's worst case is a nano; and those that ended stay counted as spent.
        needed = (
            number if what == "cost" else sum(moment - 1 < one for one in calls.moments[:number])
        )
        assert max(by_then) >= needed


async def _failed(*_: object) -> None:
    raise StorageError("disk")


@pytest.mark.parametrize(
    ("what", "paused"),
    [("widen", 0.0), ("widen", 5.0), ("cost", 0.0), ("cost", 5.0), ("sleep", 5.0)],
)
def test_what_cannot_be_written_down_or_waited_for_is_raised_by_those_who_wait(
    what: str, paused: float
) -> None:
    """Also where only a timer is there to notice; nobody waits on in vain."""

    async def main() -> None:
        def look_again() -> None:
            gate.look_again()

        broken = Ahead(0, _failed, look_again)
        ceiling = _ceiling(100, broken if what == "cost" else None)
        engine = _engine(spending=Spending(cost=ceiling))
        if what == "sleep":
            engine.sleep = _failed
        gate = engine.admission()
        if what == "widen":
            gate.widen = broken.covers
        gate.accounts[0].pause(0.0, paused)
        calls = _Calls(gate)
        for name in range(2):
            calls.start(name, replace(WISH, worst=Bill(0, 1)))
        ended = await asyncio.gather(*calls.tasks.values(), return_exceptions=True)
        assert [type(end) for end in ended] == [StorageError] * 2
        assert gate.held == 0

    virtual.run(main())


@in_virtual_time
async def test_a_timer_that_is_cancelled_from_outside_starts_nothing_anew() -> None:
    """As when the loop ends, which cancels all there is."""
    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(context))
    gate = _engine().admission()
    gate.accounts[0].pause(0.0, 5.0)
    calls = _Calls(gate)
    calls.start("row")
    await settled()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await settled()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert said == []


# --- what is shown ---


@in_virtual_time
async def test_rows_at_hand_are_twice_the_calls_but_not_few() -> None:
    gate = _engine(most=8).admission()
    assert gate.width == LEAST_ROWS
    gate.lanes("m")
    assert gate.width == LEAST_ROWS


@pytest.mark.parametrize(
    ("keys", "limit", "calls", "width"),
    [(1, 200, 900, 400), (3, 200, 900, 1200), (3, 200, 200, 400)],
)
def test_rows_at_hand_follow_the_limits_of_the_keys_up_to_the_calls(
    keys: int, limit: int, calls: int, width: int
) -> None:
    gate = _engine(keys, most=calls, limit=lambda: FixedLimit(limit)).admission()
    gate.lanes("m")
    assert gate.width == width


@in_virtual_time
async def test_a_key_that_is_set_aside_brings_no_rows() -> None:
    gate = _engine(2, most=500, limit=lambda: FixedLimit(200)).admission()
    gate.lanes("m")
    gate.accounts[0].set_aside = REFUSED
    assert gate.width == 400


@in_virtual_time
async def test_each_failed_probe_lets_one_more_row_in() -> None:
    gate = _engine().admission()
    (lane,) = gate.lanes("m")
    _open(lane)
    for _ in range(3):
        lane.breaker.heard(virtual.monotonic(), Signal.FAILED, began=0.0, probe=True)
    assert gate.width == LEAST_ROWS + 3


@in_virtual_time
async def test_the_flow_says_how_many_calls_there_are_and_may_be() -> None:
    gate = _engine(2, most=10, limit=lambda: FixedLimit(4)).admission()
    assert (gate.flow().in_flight, gate.flow().limit, gate.flow().waiting) == (0, 0, None)
    calls = _Calls(gate)
    calls.start(0)
    await settled()
    assert (gate.flow().in_flight, gate.flow().limit, gate.flow().waiting) == (1, 8, None)
    await calls.end(0)
    gate.calls = 5
    assert gate.flow().limit == 5


@in_virtual_time
async def test_the_flow_says_that_the_endpoint_is_down_and_when_it_is_asked_next() -> None:
    gate = _engine().admission()
    (lane,) = gate.lanes("m")
    _open(lane)
    await asyncio.sleep(2)
    assert gate.flow().waiting == "endpoint down for 2 s, next probe in 3 s"
    lane.breaker.granted()
    assert gate.flow().waiting == "endpoint down for 2 s, probing"


@in_virtual_time
async def test_no_probe_is_announced_while_calls_that_hang_fill_the_limit() -> None:
    gate = _engine(limit=lambda: FixedLimit(1)).admission()
    (lane,) = gate.lanes("m")
    lane.admit(0.0, 0)
    _open(lane)
    assert gate.flow().waiting == "endpoint down for 0 s, probing"


@in_virtual_time
async def test_the_flow_says_that_the_provider_asked_for_a_pause() -> None:
    gate = _engine(2).admission()
    gate.lanes("m")
    gate.accounts[0].pause(0.0, 7200.0)
    assert gate.flow().waiting is None
    gate.accounts[1].pause(0.0, 7200.0)
    assert gate.flow().waiting == "paused by the provider for another 2 h"


# --- nobody waits for ever ---

Trouble = Callable[[Admission], None]


def _pausing(key: int, seconds: float) -> Trouble:
    def trouble(gate: Admission) -> None:
        gate.accounts[key].pause(virtual.monotonic(), seconds)

    return trouble


def _setting_aside(key: int) -> Trouble:
    def trouble(gate: Admission) -> None:
        # Not the last one: then the run would end.
        if all(account.set_aside is None for account in gate.accounts):
            gate.accounts[key].set_aside = REFUSED
            gate.look_again()

    return trouble


troubles = st.one_of(
    st.builds(_pausing, st.integers(0, 1), st.floats(0, 100)),
    st.builds(_setting_aside, st.integers(0, 1)),
)
signals = st.sampled_from([*Signal] + [Signal.ANSWERED] * 3)
models = st.sampled_from([("a",), ("b",), ("a", "b")])
usages = st.builds(Usage, st.integers(0, 300), st.integers(0, 300))


@dataclass(frozen=True)
class _Row:
    wanted: tuple[str, ...]
    comes: float
    seconds: float
    signals: Sequence[Signal]
    worst: int


rows = st.builds(
    _Row, models, st.floats(0, 60), st.floats(0, 20), st.lists(signals, max_size=6), st.just(5)
)


@given(
    st.lists(rows, max_size=24),
    st.lists(st.tuples(st.floats(0, 100), troubles), max_size=4),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from([None, 30.0]),
    st.sampled_from([0.0, 1.5]),
)
def test_whatever_happens_nobody_waits_for_ever_and_nothing_leaks(
    rows: list[_Row],
    troubles: list[tuple[float, Trouble]],
    calls: int,
    limit: int,
    rpm: float | None,
    interval: float,
) -> None:
    """A loop in virtual time notices at once when nothing can go on."""

    async def main() -> None:
        ceiling = _ceiling(10_000)
        gate = _engine(
            2,
            most=calls,
            limit=lambda: FixedLimit(limit, interval),
            rpm=rpm,
            spending=Spending(tokens=ceiling),
        ).admission()

        async def once(row: _Row, tries: int, signal: Signal) -> None:
            wish = Wish(row.wanted, 10, 10, Bill(row.worst, 0), tries, last_chance=tries > 2)
            async with gate.admitted(wish) as permit:
                assert gate.held <= calls
                await asyncio.sleep(row.seconds)
                permit.judged = True
                now = virtual.monotonic()
                if signal is Signal.ANSWERED:
                    permit.lane.answered(now, permit.way, 20)
                else:
                    permit.lane.failed(now, permit.way, signal, telling=True)

        async def settle(row: _Row) -> None:
            await asyncio.sleep(row.comes)
            for tries, signal in enumerate([*row.signals, Signal.ANSWERED]):
                await once(row, tries, signal)
                await asyncio.sleep(1.0)

        async def befall(after: float, trouble: Trouble) -> None:
            await asyncio.sleep(after)
            trouble(gate)

        everything: list[Coroutine[Any, Any, None]] = [settle(row) for row in rows]
        everything += [befall(*trouble) for trouble in troubles]
        ended = await asyncio.gather(*everything, return_exceptions=True)
        assert all(end is None or isinstance(end, RunStoppedError) for end in ended)
        assert gate.held == 0
        assert ceiling.reserved == 0
        assert all(lane.in_flight == 0 for lanes in gate.by_model() for lane in lanes)

    virtual.run(main())


@in_virtual_time
async def test_a_thousand_rows_that_wait_cost_no_more_for_each_than_a_hundred() -> None:
    looks: list[int] = []
    for rows in (100, 1000):
        read = 0

        def monotonic() -> float:
            nonlocal read
            read += 1
            return virtual.monotonic()

        calls = _Calls(_engine(most=10, monotonic=monotonic).admission())
        for name in range(rows):
            calls.start(name, seconds=1)
        await calls.all()
        looks.append(read // rows)
    assert looks[1] <= looks[0]
