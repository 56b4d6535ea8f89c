"""The table, and the processes behind it."""

from __future__ import annotations

import pytest

from batcher.simulator import SimulatorConfig
from benchmarks.figures import Figures
from benchmarks.limits import BATCHER, CLIENTS, NAIVE, Client, line, measure, table
from benchmarks.scenarios import Scenario

TINY = Scenario("tiny", 12, SimulatorConfig(latency_s=0.01, limits={"*": 4}), keys=2)
FOUND = Figures(
    seconds=12.5,
    calls=1234,
    wasted=56,
    refused=0.125,
    refused_later=0.01,
    ramp_up_s=3.25,
    use=0.975,
    slowdown=1.5,
    dead=7,
    behind=None,
)


def test_a_line_has_every_figure() -> None:
    expected = "naive 12.5 1.25 1,234 56 12.5% 1.0% 3.2 97.5% 1.50 7"
    assert line(NAIVE, 10.0, FOUND).split() == expected.split()


def test_the_table_has_a_line_for_each_client() -> None:
    """The real command and the naive loop, each against a server in a process of its own."""
    header, *lines = table((TINY,))
    assert lines[0].startswith("tiny")
    for client, text in zip(CLIENTS, lines, strict=True):
        name, *_, dead = text[header.index("client") :].split()
        assert (name, dead) == (client.name, "0")
        assert len(text) == len(header)


def test_a_client_that_fails_ends_the_measuring() -> None:
    broken = Client("broken", (*BATCHER.command, "--no-such-option"), BATCHER.answered)
    with pytest.raises(RuntimeError, match=r"broken ended with 2:[\s\S]*No such option"):
        measure(TINY, broken)
