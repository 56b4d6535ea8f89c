"""Folds what happens into what is shown: counts, a bar, log lines, a summary."""

from batcher.observe.answers import answer_lines, error_lines
from batcher.observe.cost import cost_lines, uncounted_lines
from batcher.observe.difference import Difference, Side
from batcher.observe.display import display
from batcher.observe.examples import examples
from batcher.observe.log import AttemptLog, EventLog, Heartbeat
from batcher.observe.progress import ProgressBar
from batcher.observe.summary import MergeSummary, Summary
from batcher.observe.tally import Tally
from batcher.observe.watcher import Watcher, Watchers

__all__ = [
    "AttemptLog",
    "Difference",
    "EventLog",
    "Heartbeat",
    "MergeSummary",
    "ProgressBar",
    "Side",
    "Summary",
    "Tally",
    "Watcher",
    "Watchers",
    "answer_lines",
    "cost_lines",
    "display",
    "error_lines",
    "examples",
    "uncounted_lines",
]
