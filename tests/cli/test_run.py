"""`batcher run`: its options, words and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Batcher = Callable[..., Result]
FAST = ("--simulate", "--sim-latency", "0")


def test_a_simulated_run_says_so_and_where_the_results_lie(batcher: Batcher) -> None:
    done = batcher("run", "prompts.jsonl", *FAST)
    assert done.exit_code == 0
    assert "SIMULATED" in done.stdout
    assert "5 results, 0 errors, 0 pending" in done.stdout
    assert "prompts.batch/results.parquet" in done.stdout


def test_without_a_terminal_events_are_json_lines_on_stderr(batcher: Batcher) -> None:
    done = batcher("run", "prompts.jsonl", *FAST)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["event"] for event in events] == ["run_started", "calls_ended"]
    assert events[-1]["done"] == events[-1]["results"] == 5
    assert events[0]["time"].endswith("+00:00")


def test_more_row_errors_than_allowed_end_with_65(batcher: Batcher, folder: Path) -> None:
    with (folder / "prompts.jsonl").open("a") as file:
        file.write("not json\n")
    assert batcher("run", "prompts.jsonl", *FAST).exit_code == 65
    assert batcher("run", "prompts.jsonl", *FAST, "--allow-errors", "1").exit_code == 0
    assert batcher("run", "prompts.jsonl", *FAST, "--allow-errors", "17%").exit_code == 0
    assert batcher("run", "prompts.jsonl", *FAST, "--allow-errors", "16%").exit_code == 65


@pytest.mark.parametrize(
    ("fault", "code", "way_out"),
    [("1113", 77, "recharge"), ("1000", 77, "--api-key-file"), ("1211", 78, "--model")],
)
def test_a_run_that_the_provider_stops_says_what_to_do(
    batcher: Batcher, fault: str, code: int, way_out: str
) -> None:
    done = batcher("run", "prompts.jsonl", *FAST, "--sim-fault", f"{fault}=1")
    assert done.exit_code == code
    assert "Stopped by the provider" in done.stdout
    assert way_out in done.stdout
    assert "5 pending" in done.stdout


def test_a_quota_that_resets_too_late_ends_with_75(batcher: Batcher) -> None:
    done = batcher("run", "prompts.jsonl", *FAST, "--sim-fault", "1308=1", "--max-wait", "1")
    assert done.exit_code == 75


def test_without_a_key_no_directory_is_made(batcher: Batcher) -> None:
    done = batcher("run", "prompts.jsonl", "--model", "glm-4-flash")
    assert done.exit_code == 77
    assert "ZHIPUAI_API_KEY" in done.stderr
    assert not Path("prompts.batch").exists()


def test_a_model_is_asked_for_before_any_call(
    batcher: Batcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZHIPUAI_API_KEY", "id.secret")
    done = batcher("run", "prompts.jsonl", "--base-url", "http://127.0.0.1:9/v1")
    assert done.exit_code == 78
    assert "--model" in done.stderr


@pytest.mark.usefixtures("finished")
def test_a_changed_job_needs_yes_where_no_one_can_be_asked(batcher: Batcher) -> None:
    changed = ("run", "prompts.jsonl", *FAST, "--param", "temperature=0.5")
    refused = batcher(*changed)
    assert refused.exit_code == 78
    assert "parameters.temperature: None -> 0.5" in refused.stderr
    assert batcher(*changed, "--yes").exit_code == 0


def test_the_model_of_a_job_file_holds_under_simulate(batcher: Batcher, folder: Path) -> None:
    (folder / "job.toml").write_text(
        'input = ["prompts.jsonl"]\n[provider]\nmodel = "glm-4.5-air"\n'
    )
    assert batcher("run", "--job", "job.toml", *FAST).exit_code == 0
    done = batcher("head", "prompts.batch", "-n", "1")
    assert json.loads(done.stdout)["model"] == "glm-4.5-air"


def test_a_missing_input_is_named(batcher: Batcher) -> None:
    done = batcher("run", "missing.jsonl", *FAST)
    assert done.exit_code == 2
    assert "missing.jsonl" in done.stderr


def test_no_input_at_all_is_a_usage_error(batcher: Batcher) -> None:
    done = batcher("run", *FAST)
    assert done.exit_code == 2
    assert "no input" in done.stderr


def test_an_unknown_fault_of_the_simulator_is_named_with_the_nearest(batcher: Batcher) -> None:
    done = batcher("run", "prompts.jsonl", "--simulate", "--sim-fault", "timeou=1")
    assert done.exit_code == 2
    assert "did you mean `timeout`?" in done.stderr


def test_the_coding_plan_is_warned_of(batcher: Batcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHIPUAI_BASE_URL", "https://open.bigmodel.cn/api/coding/paas/v4")
    done = batcher("run", "prompts.jsonl", "--model", "glm-4-flash")
    assert "coding plan" in done.stderr


@pytest.mark.parametrize("given", ["an option", "the environment"])
def test_an_address_that_may_hold_a_secret_is_refused_before_anything_is_written(
    batcher: Batcher, folder: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    address, options = "http://127.0.0.1:1/v4?token=canary", ["--model", "m"]
    if given == "an option":
        options += ["--base-url", address]
    else:
        monkeypatch.setenv("ZHIPUAI_BASE_URL", address)
    done = batcher("run", "prompts.jsonl", "--sync-checkpoint", "copies", *options)
    assert done.exit_code == 78
    assert "must end with its path" in done.stderr
    assert "canary" not in done.stderr
    assert not (folder / "prompts.batch").exists()
    assert not (folder / "copies").exists()


def test_signed_tokens_serve_as_well(batcher: Batcher) -> None:
    assert batcher("run", "prompts.jsonl", *FAST, "--auth", "jwt").exit_code == 0
