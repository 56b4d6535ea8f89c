"""A store for all tests, a bucket for each, and the command that reads and writes there."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import command, ran, variables
from tests.objects import store
from tests.objects.door import Door, door
from tests.objects.store import Bucket, made, served

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of an S3 server."""
    with served(tmp_path_factory.mktemp("store")) as address:
        yield address


@pytest.fixture
def bucket(server: str) -> Bucket:
    """Return a bucket with nothing in it."""
    return made(server, f"bucket-{next(_NUMBERS)}")


@pytest.fixture
def gate(server: str) -> Iterator[Door]:
    """Return a door before the server, which lets everything through."""
    with door(server) as opened:
        yield opened


@dataclass(frozen=True)
class Place:
    """A directory of this machine where the command runs."""

    path: Path
    endpoint: str

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run `batcher run ARGS... -o run --simulate`, quickly answered, to its end."""
        return self.command("run", *args, "-o", "run", "--simulate", "--sim-latency", "0.01")

    def command(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run `batcher ARGS...` to its end."""
        return ran(self.path, *args, **store.variables(self.endpoint))

    def started(self, *args: str, stdin: int | None = None) -> subprocess.Popen[str]:
        """Start what `run` runs, with answers as slow as those of a model."""
        return subprocess.Popen(  # noqa: S603 -- our own command
            command("run", *args, "-o", "run", "--simulate"),
            cwd=self.path,
            env=variables(**store.variables(self.endpoint)),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def calls(self) -> Counter[str]:
        """Return how often each prompt was asked."""
        ledger = self.path / "run" / "simulator.jsonl"
        lines = ledger.read_text().splitlines() if ledger.exists() else []
        events = map(json.loads, lines)
        return Counter(event["prompt"] for event in events if event["event"] == "arrived")


@pytest.fixture
def place(tmp_path: Path, server: str) -> Place:
    """Return a directory for runs that talk to the server itself."""
    return Place(tmp_path, server)


@pytest.fixture
def behind(tmp_path: Path, gate: Door) -> Place:
    """Return a directory for runs that talk to the server through the door."""
    return Place(tmp_path, gate.url)


Lines = Callable[..., bytes]


@pytest.fixture(scope="session")
def lines() -> Lines:
    """Return what makes JSON Lines with so many prompts, each of so many characters more."""

    def make(rows: int, first: int = 0, more: int = 0) -> bytes:
        numbers = range(first, first + rows)
        rows_ = ({"id": f"r{n}", "prompt": f"say {n}{' x' * (more // 2)}"} for n in numbers)
        return "".join(f"{json.dumps(row)}\n" for row in rows_).encode()

    return make
