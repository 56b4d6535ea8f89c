"""The history of a run: written with its outcomes, read in as many steps as are to be seen."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from batcher.checkpoint.schema import RECORDED
from batcher.errors import ErrorClass, Halt
from batcher.history import Beat, History, Lately, Moment, Process
from batcher.magnitudes import Magnitudes, magnitude
from batcher.records import Outcome, Success

LATENCY, PROMPT_TOKENS, COMPLETION_TOKENS = "latency_s", "prompt_tokens", "completion_tokens"

_PROCESSES = "SELECT number, started_at, seen_at, ended, error_class, reason FROM processes"
_COUNTED = (
    f"INSERT INTO history (process, second, {', '.join(RECORDED)}) "
    f"VALUES (?, ?, {', '.join('?' * len(RECORDED))}) ON CONFLICT DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in RECORDED)
)
_FLOWED = (
    "INSERT INTO history (process, second, attempts, in_flight, concurrency_limit, paused, waiting)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "attempts = attempts + excluded.attempts, in_flight = max(in_flight, excluded.in_flight), "
    "concurrency_limit = excluded.concurrency_limit, paused = paused + excluded.paused, "
    "waiting = excluded.waiting"
)
_FAILED = (
    "INSERT INTO history_failures VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET attempts = attempts + excluded.attempts"
)
_FIGURES = (
    "INSERT INTO histograms VALUES (?, ?, ?) "
    "ON CONFLICT DO UPDATE SET figures = figures + excluded.figures"
)


def begin(connection: sqlite3.Connection, second: int) -> int:
    """Put down that a process begins; return its number."""
    (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM processes").fetchone()
    connection.execute(
        "INSERT INTO processes (number, started_at, seen_at) VALUES (?, ?, ?)",
        (last + 1, second, second),
    )
    return int(last) + 1


def end(connection: sqlite3.Connection, process: int, ended: str, halt: Halt | None) -> None:
    """Put down how a process ended, and why, if it stopped by itself."""
    error_class = halt.error_class.value if halt and halt.error_class else None
    connection.execute(
        "UPDATE processes SET ended = ?, error_class = ?, reason = ? WHERE number = ?",
        (ended, error_class, halt.reason if halt else None, process),
    )


def count(connection: sqlite3.Connection, process: int, outcomes: Iterable[Outcome]) -> None:
    """Count what is recorded, by the second in which each row ended."""
    seconds: dict[int, list[int]] = defaultdict(lambda: [0] * len(RECORDED))
    for outcome in outcomes:
        sums = seconds[int(outcome.finished_at)]
        succeeded = isinstance(outcome, Success)
        sums[0] += succeeded
        sums[1] += not succeeded
        sums[4] += outcome.cost or 0
        if (completion := outcome.completion) is not None and outcome.attempts:
            sums[2] += completion.usage.prompt_tokens or 0
            sums[3] += completion.usage.completion_tokens or 0
    connection.executemany(_COUNTED, ((process, at, *sums) for at, sums in seconds.items()))


def figures_of(outcomes: Iterable[Outcome]) -> Iterator[tuple[str, int]]:
    """Yield how large the figures of calls that were answered are: their kind and magnitude."""
    for outcome in outcomes:
        if (completion := outcome.completion) is not None and outcome.attempts:
            yield LATENCY, magnitude(outcome.attempts[-1].latency)
            if (sent := completion.usage.prompt_tokens) is not None:
                yield PROMPT_TOKENS, magnitude(sent)
            if (came := completion.usage.completion_tokens) is not None:
                yield COMPLETION_TOKENS, magnitude(came)


def add_figures(connection: sqlite3.Connection, figures: Mapping[tuple[str, int], int]) -> None:
    """Add so many figures of each kind and magnitude."""
    connection.executemany(_FIGURES, ((*which, rows) for which, rows in figures.items()))


def flow(connection: sqlite3.Connection, process: int, beats: Sequence[Beat]) -> None:
    """Add each beat to its second."""
    for beat in beats:
        flowed = (beat.second, beat.attempts, beat.in_flight, beat.limit, beat.paused)
        connection.execute(_FLOWED, (process, *flowed, beat.waiting))
        connection.executemany(
            _FAILED,
            ((process, beat.second, name.value, calls) for name, calls in beat.failures.items()),
        )
        connection.execute(
            "UPDATE processes SET seen_at = max(seen_at, ?) WHERE number = ?",
            (beat.second, process),
        )


def history_in(connection: sqlite3.Connection, steps: int) -> History:
    """Return the history that `connection` sees, in about `steps` steps; in flat memory.

    In a transaction, all of it is of one moment.
    """
    processes = tuple(map(_process, connection.execute(f"{_PROCESSES} ORDER BY number")))
    whole = sum(process.seconds for process in processes)
    width = max(1, -(-whole // steps))
    last = connection.execute(
        "SELECT waiting FROM history ORDER BY process DESC, second DESC LIMIT 1"
    ).fetchone()
    return History(
        processes,
        tuple(_moments(connection, processes, width)),
        latencies=_magnitudes(connection, LATENCY),
        prompt_tokens=_magnitudes(connection, PROMPT_TOKENS),
        completion_tokens=_magnitudes(connection, COMPLETION_TOKENS),
        waiting=last[0] if last else None,
    )


def lately_in(connection: sqlite3.Connection, seconds: int) -> Lately | None:
    """Return how the last process went in its latest `seconds`; None where there was none.

    Reads no more than so many rows. The second that has not ended is left out.
    """
    found = connection.execute(f"{_PROCESSES} ORDER BY number DESC LIMIT 1").fetchone()
    if found is None:
        return None
    last = _process(found)
    number, started, seen = last.number, last.started_at, last.seen_at
    first = max(started, seen - seconds)
    span = (number, first, seen - 1)
    rows, tokens = connection.execute(
        "SELECT coalesce(sum(results + errors), 0), "
        "coalesce(sum(prompt_tokens + completion_tokens), 0) FROM history "
        "WHERE process = ? AND second BETWEEN ? AND ?",
        span,
    ).fetchone()
    (throttled,) = connection.execute(
        "SELECT coalesce(sum(attempts), 0) FROM history_failures "
        "WHERE process = ? AND second BETWEEN ? AND ? AND error_class = ?",
        (*span, ErrorClass.THROTTLED.value),
    ).fetchone()
    flow = connection.execute(
        "SELECT in_flight, concurrency_limit, waiting FROM history "
        "WHERE process = ? AND concurrency_limit > 0 ORDER BY second DESC LIMIT 1",
        (number,),
    ).fetchone()
    flows = flow or (0, 0, None)
    ended = (last.ended, last.error_class, last.reason)
    return Lately._make((seen - first, rows, tokens, throttled, *flows, *ended))


def _process(row: Sequence[Any]) -> Process:
    *known, error_class, reason = row
    return Process._make((*known, ErrorClass(error_class) if error_class else None, reason))


def _moments(
    connection: sqlite3.Connection, processes: Sequence[Process], width: int
) -> Iterator[Moment]:
    before = 0
    for process in processes:
        number, start = process.number, process.started_at
        failures = _failures(connection, process, width)
        sums = ", ".join(f"sum({name})" for name in RECORDED)
        for step, *recorded, attempts, in_flight, paused, limit in connection.execute(
            # Of a bare column beside one max(), SQLite takes the value of that very row.
            f"SELECT max(0, second - ?) / ? AS step, {sums}, sum(attempts), max(in_flight), "
            "sum(paused), concurrency_limit FROM history "
            "WHERE process = ? GROUP BY step ORDER BY step",
            (start, width, number),
        ):
            at, second = before + step * width, start + step * width
            flowed = (attempts, in_flight, limit, paused, failures.get(step, {}))
            yield Moment._make((number, at, second, width, *recorded, *flowed))
        before += process.seconds


def _failures(
    connection: sqlite3.Connection, process: Process, width: int
) -> Mapping[int, Mapping[ErrorClass, int]]:
    found: dict[int, dict[ErrorClass, int]] = defaultdict(dict)
    for step, name, attempts in connection.execute(
        "SELECT max(0, second - ?) / ? AS step, error_class, sum(attempts) FROM history_failures "
        "WHERE process = ? GROUP BY step, error_class",
        (process.started_at, width, process.number),
    ):
        found[step][ErrorClass(name)] = attempts
    return found


def _magnitudes(connection: sqlite3.Connection, kind: str) -> Magnitudes:
    found = connection.execute(
        "SELECT magnitude, figures FROM histograms WHERE kind = ?", (kind,)
    ).fetchall()
    return Magnitudes(Counter(dict(found)))
