"""Who takes part."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.contenders.roster import (
    AIOHTTP,
    BATCHER,
    BATCHLLM,
    HTTPX,
    HTTPX2,
    OPENAI,
    PEERS,
    Contender,
)
from benchmarks.environments import ROOT
from benchmarks.process import Cost, Ended

ALL = (BATCHER, AIOHTTP, HTTPX2, HTTPX, OPENAI, *PEERS)


@pytest.mark.parametrize("contender", ALL, ids=lambda one: one.name)
def test_everyone_is_told_the_prompts_the_server_and_the_calls_at_once(
    contender: Contender,
) -> None:
    command = contender.command("http://127.0.0.1:1/v4", 77)
    assert {"prompts.jsonl", "http://127.0.0.1:1/v4", "77"} <= set(command)
    assert contender.surroundings()["PYTHONPATH"] == str(ROOT)


def test_ours_run_here_and_others_in_environments_of_their_own() -> None:
    assert BATCHER.command("", 1)[0] == sys.executable
    assert HTTPX.command("", 1)[0] == str(ROOT / ".bench" / "clients" / "bin" / "python")


def test_a_scripts_last_line_is_its_number_of_answers(tmp_path: Path) -> None:
    ended = Ended(Cost(1, 1, 1), "some noise\n42\n", "")
    assert AIOHTTP.answered(tmp_path, ended) == 42


def test_failed_rows_of_a_jsonl_output_are_no_answers(tmp_path: Path) -> None:
    lines = '{"prompt": "a", "output": "yes"}\n{"prompt": "b", "output": null}\n'
    (tmp_path / "answers.jsonl").write_text(lines)
    assert BATCHLLM.answered(tmp_path, Ended(Cost(1, 1, 1), "", "")) == 1
