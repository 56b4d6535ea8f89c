"""Where a run is shown."""

from __future__ import annotations

import io

import pytest

from batcher.limits import Flow
from batcher.observe import Heartbeat, ProgressBar, Tally, display


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_and_a_log_heartbeats() -> None:
    assert isinstance(display(_Terminal(), modules=()), ProgressBar)
    assert isinstance(display(io.StringIO(), modules=()), Heartbeat)


@pytest.mark.filterwarnings("error")
def test_a_notebook_gets_a_bar_though_it_is_no_terminal() -> None:
    stream = io.StringIO()
    bar = display(stream, modules=("ipykernel.zmqshell",))
    assert isinstance(bar, ProgressBar)
    tally = Tally(total=2)
    bar.started(tally, lambda: Flow(0, 8))
    tally.results = 2
    bar.finished()
    assert "2/2" in stream.getvalue()
