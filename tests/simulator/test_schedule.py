"""What changes while the simulator runs."""

from __future__ import annotations

import pytest

from batcher.simulator.schedule import Change, Outage, Schedule, parse_change, parse_outage

STARTED = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "outage"),
    [
        ("60+30", Outage(60, 30, "503")),
        ("0.5+1.5=timeout", Outage(0.5, 1.5, "timeout")),
        (" 0 + 60 = 1305 ", Outage(0, 60, "1305")),
    ],
)
def test_an_outage_is_read_with_its_fault(text: str, outage: Outage) -> None:
    assert parse_outage(text) == outage


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("60", "is no START\\+LENGTH"),
        ("60-30", "is no START\\+LENGTH"),
        ("a+b", "is no START\\+LENGTH"),
        ("60+30=", "no fault is named ''"),
        ("60+30=timeuot", "did you mean `timeout`"),
        ("6.0.1+30", "'6.0.1' in '6.0.1\\+30' is no number"),
        ("0+" + "9" * 400, "is no number"),
    ],
)
def test_what_is_no_outage_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_outage(text)


def test_a_change_is_read() -> None:
    assert parse_change("60=0.5") == Change(60, 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("60", "is no START=FACTOR"),
        ("60=-1", "is no START=FACTOR"),
        ("60=half", "is no START=FACTOR"),
        (".=1", "'.' in '.=1' is no number"),
    ],
)
def test_what_is_no_change_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_change(text)


def test_an_outage_lasts_from_its_start_to_its_end() -> None:
    schedule = Schedule([Outage(10, 5), Outage(12, 10, "timeout")], [], STARTED)
    elapsed = (9.9, 10.0, 12.0, 14.9, 15.0, 21.9, 22.0)
    assert [schedule.fault(STARTED + s) for s in elapsed] == [
        None,
        "503",
        "503",
        "503",
        "timeout",
        "timeout",
        None,
    ]


def test_without_a_plan_nothing_changes() -> None:
    schedule = Schedule([], [], STARTED)
    assert schedule.fault(STARTED) is None
    assert schedule.scaled(40, STARTED) == 40


def test_the_latest_change_holds_and_is_relative_to_the_beginning() -> None:
    schedule = Schedule([], [Change(90, 1), Change(60, 0.5)], STARTED)
    elapsed = (0, 59.9, 60, 89.9, 90)
    assert [schedule.scaled(40, STARTED + s) for s in elapsed] == [40, 40, 20, 20, 40]


def test_a_change_leaves_one_place_at_least() -> None:
    schedule = Schedule([], [Change(0, 0)], STARTED)
    assert schedule.scaled(40, STARTED) == 1
