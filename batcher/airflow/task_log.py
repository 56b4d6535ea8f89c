"""What happens in a run, as lines of a task's log: one each, and no bar."""

from __future__ import annotations

import logging

from batcher.airflow.ending import DAG
from batcher.observe import Heartbeat, Watchers
from batcher.wording import printable

_BEGINS = {"run_started": "begins", "calls_ended": "calls ended"}


class TaskLog:
    """Takes events, as an `EventLog` does, and writes each as a line that a person reads."""

    def __init__(self, logger: logging.Logger) -> None:
        """Write to `logger`."""
        self._logger = logger

    def write(self, event: str, **values: object) -> None:
        """Write one event now; what a run wants the user to know is a warning."""
        if event == "notice":
            text = DAG.of(" ".join(str(values["text"]).splitlines()))
            self._logger.warning("%s", printable(text))
        else:
            self._logger.info("%s", _beat(event, values))

    def say(self, text: str) -> None:
        """Write a text, a line of its own for each of it."""
        for line in text.splitlines():
            self._logger.info("%s", printable(DAG.of(line)))


def watcher(log: TaskLog) -> Watchers:
    """Return what tells a task's log of a run: its begin, its end, and twice a minute between."""
    return Watchers(Heartbeat(log))


def _beat(event: str, values: dict[str, object]) -> str:
    done, total = f"{values['done']:,}", values.get("total")
    rows = f"{done} rows" if total is None else f"{done} of {total:,} rows"
    said = [
        f"{rows} done",
        f"{values['errors']:,} errors",
        f"{values['retries']:,} retries",
        f"{values['tokens']:,} tokens",
        str(values.get("waiting") or f"{values['in_flight']} of {values['limit']} in flight"),
    ]
    begin = _BEGINS.get(event)
    return ", ".join(said) if begin is None else f"{begin}: {', '.join(said)}"
