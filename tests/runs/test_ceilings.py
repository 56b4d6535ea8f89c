"""Ceilings: what ends a run with rows pending, so that the same command goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batcher.checkpoint import SPENT_COST, SPENT_TOKENS, Checkpoint, CheckpointReader
from batcher.errors import ConfigurationError
from batcher.job import CeilingSpec, JobSpec, load_job
from batcher.providers import Pricing
from batcher.runs.ceilings import RATED_ROWS, Progress, check_ceilings, spent_at_most
from batcher.runs.result import RunResult
from tests.simulated import AT_ONCE, Place

ROWS = 40
PRICES = Pricing.of("glm", {})


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.write({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(ROWS))
    return place


def _job(place: Place, **ceilings: object) -> JobSpec:
    return place.job(
        provider={"model": "glm-4.7"},
        parameters={"max_tokens": 64},
        limits={"concurrency": 4},
        ceilings=ceilings,
    )


def _stopped(result: RunResult, option: str) -> int:
    """Return how many rows are pending of a run that was stopped by the ceiling of `option`."""
    assert result.halted is not None
    assert option in result.halted.reason
    assert result.halted.ceiling
    assert result.halted.exit_code == 75
    assert result.summary.ended == result.halted.reason
    assert result.summary.pending
    return result.summary.pending


def test_the_cost_of_a_run_stays_within_its_ceiling_and_a_higher_one_goes_on(place: Place) -> None:
    """reliability.md promise 10, over several processes."""
    pending, spent = ROWS, 0
    for ceiling in (8_000_000, 12_000_000):
        result = place.run(_job(place, max_cost=f"0.{ceiling // 1_000_000:03}CNY"))
        spent = result.summary.counts.cost
        assert 0 < spent <= ceiling
        left = _stopped(result, "--max-cost")
        assert left < pending
        pending = left
    assert place.run(_job(place, max_cost="5CNY")).summary.pending == 0
    assert len(place.ledger()) == ROWS


def test_a_reached_ceiling_makes_no_call(place: Place) -> None:
    place.run(_job(place, max_cost="0.008CNY"))
    calls = len(place.ledger())
    _stopped(place.run(_job(place, max_cost="0.008CNY")), "--max-cost")
    assert len(place.ledger()) == calls


def test_what_a_killed_process_may_have_spent_counts(place: Place) -> None:
    place.directory.create()
    with Checkpoint.open(place.directory.checkpoint) as checkpoint:
        checkpoint.remember(**{SPENT_COST: 4_999_999_999})
    assert _stopped(place.run(_job(place, max_cost="5CNY")), "--max-cost") == ROWS
    assert place.ledger() == []


def test_what_a_killed_process_may_have_spent_counts_beside_what_others_record(
    place: Place,
) -> None:
    place.directory.create()
    with Checkpoint.open(place.directory.checkpoint) as checkpoint:
        checkpoint.remember(**{SPENT_COST: 1_000_000, SPENT_TOKENS: 100})
    for _ in range(2):
        place.run(_job(place, max_rows=10))
    with CheckpointReader.read(place.directory.checkpoint) as reader:
        counts = reader.counts()
        spent = spent_at_most(counts, reader.fact)
    assert counts.cost > 1_000_000
    assert (spent.cost, spent.untold) == (counts.cost + 1_000_000, 1_000_000)
    assert spent.tokens == counts.tokens + 100
    _stopped(place.run(_job(place, max_cost=f"{spent.cost / 1e9:.9f}CNY")), "--max-cost")
    assert len(place.ledger()) == 20


def test_calls_without_an_answer_count_by_their_worst_case(place: Place) -> None:
    cut = replace(AT_ONCE, faults={"truncated": 1.0})
    worst = PRICES.worst_case(
        {
            "model": "glm-4.7",
            "messages": [{"role": "user", "content": "Say 10."}],
            "max_tokens": 64,
        }
    )
    assert worst is not None
    assert worst.cost is not None
    result = place.run(_job(place, max_cost=f"{worst.cost * 5.5 / 1e9:.9f}CNY"), cut)
    _stopped(result, "--max-cost")
    assert len(place.ledger()) == 5


def test_the_tokens_of_a_run_stay_within_their_ceiling(place: Place) -> None:
    result = place.run(_job(place, max_tokens_total=1000))
    counts = result.summary.counts
    _stopped(result, "--max-tokens-total")
    assert 0 < counts.prompt_tokens + counts.completion_tokens <= 1000


def test_rows_are_called_up_to_their_number_and_the_next_start_calls_the_next(
    place: Place,
) -> None:
    assert _stopped(place.run(_job(place, max_rows=15)), "--max-rows") == 25
    assert _stopped(place.run(_job(place, max_rows=15)), "--max-rows") == 10
    result = place.run(_job(place, max_rows=15))
    assert (result.halted, result.summary.pending) == (None, 0)


def test_more_error_rows_than_allowed_stop_the_run(place: Place) -> None:
    refusing = replace(AT_ONCE, faults={"1301": 1.0})
    result = place.run(_job(place, max_errors=5), refusing)
    _stopped(result, "--max-errors")
    # Those in flight end as well.
    assert 6 <= result.summary.counts.error_rows <= 6 + 4 + 4


def test_a_ceiling_that_the_last_row_reaches_leaves_a_finished_run(place: Place) -> None:
    refusing = replace(AT_ONCE, faults={"1301": 1.0})
    place.write({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(6))
    result = place.run(_job(place, max_errors=5), refusing)
    assert (result.summary.pending, result.summary.ended) == (0, "Done.")


def test_a_time_that_is_up_stops_the_run_before_its_first_call(place: Place) -> None:
    _stopped(place.run(_job(place, max_duration="0s")), "--deadline")


@pytest.mark.parametrize(
    ("errors", "rows", "stops"),
    [(10, RATED_ROWS - 1, False), (5, RATED_ROWS, False), (6, RATED_ROWS, True)],
)
def test_the_share_of_errors_counts_from_a_hundred_rows_on(
    errors: int,
    rows: int,
    stops: bool,  # noqa: FBT001 -- a case
) -> None:
    progress = Progress(CeilingSpec(max_error_rate="5%"))
    halts = [progress.counted(error=row < errors) for row in range(rows)]
    assert (halts[-1] is not None) == stops
    assert halts[:-1] == [None] * (rows - 1)


@pytest.mark.parametrize(
    ("provider", "model", "ceiling", "said"),
    [
        ("glm", "glm-4.7", "5CNY", None),
        ("glm", "glm-4.7", "5USD", "--max-cost is in USD, but prices are in CNY"),
        ("zai", "glm-4.7", "5USD", None),
        ("glm", "unheard-of", "5CNY", "no price is known for unheard-of"),
        ("openai", "gpt", "5USD", '[prices."gpt"]'),
        ("openai", None, "5USD", "no price is known for any model"),
    ],
)
def test_a_ceiling_that_cannot_be_kept_is_refused_before_anything_is_done(
    provider: str, model: str | None, ceiling: str, said: str | None
) -> None:
    flags: dict[str, Any] = {
        "provider": {"name": provider, "model": model},
        "ceilings": {"max_cost": ceiling},
    }
    job = load_job(None, flags)
    pricing = Pricing.of(provider, job.prices)
    if said is None:
        check_ceilings(job, pricing)
        return
    with pytest.raises(ConfigurationError) as refused:
        check_ceilings(job, pricing)
    assert said in str(refused.value)


def test_a_run_whose_ceiling_cannot_be_kept_leaves_no_directory(place: Place) -> None:
    with pytest.raises(ConfigurationError, match="USD"):
        place.run(_job(place, max_cost="5USD"))
    assert not place.directory.path.exists()
