"""`batcher watch`."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Batcher = Callable[..., Result]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_it_prints_its_address_and_ends_quietly_by_a_signal(
    finished: Path, number: signal.Signals, code: int
) -> None:
    with subprocess.Popen(  # noqa: S603 -- our own interpreter and command
        [sys.executable, "-m", "batcher", "watch", str(finished)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        address, _, rest = process.stdout.readline().partition(" ")
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{43}/", address)
        assert "Ctrl-C ends it, not the run" in rest
        with urllib.request.urlopen(address) as page:  # noqa: S310 -- http on loopback
            assert page.status == 200
        process.send_signal(number)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert address not in out + errors


def test_a_directory_without_a_run_ends_with_74(batcher: Batcher, folder: Path) -> None:
    done = batcher("watch", str(folder))
    assert done.exit_code == 74
    assert "is this the directory of a run?" in done.stderr


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_what_is_no_port_is_a_usage_error(batcher: Batcher, finished: Path, port: str) -> None:
    done = batcher("watch", str(finished), "--port", port)
    assert done.exit_code == 2
    assert "--port" in done.stderr
