"""The one list of what is measured; docs/metrics.md has the same, and a test compares them.

Names keep to https://prometheus.io/docs/practices/naming/. Each family has the label `run` beside
its own: the name of the run directory.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """The types of metrics, as Prometheus has them."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    INFO = "info"


class Family(NamedTuple):
    """One metric: its name and type, its unit as UCUM writes it, and its own labels."""

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    text: str


def _gauge(name: str, unit: str, text: str, *labels: str) -> Family:
    return Family(name, Kind.GAUGE, unit, labels, text)


def _counter(name: str, unit: str, text: str, *labels: str) -> Family:
    return Family(name, Kind.COUNTER, unit, labels, text)


# The whole run, however often it was resumed.
ROWS = _gauge("batcher_rows", "{row}", "Rows of the run: result, error or pending.", "state")
ERROR_ROWS = _gauge("batcher_error_rows", "{row}", "Rows that ended in an error.", "error_class")
RUN_COST = _gauge("batcher_run_cost", "1", "What all answers of the run cost.", "currency")
RUN_POSSIBLE_COST = _gauge(
    "batcher_run_possible_cost",
    "1",
    "The most that calls of the run without a whole answer may have cost.",
    "currency",
)

# This process.
INFO = Family(
    "batcher_run_info",
    Kind.INFO,
    "1",
    ("version", "provider", "model", "simulated"),
    "What runs; the value is always 1.",
)
ACTIVE = _gauge("batcher_run_active", "1", "1 while calls are made, 0 once they have ended.")
ENDED = _gauge("batcher_run_ended", "1", "1 for how the calls ended, 0 for all else.", "how")
STARTED_AT = _gauge("batcher_run_started_timestamp_seconds", "s", "When this process began.")
RECORDED_AT = _gauge(
    "batcher_run_last_recorded_timestamp_seconds", "s", "When it last recorded a row."
)
COMPLETED_AT = _gauge(
    "batcher_run_completed_timestamp_seconds", "s", "When it was done with all rows."
)
ROWS_LEFT = _gauge("batcher_rows_left", "{row}", "Rows that this process still has to do.")
IN_FLIGHT = _gauge("batcher_calls_in_flight", "{call}", "Calls that are on their way.")
LIMIT = _gauge("batcher_calls_limit", "{call}", "Calls that may be on their way at once.")
PAUSED = _gauge("batcher_paused", "1", "1 while no call may be made: an outage, a quota.")
ATTEMPTS = _counter("batcher_attempts_total", "{attempt}", "Calls that have ended.", "outcome")
RETRIES = _counter("batcher_retries_total", "{attempt}", "Of these, those after one that failed.")
REPAIRS = _counter(
    "batcher_repairs_total", "{attempt}", "Of these, those for a better answer than the last."
)
TOKENS = _counter("batcher_tokens_total", "{token}", "Tokens of the answers that came.", "kind")
COST = _counter("batcher_cost_total", "1", "What the answers that came cost.", "currency")
POSSIBLE_COST = _counter(
    "batcher_possible_cost_total",
    "1",
    "The most that calls without a whole answer may have cost.",
    "currency",
)
DURATION = Family(
    "batcher_attempt_duration_seconds",
    Kind.HISTOGRAM,
    "s",
    ("outcome",),
    "How long calls took, until they ended.",
)

FAMILIES = (
    *(ROWS, ERROR_ROWS, RUN_COST, RUN_POSSIBLE_COST),
    *(INFO, ACTIVE, ENDED, STARTED_AT, RECORDED_AT, COMPLETED_AT, ROWS_LEFT),
    *(IN_FLIGHT, LIMIT, PAUSED),
    *(ATTEMPTS, RETRIES, REPAIRS, TOKENS, COST, POSSIBLE_COST, DURATION),
)
