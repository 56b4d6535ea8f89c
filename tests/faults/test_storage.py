"""The disk fails: at every call of the system, by being full, forbidden, limited or slow."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from tests.faults.case import FINISHED, Case, case
from tests.faults.children import Parent
from tests.faults.strace import (
    BROKEN,
    FULL,
    KILLED,
    Point,
    attach,
    points,
    spoiling,
    spoilt,
)

# Before a call that changes nothing the disk is as it is before the next one that does, so a
# process is killed at these only; they are also the ones that a full disk can refuse.
CHANGING = (
    "openat", "mkdir", "write", "pwrite64", "ftruncate", "fallocate", "fsync", "fdatasync",
    "rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat",
)  # fmt: skip
LOOKING = (
    "read", "pread64", "lseek", "newfstatat", "fstat", "statx", "statfs", "fstatfs", "access",
    "faccessat", "faccessat2", "getdents64", "flock", "close", "chmod", "fchmod", "readlink",
)  # fmt: skip
SHARDS = 8
KILLED_CODE = -9


def _short(parent: Parent, folder: Path):
    folder.mkdir()
    return case(parent, folder, rows=6, concurrency=2)


@pytest.fixture(scope="session")
def recorded(parent: Parent, tmp_path_factory: pytest.TempPathFactory) -> list[Point]:
    """Return the I/O calls of a short undisturbed run, in their order."""
    folder = tmp_path_factory.mktemp("recorded")
    with _short(parent, folder / "case") as run:
        log = folder / "log"
        trace = f"trace={','.join((*CHANGING, *LOOKING))}"
        child = run.start(halted=True, one_thread=True)
        tracer = attach(child, "-y", "-o", str(log), "-e", trace)
        assert run.ended(child) == FINISHED
        tracer.wait()
        return list(points(log, run.folder, (*CHANGING, *LOOKING)))
