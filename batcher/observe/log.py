"""Events as JSON, a line each, in UTC: `log.jsonl`, and stderr where no terminal is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TextIO

from batcher.errors import OF_THE_ROW
from batcher.limits import Flow
from batcher.observe.examples import shortened
from batcher.observe.tally import Tally
from batcher.records import Exchange

HEARTBEAT_S = 30.0


class Events(Protocol):
    """Takes events, one at a time."""

    def write(self, event: str, **values: object) -> None:
        """Write one event now. None values say nothing."""


class EventLog:
    """Writes one event a line. Values must be plain JSON; prompt text and keys never are."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.time) -> None:
        """Write to `stream`, stamping each event with `clock` (Unix seconds)."""
        self._stream = stream
        self._clock = clock

    def write(self, event: str, **values: object) -> None:
        """Write one event now. None values are left out."""
        moment = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        known = {name: value for name, value in values.items() if value is not None}
        # ASCII-escaped, so no control character of a foreign message reaches a terminal.
        self._stream.write(json.dumps({"time": moment, "event": event, **known}) + "\n")
        self._stream.flush()


class AttemptLog:
    """A watcher: one line for every failed attempt, and at the end for every class of errors."""

    def __init__(self, log: EventLog, *, texts: bool = True) -> None:
        """Write to `log`; without `texts`, nothing that may quote a row."""
        self._log = log
        self._texts = texts
        self._tally = Tally()

    def started(
        self,
        tally: Tally,
        flow: Callable[[], Flow],  # noqa: ARG002 # only beats show it
    ) -> None:
        """Write where this process starts."""
        self._tally = tally
        self._log.write("run_started", done_before=tally.done_before)

    def attempted(self, row: int, exchange: Exchange) -> None:
        """Write the attempt if it failed; never its message, which may quote the prompt."""
        attempt = exchange.attempt
        if (problem := attempt.problem) is not None:
            self._log.write(
                "attempt_failed",
                row=row,
                sample=exchange.request.sample or None,
                attempt=attempt.number,
                request_id=attempt.request_id,
                latency_s=round(attempt.latency, 4),
                error_class=problem.error_class.value,
                code=problem.code,
                http_status=problem.http_status,
            )

    def pulse(self) -> None:
        """Nothing: a file needs no heartbeat."""

    def notice(self, text: str) -> None:
        """Write it."""
        self._log.write("notice", text=text)

    def finished(self) -> None:
        """Write which errors came, the first of each class, and that no more calls are made."""
        for error_class, (source, problem) in self._tally.first_failures.items():
            # A provider may quote the prompt; what is wrong with a row is said in our words.
            ours = self._texts and error_class in OF_THE_ROW
            self._log.write(
                "errors",
                error_class=error_class.value,
                rows=self._tally.classes[error_class],
                first=str(source),
                code=problem.code,
                http_status=problem.http_status,
                message=shortened(problem.message) if ours else None,
            )
        self._log.write("calls_ended")


class Heartbeat:
    """A watcher for cron and Airflow: progress every 30 s, instead of a bar."""

    def __init__(self, log: Events, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Write to `log`."""
        self._log = log
        self._monotonic = monotonic
        # There may be news before the first call.
        self._flow: Callable[[], Flow] = lambda: Flow(0, 0)

    def started(self, tally: Tally, flow: Callable[[], Flow]) -> None:
        """Write where this process starts."""
        self._tally = tally
        self._flow = flow
        self._last = self._monotonic()
        self._beat("run_started")

    def attempted(self, row: int, exchange: Exchange) -> None:
        """Nothing: attempts show as counts at the next beat."""

    def pulse(self) -> None:
        """Write a heartbeat if the last one is 30 s ago."""
        if self._monotonic() - self._last >= HEARTBEAT_S:
            self._last = self._monotonic()
            self._beat("heartbeat")

    def notice(self, text: str) -> None:
        """Write it."""
        self._log.write("notice", text=text, in_flight=self._flow().in_flight)

    def finished(self) -> None:
        """Write the last counts."""
        self._beat("calls_ended")

    def _beat(self, event: str) -> None:
        tally, flow = self._tally, self._flow()
        self._log.write(
            event,
            done=tally.done_before + tally.rows,
            total=tally.goal,
            results=tally.results,
            errors=tally.failures,
            retries=tally.retries,
            in_flight=flow.in_flight,
            limit=flow.limit,
            waiting=flow.waiting,
            tokens=tally.prompt_tokens + tally.completion_tokens,
        )
