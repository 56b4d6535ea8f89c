"""From a ledger to figures."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import count

import pytest

from batcher.simulator import LedgerEntry, SimulatorConfig
from benchmarks.figures import Figures, figures
from benchmarks.scenarios import EXHAUSTED, Scenario

BEGAN = 1000.0
SCENARIO = Scenario("", 40, SimulatorConfig(limits={"*": 2}))
ROWS = list(SCENARIO.answer_s)
numbers = count(1)


def call(
    row: int, since: float, until: float | None, status: int | None = 200, code: str | None = None
) -> LedgerEntry:
    """Return a call for a row, with its times from the start of the server."""
    return LedgerEntry(
        server="s",
        seq=next(numbers),
        arrived_at=BEGAN + since,
        in_flight=1,
        prompt_key=ROWS[row],
        finished_at=None if until is None else BEGAN + until,
        status=status,
        code=code,
    )


refused = partial(call, status=429, code="1302")


def found(
    entries: Iterable[LedgerEntry], scenario: Scenario = SCENARIO, answered: int = 40
) -> Figures:
    return figures(scenario, list(entries), BEGAN, 9.0, answered)


def both_places(seconds: int, since: int = 0) -> list[LedgerEntry]:
    """Return calls of a second that keep both places busy for so long."""
    return [call(n, since + n // 2, since + n // 2 + 1) for n in range(2 * seconds)]


def test_calls_without_an_answer_and_second_answers_are_wasted() -> None:
    entries = [
        call(0, 0, 1),
        call(0, 1, 2),
        call(1, 1, 1, 500),
        call(1, 2, 3),
        call(2, 2, None, None),
    ]
    assert (found(entries).calls, found(entries).wasted) == (5, 3)


def test_rows_that_the_output_lacks_are_dead() -> None:
    assert found(both_places(20), answered=33).dead == 7


def test_a_server_whose_places_are_always_taken_is_used_wholly() -> None:
    assert found(both_places(20)).use == pytest.approx(1)


def test_one_place_of_two_is_half_of_them() -> None:
    assert found([call(n, n, n + 1) for n in range(40)]).use == pytest.approx(0.5)


def test_a_server_that_was_never_full_has_no_end_of_its_ramp_up() -> None:
    assert found([call(n, n, n + 1) for n in range(40)]).ramp_up_s is None


def test_use_counts_from_the_end_of_the_ramp_up() -> None:
    """One place for 8 s, then both: full at 8 s, and a mean answer later all refusals are in."""
    slow = [call(30 + n, n, n + 1) for n in range(8)]
    result = found(slow + both_places(10, since=8))
    assert result.ramp_up_s == pytest.approx(9)
    assert result.use == pytest.approx(1)


def test_the_last_rows_count_for_nothing() -> None:
    result = found([*both_places(15), call(30, 15, 115)])
    assert result.use == pytest.approx(1)


def test_refusals_take_no_place() -> None:
    entries = [call(n, n, n + 1) for n in range(40)] + [refused(0, n, n + 1) for n in range(40)]
    assert found(entries).use == pytest.approx(0.5)
    assert found(entries).refused == 0.5


def test_refusals_of_the_ramp_up_are_told_from_later_ones() -> None:
    entries = [*both_places(20), *(refused(0, 0.5, 0.5) for _ in range(10)), refused(0, 9, 9)]
    result = found(entries)
    assert result.refused == pytest.approx(11 / 51)
    assert result.refused_later == pytest.approx(1 / 39)


def test_what_waits_in_a_queue_uses_nothing_and_is_slower() -> None:
    scenario = Scenario("", 40, SimulatorConfig(limits={}, queue=2, latency_s=0.2))
    quick = [(n, scenario.answer_s[row]) for n, row in enumerate(ROWS)]
    entries = [call(n, n / 10, n / 10 + 3 * seconds) for n, seconds in quick]
    result = found(entries, scenario)
    assert result.use <= 1
    assert result.slowdown == pytest.approx(3)


def test_a_place_that_an_empty_key_took_away_is_not_missed() -> None:
    """Of two keys with two places one is empty from 4 s on."""
    scenario = Scenario("", 40, SimulatorConfig(limits={"*": 2}), keys=2)
    four = [call(n, n // 4, n // 4 + 1) for n in range(16)]
    empty = call(39, 4, 4, 429, EXHAUSTED)
    two = [call(16 + n, 4 + n // 2, 5 + n // 2) for n in range(22)]
    assert found([*four, empty, *two], scenario).use == pytest.approx(1)


def test_a_rate_is_used_by_the_calls_that_it_lets_through() -> None:
    """Sixty a minute are let through, and every second call of it is made."""
    scenario = Scenario("", 40, SimulatorConfig(limits={}, rpm=60))
    result = found([call(n, 2 * n, 2 * n + 0.5) for n in range(40)], scenario)
    assert result.use == pytest.approx(0.5, rel=0.05)
    assert result.ramp_up_s is None


def test_a_client_that_got_nothing_has_figures_all_the_same() -> None:
    result = found([refused(n, n, n) for n in range(3)], answered=0)
    assert (result.calls, result.wasted, result.refused, result.dead) == (3, 3, 1.0, 40)
    assert (result.use, result.slowdown, result.ramp_up_s) == (0, 0, None)
    assert found([], answered=0).calls == 0


def test_a_rate_that_is_kept_to_the_call_is_not_behind() -> None:
    scenario = Scenario("", 40, SimulatorConfig(limits={}, rpm=60))
    steady = found([call(n, n, n + 0.5) for n in range(40)], scenario)
    assert steady.behind == pytest.approx(0, abs=1 / 30)


def test_time_above_the_ideal_counts_from_10_s_on() -> None:
    """Of 40 calls 10 come at once; from then on only every second one that might is made."""
    scenario = Scenario("", 40, SimulatorConfig(limits={}, rpm=60))
    burst = [call(n, 0, 0.5) for n in range(10)]
    half = [call(10 + n, 10 + 2 * n, 10.5 + 2 * n) for n in range(30)]
    assert found([*burst, *half], scenario).behind == pytest.approx(1, abs=0.1)


def test_who_was_ready_within_10_s_or_met_no_rate_was_behind_nothing() -> None:
    scenario = Scenario("", 40, SimulatorConfig(limits={}, rpm=60))
    assert found([call(n, 0, 0.5) for n in range(40)], scenario).behind is None
    assert found([], scenario).behind is None
    assert found(both_places(20)).behind is None
