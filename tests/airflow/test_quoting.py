"""What a run will cost, asked in a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time.context import set_current_context

from batcher.airflow import estimate, run
from batcher.simulator import SimulatorConfig
from tests.airflow.told import Instance

AT_ONCE = SimulatorConfig(latency_s=0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be Airflow's home."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("ceiling", "said"),
    [
        (
            {"max_cost": "0.0001CNY"},
            r"^The run needs about 0\.\d{4} CNY, more than max_cost allows \(0\.0001CNY\)$",
        ),
        (
            {"max_tokens_total": 1234},
            r"^The run needs about 2,\d{3} tokens, more than max_tokens_total allows \(1,234 token",
        ),
    ],
)
def test_what_a_run_needs_beyond_a_ceiling_is_said_in_the_ceilings_unit(
    folder: Path, ceiling: dict[str, Any], said: str
) -> None:
    rows = "".join(f'{{"prompt": "Say {n}"}}\n' for n in range(20))
    prompts = folder / "prompts.jsonl"
    prompts.write_text(rows, "utf-8")
    with (
        set_current_context(cast("Context", {"ti": Instance()})),
        pytest.raises(AirflowFailException, match=said),
    ):
        estimate(prompts, model="glm-4.5-air", simulate=AT_ONCE, output_tokens=100, **ceiling)


def test_rows_in_memory_meet_a_ceiling_as_a_run_of_them_would() -> None:
    """Those that a task before has returned, for instance: a gate must see what will be called."""
    rows = [{"id": str(n), "prompt": f"Say {n}"} for n in range(20)]
    options: dict[str, Any] = {"model": "glm-4.5-air", "simulate": AT_ONCE, "output_tokens": 100}
    with set_current_context(cast("Context", {"ti": Instance()})):
        quote = estimate(rows, **options)
        assert (quote["rows"], quote["requests"]) == (20, 20)
        with pytest.raises(AirflowFailException, match="more than max_tokens_total allows"):
            estimate(rows, max_tokens_total=1234, **options)
        run(rows[:15], simulate=AT_ONCE, model="glm-4.5-air")
        left = estimate(rows, max_tokens_total=2200, **options)
        assert (left["rows"], left["done"], left["requests"]) == (20, 15, 5)
