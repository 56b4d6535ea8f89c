"""Limits that are found out, and rates that are kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batcher.simulator import SimulatorConfig
from benchmarks.figures import Figures
from benchmarks.pacing import Trial, ratios, run, trials
from benchmarks.scenarios import Scenario

FOUND = Figures(
    seconds=30.0,
    calls=3030,
    wasted=30,
    refused=0.009,
    refused_later=0.001,
    ramp_up_s=2.5,
    use=0.97,
    slowdown=1.0,
    dead=0,
    behind=None,
)
LIMIT = Trial(Scenario("limit 40", 3000, SimulatorConfig(limits={"*": 40})))
RATE = Trial(Scenario("60 a minute", 100, SimulatorConfig(limits={}, rpm=60)))


def test_a_limit_has_two_goals_refusals_and_use() -> None:
    refused, used = ratios([LIMIT], [FOUND])
    assert (refused.what, refused.values, refused.verdict) == (
        "calls refused, limit 40",
        (0.009,),
        "met",
    )
    assert (used.what, used.values, used.verdict) == ("share used, limit 40", (0.97,), "met")
    assert refused.note == "3,000 rows; 0.10% after the ramp-up"
    assert used.note == "full after 2.5 s"


def test_a_limit_that_was_never_reached_says_so() -> None:
    _, used = ratios([LIMIT], [replace(FOUND, ramp_up_s=None)])
    assert used.note == "never full"


@pytest.mark.parametrize(
    ("behind", "verdict"), [(0.01, "met"), (0.03, "SHORT"), (None, "not measured")]
)
def test_a_rate_is_a_matter_of_time(behind: float | None, verdict: str) -> None:
    (pace,) = ratios([RATE], [replace(FOUND, behind=behind)])
    assert (pace.what, pace.verdict) == ("time above the ideal, 60 a minute", verdict)


@pytest.mark.parametrize("quick", [True, False])
def test_rows_of_a_rate_last_beyond_what_is_handed_out_at_the_start(*, quick: bool) -> None:
    """Those that wait take at least 20 s, of which the first 10 do not count."""
    paced = [trial.scenario for trial in trials(quick=quick) if trial.scenario.is_paced]
    assert len(paced) == 2
    for scenario in paced:
        burst = scenario.config.rpm if scenario.config.rate_headers else 0
        assert burst is not None
        assert (scenario.rows - burst) / 20 >= 20


def test_the_thousand_takes_a_full_run() -> None:
    assert [t.scenario.name for t in trials(quick=True)][:2] == ["limit 5", "limit 40"]
    assert "limit 1,000" in [t.scenario.name for t in trials(quick=False)]


def test_trials_are_real_runs_that_answer_every_row() -> None:
    tiny = Trial(Scenario("tiny", 12, SimulatorConfig(latency_s=0.01, limits={"*": 4})))
    (found,) = run([tiny])
    assert found.dead == 0
