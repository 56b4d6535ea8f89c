"""The units that run a job every night: what systemd itself says of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from batcher.job import load_job
from tests.commands import command, ran, variables

FOLDER = Path(__file__).parents[2] / "jobs" / "systemd"
SYSTEM, USERS = FOLDER / "batcher@.service", FOLDER / "user" / "batcher@.service"
TIMER = FOLDER / "batcher@.timer"
analyze = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(analyze is None, reason="Debian's systemd is not installed")


def setting(unit: Path, name: str) -> str:
    """Return the last value of a setting."""
    found: list[str] = re.findall(rf"^{name}=(.*)$", unit.read_text("utf-8"), re.MULTILINE)
    return found[-1]


def _analyzed(tmp_path: Path, unit: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask systemd-analyze about `batcher@night`, in a disk that holds the units and the program."""
    units = tmp_path / "etc" / "systemd" / "system"
    program = tmp_path / "opt" / "batcher" / "bin" / "batcher"
    for folder in (units, program.parent, tmp_path / "usr" / "lib" / "systemd"):
        folder.mkdir(parents=True)
    shutil.copytree("/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    for file in (unit, TIMER):
        shutil.copy(file, units)
    # A user's manager is not asked: its directories are those of whoever runs this.
    text = (units / unit.name).read_text("utf-8").replace("%h/.local/bin", "/opt/batcher/bin")
    (units / unit.name).write_text(text, "utf-8")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return subprocess.run(  # noqa: S603 -- systemd's own
        [str(analyze), f"--root={tmp_path}", *words],
        capture_output=True,
        text=True,
        check=False,
    )


@needs_systemd
@pytest.mark.parametrize("unit", [SYSTEM, USERS], ids=["system", "user"])
def test_systemd_finds_no_fault(tmp_path: Path, unit: Path) -> None:
    done = _analyzed(tmp_path, unit, "verify", "batcher@night.service", "batcher@night.timer")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_the_service_of_the_system_is_exposed_to_little(tmp_path: Path) -> None:
    """Of 10, most services have more than 9; what is left here is the network itself."""
    review = ("security", "--offline=true", "--no-pager", "--threshold=15")
    done = _analyzed(tmp_path, SYSTEM, *review, "batcher@night.service")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("unit", [SYSTEM, USERS], ids=["system", "user"])
def test_it_sees_which_start_of_the_machine_it_belongs_to(unit: Path) -> None:
    """Else one that is killed is waited for, and the start a minute later ends with 75."""
    assert not re.findall("^ProcSubset=(?!all$)", unit.read_text("utf-8"), re.MULTILINE)


@needs_systemd
def test_the_timer_is_told_a_time_that_there_is() -> None:
    done = subprocess.run(  # noqa: S603 -- systemd's own
        [str(analyze), "calendar", setting(TIMER, "OnCalendar")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Next elapse" in done.stdout


def test_a_night_that_was_missed_is_made_up_for() -> None:
    assert setting(TIMER, "Persistent") == "yes"


@pytest.mark.parametrize("unit", [SYSTEM, USERS], ids=["system", "user"])
def test_it_is_left_the_time_to_end_its_calls_and_told_once(unit: Path) -> None:
    """Promise 11 is 25 seconds."""
    assert int(setting(unit, "TimeoutStopSec")) > 25
    assert setting(unit, "KillMode") == "mixed"


@pytest.mark.parametrize("unit", [SYSTEM, USERS], ids=["system", "user"])
def test_no_exit_code_of_batchers_own_is_followed_by_a_start_at_once(unit: Path) -> None:
    """75 is no failure: the next night goes on. `on-abnormal` is for what was killed."""
    assert setting(unit, "Restart") == "on-abnormal"
    assert "RestartForceExitStatus" not in unit.read_text("utf-8")
    assert {"75", "143"} < set(setting(unit, "SuccessExitStatus").split())


@pytest.mark.parametrize("unit", [SYSTEM, USERS], ids=["system", "user"])
def test_what_it_starts_is_a_command_that_batcher_knows(tmp_path: Path, unit: Path) -> None:
    words = setting(unit, "ExecStart").split()[1:]
    words = [word.replace("%i", "night").replace("%d", str(tmp_path)) for word in words]
    (tmp_path / "night.toml").write_text('input = ["prompts.jsonl"]\nprovider.model = "glm-4.7"\n')
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "hi"}\n')
    (tmp_path / "key").write_text("an-id.and-a-secret\n")
    assert load_job(tmp_path / "night.toml", {}).output.directory is None
    done = ran(tmp_path, *words, "--simulate", "--sim-latency", "0")
    assert done.returncode == 0, done.stderr


@needs_systemd
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_run_makes_only_system_calls_that_its_service_may_make(tmp_path: Path) -> None:
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "hi"}\n{"prompt": "ho"}\n')
    trace = ("strace", "-f", "-qq", "-o", "calls", "--")
    job = ("run", "prompts.jsonl", "--simulate", "--sim-latency", "0")
    done = subprocess.run(  # noqa: S603 -- our own command
        [*trace, *command(*job)], cwd=tmp_path, env=variables(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "calls").read_text("utf-8", "replace")
    made = set(re.findall(r"^\d+ +(\w+)\(", lines, re.MULTILINE))
    assert {"openat", "connect"} < made
    filters = re.findall(r"^SystemCallFilter=(~?)(.*)$", SYSTEM.read_text("utf-8"), re.MULTILINE)
    assert filters == [("", "@system-service"), ("~", "@privileged")]
    # SQLite's, and only where it is root.
    made.discard("fchown")
    assert made <= _system_calls("@system-service") - _system_calls("@privileged")


def _system_calls(group: str) -> set[str]:
    """Return the system calls of a group, as systemd has it."""
    done = subprocess.run(  # noqa: S603 -- systemd's own
        [str(analyze), "syscall-filter", group], capture_output=True, text=True, check=True
    )
    words = [line.strip() for line in done.stdout.splitlines()[1:]]
    names = {word for word in words if word and word[0] not in "#@"}
    return names.union(*(_system_calls(word) for word in words if word.startswith("@")))
