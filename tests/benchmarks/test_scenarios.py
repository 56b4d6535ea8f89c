"""What is offered when, and what the best possible run would take."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from batcher.simulator import Change, Outage, SimulatorConfig, read_ledger
from batcher.simulator.service import serve
from benchmarks.scenarios import EXHAUSTED, MODEL, Scenario, Supply, scenarios

LIMITED = SimulatorConfig(latency_s=0.3, limits={"*": 4})


def work_s(scenario: Scenario) -> float:
    """Return what all answers take, one after the other."""
    return sum(scenario.answer_s.values())


def test_a_supply_is_what_its_latest_step_says() -> None:
    supply = Supply(((0.0, 40.0), (10.0, 0.0), (20.0, 20.0)))
    assert [supply.at(now) for now in (0, 9.9, 10, 19, 20, 1e9)] == [40, 40, 0, 0, 20, 20]


@pytest.mark.parametrize(
    ("work", "moment"), [(0, 0.0), (40, 1.0), (400, 10.0), (420, 21.0), (800, 40.0)]
)
def test_work_is_done_when_so_much_has_been_offered(work: float, moment: float) -> None:
    assert Supply(((0.0, 40.0), (10.0, 0.0), (20.0, 20.0))).when(work) == moment


def test_outages_and_changes_are_in_the_supply() -> None:
    config = replace(LIMITED, outages=(Outage(5.0, 2.0),), changes=(Change(6.0, 0.5),))
    supply = Scenario("", 1, config).supply()
    assert supply.steps == ((0.0, 4.0), (5.0, 0.0), (6.0, 0.0), (7.0, 2.0))


def test_an_exhausted_key_takes_its_places_away() -> None:
    assert Scenario("", 1, LIMITED, keys=3).supply(8.0).steps == ((0.0, 12.0), (8.0, 8.0))


def test_a_server_that_queues_offers_what_it_serves_at_once() -> None:
    assert Scenario("", 1, SimulatorConfig(limits={}, queue=7)).supply().at(0) == 7


def test_the_ideal_run_keeps_every_place_busy() -> None:
    scenario = Scenario("", 200, LIMITED)
    assert scenario.ideal_s == pytest.approx(work_s(scenario) / 4)


def test_no_run_is_shorter_than_its_longest_answer() -> None:
    scenario = Scenario("", 20, SimulatorConfig(limits={"*": 1000}))
    assert scenario.ideal_s == max(scenario.answer_s.values())


def test_the_ideal_run_of_a_rate_makes_its_calls_evenly() -> None:
    assert Scenario("", 50, SimulatorConfig(limits={}, rpm=600)).ideal_s == 5


def test_the_ideal_run_waits_an_outage_out() -> None:
    scenario = Scenario("", 200, LIMITED)
    down = Scenario("", 200, replace(LIMITED, outages=(Outage(1.0, 60.0),)))
    assert down.ideal_s == pytest.approx(scenario.ideal_s + 60)


def test_the_ideal_run_uses_a_key_until_it_is_exhausted() -> None:
    config = replace(LIMITED, key_faults={"key-2": (50, EXHAUSTED)})
    scenario = Scenario("", 200, config, keys=2)
    # One key answers 50 rows of average length, the other one the rest.
    assert scenario.ideal_s == pytest.approx(work_s(scenario) * 150 / 200 / 4)


async def test_rows_take_as_long_as_the_simulator_takes_for_them(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    scenario = Scenario("", 20, SimulatorConfig(latency_s=0.7, ledger=ledger))
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    async with serve(scenario.config, sleep=sleep) as simulator, aiohttp.ClientSession() as session:
        for prompt in scenario.prompts:
            body = {"model": MODEL, "messages": [{"role": "user", "content": prompt}]}
            headers = {"Authorization": f"Bearer {scenario.credentials[0]}"}
            url = f"{simulator.base_url}/chat/completions"
            async with session.post(url, json=body, headers=headers) as response:
                assert response.status == 200
    asked = [entry.prompt_key for entry in read_ledger(ledger)]
    assert dict(zip(asked, slept, strict=True)) == scenario.answer_s


@pytest.mark.parametrize("quick", [True, False])
def test_every_scenario_can_be_won(*, quick: bool) -> None:
    found = scenarios(quick=quick)
    assert len({scenario.name for scenario in found}) == len(found) == 9
    assert all(0 < scenario.ideal_s < 300 for scenario in found)
    assert all(len(scenario.answer_s) == scenario.rows for scenario in found)


@pytest.mark.parametrize("quick", [True, False])
def test_no_run_is_over_before_its_trouble_begins(*, quick: bool) -> None:
    for scenario in scenarios(quick=quick):
        begins = [trouble.start_s for trouble in scenario.config.outages]
        begins += [change.start_s for change in scenario.config.changes]
        assert all(begin < scenario.ideal_s for begin in begins)
