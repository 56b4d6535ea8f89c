"""The image as it is run: by any user, on a root that cannot be written to, as process 1."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batcher.simulator import SimulatorConfig, read_ledger
from batcher.simulator.service import serve
from tests.container.image import CANARY, STRAYS, Image

OWN = 10_001
SOMEBODY = 51_234
KEY = "canary-id.canary-secret-in-a-file"
# Far more than any of these runs takes: only a run that hangs meets it.
PATIENCE_S = 300


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with twenty prompts, of a user that the image does not know."""
    folder = tmp_path / "work"
    folder.mkdir()
    rows = ({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(20))
    (folder / "prompts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    for path in (folder, *folder.iterdir()):
        os.chown(path, SOMEBODY, SOMEBODY)
    return folder


def test_it_is_no_root_takes_sigterm_and_is_the_command(image: Image) -> None:
    assert image.config["User"] == f"{OWN}:{OWN}"
    assert image.config["StopSignal"] == "SIGTERM"
    assert image.config["Entrypoint"] == ["batcher"]
    assert image.config["WorkingDir"] == "/work"
    assert image.config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


@pytest.mark.parametrize("user", [OWN, SOMEBODY])
def test_without_words_it_says_how_it_is_used(image: Image, user: int) -> None:
    done = image.run(None, user=user)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: batcher ")


def test_a_run_leaves_its_directory_in_the_mount_as_its_users_own(image: Image, work: Path) -> None:
    done = image.run(work, "run", "prompts.jsonl", "--simulate", "--sim-latency=0", user=SOMEBODY)
    assert done.returncode == 0, done.stderr
    assert pq.read_table(work / "prompts.batch" / "results.parquet").num_rows == 20
    assert "Traceback" not in done.stderr
    for path in (work / "prompts.batch").rglob("*"):
        about = path.stat()
        assert (about.st_uid, about.st_mode & 0o077) == (SOMEBODY, 0), path


@pytest.mark.parametrize("user", [OWN, SOMEBODY])
def test_without_a_mount_nothing_is_called(image: Image, work: Path, user: int) -> None:
    """What was paid for would end with the container."""
    job = ("run", "/mnt/prompts.jsonl", "-o", "prompts.batch", "--simulate")
    done = image.run(None, *job, user=user, mounts={work: "/mnt"})
    assert done.returncode == 73, done.stderr
    assert "prompts.batch" in done.stderr


async def test_as_process_1_it_ends_the_calls_in_flight_after_sigterm_and_goes_on_later(
    image: Image, work: Path, tmp_path: Path
) -> None:
    """The key comes from a mounted file, and is shown nowhere."""
    key = tmp_path / "key"
    key.write_text(KEY)
    key.chmod(0o400)
    os.chown(key, SOMEBODY, SOMEBODY)
    asked, hold = tmp_path / "asked.jsonl", asyncio.Event()
    under_way = asyncio.Event()

    async def answer_when_told(_seconds: float) -> None:
        under_way.set()
        await hold.wait()

    config = SimulatorConfig(latency_s=1, keys=frozenset({KEY}), ledger=asked)
    async with serve(config, sleep=answer_when_told) as service:
        job = ("run", "prompts.jsonl", "-m", "glm-4-flash", "-c", "4")
        words = (*job, "--base-url", service.base_url, "--api-key-file", "/run/key")
        (image.root / "run" / "key").touch()
        command = image.command(work, *words, user=SOMEBODY, mounts={key: "/run/key"})
        process = await _started(*command)
        await asyncio.wait_for(under_way.wait(), PATIENCE_S)
        os.kill(_process_1(process.pid), signal.SIGTERM)
        log = work / "prompts.batch" / "log.jsonl"
        assert process.stderr is not None
        said = await asyncio.wait_for(process.stderr.readuntil(b"SIGTERM: waiting"), PATIENCE_S)
        hold.set()
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        assert process.returncode == 143, err.decode()
        done = pq.read_table(work / "prompts.batch" / "results.parquet").num_rows
        assert done == len(read_ledger(asked)) == 4
        again = await _started(*command)
        assert (await again.communicate(), again.returncode)[1] == 0
    assert len(read_ledger(asked)) == 20
    for written in (said, out, err, log.read_bytes()):
        assert KEY.encode() not in written


async def _started(*words: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )


def _process_1(outside: int) -> int:
    """Return the number that the first process of a namespace has for us."""
    return int(Path(f"/proc/{outside}/task/{outside}/children").read_text().split()[0])


def test_nothing_that_lies_about_gets_in(image: Image) -> None:
    found = subprocess.run(  # noqa: S603 -- a program of every system
        ["/usr/bin/grep", "-rlF", CANARY, image.root], capture_output=True, text=True, check=False
    )
    assert (found.stdout, found.returncode) == ("", 1)
    names = {Path(name).name for name in STRAYS} - {"log"}
    assert not [path for path in (image.root / "opt").rglob("*") if path.name in names]


def test_nothing_is_left_of_the_build(image: Image) -> None:
    assert sorted(path.name for path in (image.root / "opt").iterdir()) == ["batcher"]
    programs = {path.name for path in (image.root / "opt" / "batcher" / "bin").iterdir()}
    assert "batcher" in programs
    assert not {name for name in programs if name.startswith("pip")}
    left = [image.root / name for name in ("build", "source", "wheels", "requirements")]
    assert not [path for path in left if path.exists()]
    assert list((image.root / "root").glob(".cache")) == []


def test_what_is_installed_belongs_to_root_and_is_compiled(image: Image) -> None:
    """Nobody who runs it can change it, and a root that cannot be written to costs no start."""
    for path in (image.root / "opt" / "batcher").rglob("*"):
        about = path.lstat()
        assert (about.st_uid, about.st_gid) == (0, 0), path
        assert path.is_symlink() or not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH), path
    packages = image.root / "opt" / "batcher" / "lib" / "python3.11" / "site-packages"
    assert list((packages / "batcher" / "__pycache__").glob("errors.*.pyc"))
