"""The faults the simulator shows on request, and the dice that choose them.

A fault is either an error code (protocol.md section 3) or one of the behaviours named here
(sections 1 and 2; reliability.md section B, rows 22-38).
"""

from __future__ import annotations

from collections.abc import Mapping

from batcher.simulator.chances import Chances, draw_chances
from batcher.simulator.codes import CODES
from batcher.wording import did_you_mean

_BEHAVIOURS = {
    "500": "HTTP 500 with code 1200",
    "502": "HTTP 502 with a page of HTML",
    "503": "HTTP 503 with plain text",
    "timeout": "the request is read and never answered",
    "reset": "the connection is reset after the request was read",
    "truncated": "the body is cut in the middle and the connection closed",
    "drip": "the body comes one byte at a time",
    "slow": "ten times the latency",
    "length": "finish_reason length: the answer stops half-way",
    "sensitive": "finish_reason sensitive: blocked by the content policy",
    "network_error": "HTTP 200, but finish_reason network_error and no text",
    "empty": "finish_reason stop with reasoning only and no completion tokens",
    "no_choices": "HTTP 200 with an empty list of choices",
    "no_usage": "an answer without usage",
    "broken_json": "JSON that was asked for holds no valid instance of its schema; else as usual",
    "untidy_json": "JSON that was asked for stands in a fence or in prose; else as usual",
    "error_200": "HTTP 200 with an error object",
    "poison": "HTTP 500 each time for the same rows, however often they are sent",
}
KNOWN_FAULTS: Mapping[str, str] = _BEHAVIOURS | {
    code: f"HTTP {meaning.status} with code {code}: {meaning.english}"
    for code, meaning in CODES.items()
    if code not in _BEHAVIOURS
}
"""Every fault by name, each with one sentence."""

JSON_FAULTS = frozenset({"broken_json", "untidy_json"})
"""Those that only answers of JSON meet."""

_REMEMBERED = 10_000


def check_fault_name(name: str) -> None:
    """Raise ValueError, with the known names and the nearest one, if `name` is no fault."""
    if name in KNOWN_FAULTS:
        return
    guess = did_you_mean(name, KNOWN_FAULTS)
    raise ValueError(f"no fault is named {name!r}{guess} Known are {', '.join(KNOWN_FAULTS)}")


def parse_fault(text: str) -> tuple[str, float]:
    """Read `500=0.05` into a fault's name and its rate.

    Raises:
        ValueError: the name is unknown (the message lists all, and a close match) or the rate is
            no number from 0 to 1.
    """
    name, equals, rate_text = (part.strip() for part in text.partition("="))
    check_fault_name(name)
    if not equals:
        raise ValueError(f"{text!r} lacks a rate; write {name}=0.05")
    try:
        rate = float(rate_text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise ValueError(f"the rate of {name} is {rate_text!r}; it must be a number from 0 to 1")
    return name, rate


class FaultDice:
    """Draws a fault, or none, for each arrival of a row: the same ones for the same seed.

    A draw depends on seed, row and how many faults the row had before, so it does not change with
    the order in which rows arrive. Only rows whose last arrival met a fault are remembered, and
    of those the latest ten thousand.
    """

    __slots__ = ("_met", "_poison", "_rates", "_seed")

    def __init__(self, rates: Mapping[str, float], seed: int) -> None:
        self._poison = rates.get("poison", 0.0)
        self._rates = [(n, rate) for n, rate in rates.items() if rate > 0 and n != "poison"]
        self._seed = seed
        self._met: dict[str, int] = {}

    def draw(self, row: str, chances: Chances) -> str | None:
        """Return the fault this arrival of `row` meets; `chances` are the row's own."""
        if chances.poison < self._poison:
            return "poison"
        if not self._rates:
            return None
        before = self._met.pop(row, 0)
        point = draw_chances(self._seed, f"{row}/{before}").fault
        for name, rate in self._rates:
            point -= rate
            if point < 0:
                self._met[row] = before + 1
                if len(self._met) > _REMEMBERED:
                    del self._met[next(iter(self._met))]
                return name
        return None
