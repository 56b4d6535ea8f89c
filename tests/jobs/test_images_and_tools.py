"""The jobs on pictures and with tools, run whole against the simulator."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from batcher.cli.group import main
from batcher.job import fault_of_tools

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a folder with copies of the jobs and of what they read."""
    for name in ("jobs", "sample_data"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.batch"))
    return tmp_path


def run(folder: Path, job: str, *options: str) -> pa.Table:
    words = ["run", "--job", str(folder / "jobs" / f"{job}.toml"), "--simulate"]
    done = CliRunner().invoke(main, [*words, "--sim-latency", "0", *options])
    assert done.exit_code == 0, done.output
    return pq.read_table(folder / "jobs" / f"{job}.batch" / "results.parquet")


def test_questions_on_pictures_end_in_typed_columns(copied: Path) -> None:
    table = run(copied, "describe_images")
    assert table["id"].to_pylist() == ["circle", "stripes", "chart"]
    assert table["photo"].to_pylist()[0] == "images/circle.png"
    assert table.schema.field("out.answer").type == pa.string()
    assert table.schema.field("out.colours").type == pa.list_(pa.string())
    assert set(table["out.kind"].to_pylist()) <= {"photo", "drawing", "chart", "text", "other"}


def test_a_broken_answer_on_a_picture_is_asked_for_again(copied: Path) -> None:
    faults = ("--sim-fault", "broken_json=0.4", "--sim-seed", "3")
    rows = run(copied, "describe_images", *faults).to_pylist()
    assert len(rows) == 3
    assert sum(row["repairs"] for row in rows) > 0


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_calls_and_thoughts_stand_in_their_columns(copied: Path, stream: str) -> None:
    rows = run(copied, "tools", stream).to_pylist()
    assert len(rows) == 200
    assert all(row["reasoning"] for row in rows)
    calling = [row for row in rows if row["finish_reason"] == "tool_calls"]
    assert 50 < len(calling) < 150
    assert all(row["response"] is None for row in calling)
    functions: list[Any] = [json.loads(row["tool_calls"])[0]["function"] for row in calling]
    assert {function["name"] for function in functions} == {"open_ticket", "thank_customer"}
    urgencies = {"low", "normal", "high"}
    assert all(
        json.loads(function["arguments"])["urgency"] in urgencies
        for function in functions
        if function["name"] == "open_ticket"
    )
    assert all(row["tool_calls"] is None for row in rows if row["finish_reason"] == "stop")


@pytest.mark.parametrize(
    "parameters",
    [('-pthinking={"type":"disabled"}',), ("-preasoning_effort=none", "-pthinking=null")],
)
def test_a_model_told_not_to_think_shows_no_thoughts(
    copied: Path, parameters: tuple[str, ...]
) -> None:
    rows = run(copied, "tools", *parameters).to_pylist()
    assert all(row["reasoning"] is None and row["reasoning_tokens"] == 0 for row in rows)


def test_the_tools_to_copy_are_without_fault() -> None:
    assert fault_of_tools(json.loads((ROOT / "jobs" / "tools.json").read_text("utf-8"))) is None
