"""What a run will cost, asked in a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time.context import set_current_context

from batcher.airflow import estimate
from batcher.simulator import SimulatorConfig
from tests.airflow.told import Instance


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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ceiling: dict[str, Any], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    rows = "".join(f'{{"prompt": "Say {n}"}}\n' for n in range(20))
    Path("prompts.jsonl").write_text(rows, "utf-8")
    with (
        set_current_context(cast("Context", {"ti": Instance()})),
        pytest.raises(AirflowFailException, match=said),
    ):
        estimate(
            "prompts.jsonl",
            model="glm-4.5-air",
            simulate=SimulatorConfig(latency_s=0),
            output_tokens=100,
            **ceiling,
        )
