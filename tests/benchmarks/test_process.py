"""Commands that are run and measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.process import CommandError, cores, run, run_well


def python(code: str) -> list[str]:
    """Return the command that runs a piece of Python."""
    return [sys.executable, "-c", code]


def test_a_command_is_told_with_its_output_and_its_code() -> None:
    ended = run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (ended.code, ended.stdout, ended.stderr) == (3, "out\n", "err\n")


def test_the_cost_is_the_commands_own() -> None:
    """A process that holds 64 MiB and counts has more of all three than one that does nothing."""
    busy = run_well(python("held = bytearray(2**26); sum(range(3_000_000))")).cost
    idle = run_well(python("")).cost
    assert busy.cpu_s > idle.cpu_s > 0
    assert busy.wall_s > 0
    assert busy.peak_mb > idle.peak_mb + 50


def test_the_memory_of_who_measures_does_not_count() -> None:
    held = bytearray(b"x") * 2**28
    assert run_well(python("")).cost.peak_mb < len(held) / 2**20 / 2


def test_a_command_stays_on_its_core_in_its_folder_with_its_variables(tmp_path: Path) -> None:
    code = "import os; print(os.sched_getaffinity(0), os.getcwd(), os.environ['COLOUR'])"
    core = cores()[-1]
    ended = run_well(python(code), folder=tmp_path, variables={"COLOUR": "red"}, core=core)
    assert ended.stdout == f"{{{core}}} {tmp_path} red\n"


def test_a_failed_command_is_an_error_with_its_last_words() -> None:
    with pytest.raises(CommandError, match=r"(?s)ended with 1.*ZeroDivisionError"):
        run_well(python("1 / 0"))


def test_a_command_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(CommandError, match="could not be started"):
        run(["/nonexistent/program"])


def test_a_command_that_hangs_is_killed() -> None:
    with pytest.raises(CommandError, match=r"more than 0\.2 s"):
        run(python("import time; time.sleep(60)"), patience_s=0.2)
