"""The faults the simulator shows, and the dice that choose them."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.simulator import faults as room
from batcher.simulator.chances import draw_chances
from batcher.simulator.codes import CODES
from batcher.simulator.faults import KNOWN_FAULTS, FaultDice, parse_fault

RATES = {"500": 0.3, "timeout": 0.2, "1302": 0.1}


def draw(dice: FaultDice, row: str, seed: int = 0) -> str | None:
    return dice.draw(row, draw_chances(seed, row))


def test_every_code_is_a_fault_and_each_fault_has_a_sentence() -> None:
    assert set(CODES) <= set(KNOWN_FAULTS)
    assert all(KNOWN_FAULTS.values())
    assert "1113" not in room._BEHAVIOURS
    assert KNOWN_FAULTS["1113"].startswith("HTTP 429 with code 1113: Insufficient balance")


@pytest.mark.parametrize(
    ("text", "fault"),
    [("500=0.05", ("500", 0.05)), (" timeout = 1 ", ("timeout", 1.0)), ("1302=0", ("1302", 0.0))],
)
def test_a_fault_is_read_with_its_rate(text: str, fault: tuple[str, float]) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("timeuot=0.1", "did you mean `timeout`\\? Known are 500, 502,"),
        ("=1", "no fault is named ''. Known are"),
        ("500", "lacks a rate; write 500=0.05"),
        ("500=", "must be a number from 0 to 1"),
        ("500=5%", "rate of 500 is '5%'"),
        ("500=1.1", "from 0 to 1"),
        ("500=-1", "from 0 to 1"),
        ("500=nan", "from 0 to 1"),
    ],
)
def test_what_is_no_fault_with_a_rate_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_fault(text)


@given(
    arrivals=st.lists(st.sampled_from("abcdef"), max_size=40),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_what_a_row_meets_does_not_depend_on_the_order_of_arrival(
    arrivals: list[str], seed: int, data: st.DataObject
) -> None:
    def met(rows: list[str]) -> dict[str, list[str | None]]:
        dice = FaultDice(RATES, seed)
        seen: dict[str, list[str | None]] = defaultdict(list)
        for row in rows:
            seen[row].append(draw(dice, row, seed))
        return seen

    assert met(arrivals) == met(data.draw(st.permutations(arrivals)))


def test_other_seeds_meet_other_rows() -> None:
    def first(seed: int) -> list[str | None]:
        dice = FaultDice(RATES, seed)
        return [draw(dice, str(row), seed) for row in range(50)]

    assert first(1) != first(2)


def test_faults_come_about_as_often_as_asked_for() -> None:
    dice = FaultDice(RATES, 0)
    drawn = [draw(dice, str(row)) for row in range(4000)]
    for name, rate in RATES.items():
        assert drawn.count(name) / 4000 == pytest.approx(rate, abs=0.03)


def test_a_row_that_is_sent_again_meets_new_chances_and_gets_through() -> None:
    dice = FaultDice({"500": 0.9}, 0)
    assert any(draw(dice, "row") is None for _ in range(200))


def test_a_poisoned_row_is_poisoned_each_time_and_the_others_never() -> None:
    dice = FaultDice({"poison": 0.2}, 0)
    drawn = {str(row): {draw(dice, str(row)) for _ in range(5)} for row in range(100)}
    assert all(len(met) == 1 for met in drawn.values())
    assert 5 < sum(met == {"poison"} for met in drawn.values()) < 40


def test_a_rate_of_zero_never_happens() -> None:
    dice = FaultDice({"500": 0.0, "poison": 0.0}, 0)
    assert {draw(dice, str(row)) for row in range(100)} == {None}


def test_only_rows_that_met_a_fault_are_remembered_and_not_too_many() -> None:
    always, never = FaultDice({"500": 1.0}, 0), FaultDice({"500": 1e-9}, 0)
    for row in range(room._REMEMBERED + 50):
        draw(always, str(row))
        draw(never, str(row))
    assert len(always._met) == room._REMEMBERED
    assert str(room._REMEMBERED + 49) in always._met
    assert not never._met
