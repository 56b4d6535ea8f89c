"""What changes while the simulator runs: outages, and how much it can do. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from batcher.simulator.faults import check_fault_name

_OUTAGE = re.compile(r"\s*([\d.]+)\s*\+\s*([\d.]+)\s*(?:=(.*))?")
_CHANGE = re.compile(r"\s*([\d.]+)\s*=\s*([\d.]+)\s*")


@dataclass(frozen=True, slots=True)
class Outage:
    """A time, in seconds since the service started, in which every request meets a fault."""

    start_s: float
    length_s: float
    fault: str = "503"


@dataclass(frozen=True, slots=True)
class Change:
    """From a moment on, in seconds since the service started, it can do `factor` times as much."""

    start_s: float
    factor: float


def parse_outage(text: str) -> Outage:
    """Read `60+30=timeout`; without a fault it is 503.

    Raises:
        ValueError: the message says what is wrong with it.
    """
    found = _OUTAGE.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no START+LENGTH[=FAULT] in seconds, such as 60+30=timeout")
    fault = "503" if found[3] is None else found[3].strip()
    check_fault_name(fault)
    return Outage(_number(found[1], text), _number(found[2], text), fault)


def parse_change(text: str) -> Change:
    """Read `60=0.5`.

    Raises:
        ValueError: the message says what is wrong with it.
    """
    found = _CHANGE.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no START=FACTOR, such as 60=0.5 (the start in seconds)")
    return Change(_number(found[1], text), _number(found[2], text))


class Schedule:
    """Tells what holds at a moment.

    The latest change holds, and all are relative to what the service began with: `60=0.5` and
    `90=1` halve it for half a minute.
    """

    __slots__ = ("_changes", "_outages", "_started")

    def __init__(
        self, outages: Sequence[Outage], changes: Sequence[Change], started: float
    ) -> None:
        self._outages = outages
        self._changes = sorted(changes, key=lambda change: change.start_s)
        self._started = started

    def fault(self, now: float) -> str | None:
        """Return the fault that every request meets now; the first outage given wins."""
        elapsed = now - self._started
        for outage in self._outages:
            if outage.start_s <= elapsed < outage.start_s + outage.length_s:
                return outage.fault
        return None

    def scaled(self, number: int, now: float) -> int:
        """Return what is left of a number of places, which a change never takes to none."""
        factor = None
        for change in self._changes:
            if change.start_s > now - self._started:
                break
            factor = change.factor
        return number if factor is None else max(int(number * factor), 1)


def _number(text: str, whole: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.inf
    if math.isinf(number):
        raise ValueError(f"{text!r} in {whole!r} is no number")
    return number
