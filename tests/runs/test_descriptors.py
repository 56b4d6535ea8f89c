"""How many calls the limit of open files allows."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
import resource
from batcher.runs.descriptors import affordable_calls
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
print(affordable_calls({wanted}, {sockets}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "sockets", "calls", "after"),
    [
        (1024, 1024, 8, 1, 8, 1024),
        (64, 64, 200, 1, 24, 64),
        (64, 64, 200, 2, 12, 64),
        (64, 4096, 200, 1, 200, 240),
        (64, 100, 200, 1, 60, 100),
        (16, 16, 8, 1, 1, 16),
    ],
)
def test_calls_are_cut_to_what_the_limit_allows_and_it_is_raised_as_far_as_needed(
    soft: int, hard: int, wanted: int, sockets: int, calls: int, after: int
) -> None:
    script = _SCRIPT.format(soft=soft, hard=hard, wanted=wanted, sockets=sockets)
    python = [sys.executable, "-c", script]
    done = subprocess.run(python, capture_output=True, text=True, check=True)  # noqa: S603 -- our script
    assert done.stdout.split() == [str(calls), str(after)]
