"""How a run is shown where it runs: in a notebook, on a terminal, or in a log."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Container
from typing import Any, TextIO

from tqdm import TqdmWarning, tqdm

from batcher.observe.log import EventLog, Heartbeat
from batcher.observe.progress import ProgressBar
from batcher.observe.watcher import Watcher

# What tqdm itself tells a notebook by.
_NOTEBOOK = "ipykernel.zmqshell"


def display(stream: TextIO, modules: Container[str] = sys.modules) -> Watcher:
    """Return a watcher that shows a run on `stream`, as befits the program of these `modules`."""
    if _NOTEBOOK in modules:
        return ProgressBar(stream, bar=_notebook_bar())
    return ProgressBar(stream) if stream.isatty() else Heartbeat(EventLog(stream))


def _notebook_bar() -> type[tqdm[Any]]:
    """Return the bar that tqdm draws in a notebook: a widget where there are some, else text."""
    with warnings.catch_warnings():
        # It wants widgets, which nobody needs.
        warnings.simplefilter("ignore", TqdmWarning)
        from tqdm.auto import tqdm as bar  # noqa: PLC0415 # it looks around as it is imported
    return bar
