"""`batcher retry`: its options, words and exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result

from batcher.cli import retry
from batcher.cli.options import _HOW
from batcher.job import PLACES

Batcher = Callable[..., Result]
FAST = ("--simulate", "--sim-latency", "0")


@pytest.fixture
def failed(batcher: Batcher) -> str:
    """The directory of a simulated run all of whose rows ended in errors."""
    assert batcher("run", "prompts.jsonl", *FAST, "--sim-fault", "1301=1").exit_code == 65
    return "prompts.batch"


def test_all_errors_are_called_again_and_end_with_0(batcher: Batcher, failed: str) -> None:
    done = batcher("retry", failed, *FAST)
    assert done.exit_code == 0
    assert "5 chosen errors taken up again." in done.stdout
    assert "5 results, 0 errors, 0 pending" in done.stdout


def test_errors_that_are_left_end_with_65_as_a_run_would(batcher: Batcher, failed: str) -> None:
    done = batcher("retry", failed, *FAST, "--class", "content_filtered", "--where", "row < 2")
    assert done.exit_code == 65
    assert "2 results, 3 errors" in done.stdout
    assert batcher("retry", failed, *FAST, "--where", "0", "--allow-errors", "3").exit_code == 0


def test_a_dry_run_calls_nothing_and_needs_no_simulator_and_no_key(
    batcher: Batcher, failed: str
) -> None:
    before = (Path(failed) / "simulator.jsonl").read_bytes()
    done = batcher("retry", failed, "--dry-run", "--where", "id = 'id-3'")
    assert done.exit_code == 0
    assert done.stdout == "1 error row would be called again\n  1 content_filtered\n"
    assert (Path(failed) / "simulator.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--class", "content_filterd", *FAST), 2, "did you mean `content_filtered`"),
        (("--where", "stauts = 1", *FAST), 2, "no such column: stauts"),
        ((), 78, "holds simulated answers; give --simulate"),
        (("--max-cost", "much", *FAST), 78, "[ceilings] max_cost = 'much'"),
        (("--sim-fault", "1113=1", *FAST), 77, "recharge"),
    ],
)
def test_what_is_wrong_is_said_with_the_exit_code_of_its_kind(
    batcher: Batcher, failed: str, options: tuple[str, ...], code: int, said: str
) -> None:
    done = batcher("retry", failed, *options)
    assert done.exit_code == code
    assert said in done.output


def test_options_that_would_change_what_is_asked_are_none_of_its(batcher: Batcher) -> None:
    names = {param.name for param in retry.command.params if isinstance(param, click.Option)}
    tables = {name: table for name, (table, _) in PLACES.items()}
    assert names >= {name for name, table in tables.items() if table in ("limits", "ceilings")}
    assert names >= _HOW
    assert not names & {"model", "params", "template", "prompt_column", "id_column", "output"}
    assert batcher("retry", ".", "--model", "glm-4.7").exit_code == 2
