"""What a run meets, and how long the best possible run would take there. Pure.

A server offers places, of which each answer takes one for as long as it lasts, or calls a second.
Times are seconds since it started.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from batcher.simulator import SIMULATED_MODEL, Change, Outage, SimulatorConfig
from batcher.simulator.answers import compose
from batcher.simulator.chances import draw_chances, latency_of, prompt_key
from batcher.simulator.schedule import Schedule
from batcher.simulator.validate import validate

MODEL = SIMULATED_MODEL
EXHAUSTED = "1113"
_MINUTE_S = 60.0

Size = TypeVar("Size", int, float)


@dataclass(frozen=True, slots=True)
class Supply:
    """What is offered from each moment of `steps` on; the first is 0, the last holds for ever."""

    steps: tuple[tuple[float, float], ...]

    def at(self, now: float) -> float:
        """Return what is offered at a moment."""
        return next((offered for since, offered in reversed(self.steps) if since <= now), 0.0)

    def when(self, work: float) -> float:
        """Return the moment at which so much has been offered, in answers' seconds or calls."""
        ends = [since for since, _ in self.steps[1:]] + [math.inf]
        for (since, offered), end in zip(self.steps, ends, strict=True):
            if offered * (end - since) >= work > 0:
                return since + work / offered
            work -= offered * (end - since)
        return 0.0


@dataclass(frozen=True)
class Scenario:
    """So many rows, and the server that is to answer them; of its keys one may be exhausted."""

    name: str
    rows: int
    config: SimulatorConfig
    keys: int = 1

    @property
    def credentials(self) -> tuple[str, ...]:
        """The keys that a client is given."""
        return tuple(f"{_key_id(number)}.of-the-simulator" for number in range(1, self.keys + 1))

    @property
    def prompts(self) -> list[str]:
        """What the rows ask."""
        return [
            f"Say in a sentence what is special about the number {n}." for n in range(self.rows)
        ]

    @cached_property
    def answer_s(self) -> Mapping[str, float]:
        """How long each row's answer takes on an idle server, by the ledger's name of the row."""
        return dict(_idle(self.config, prompt) for prompt in self.prompts)

    @property
    def is_paced(self) -> bool:
        """Whether calls a second are offered, and not places."""
        return self.config.rpm is not None

    def supply(self, exhausted_at: float = math.inf) -> Supply:
        """Return what the server offers, with one key less from `exhausted_at` on."""
        config = self.config
        schedule = Schedule(config.outages, config.changes, started=0.0)
        moments = {0.0, exhausted_at, *(change.start_s for change in config.changes)}
        for outage in config.outages:
            moments |= {outage.start_s, outage.start_s + outage.length_s}

        def offered(now: float) -> float:
            if schedule.fault(now):
                return 0.0
            keys = self.keys - (now >= exhausted_at)
            if config.rpm is not None:
                return keys * config.rpm / _MINUTE_S
            return float(keys * schedule.scaled(self._places, now))

        return Supply(tuple((since, offered(since)) for since in sorted(moments - {math.inf})))

    @property
    def ideal_s(self) -> float:
        """The shortest time in which all rows can be answered, by whoever knows what is offered.

        With a rate that is the time at which it lets the last row through: the minute's worth that
        the server hands out on top at its start is no part of it.
        """
        if self.is_paced:
            return self.supply().when(self.rows)
        seconds = self.answer_s.values()
        mean = sum(seconds) / self.rows
        after = (calls for calls, _ in self.config.key_faults.values())
        exhausted_at = min((calls * mean / self._places for calls in after), default=math.inf)
        return max(*seconds, self.supply(exhausted_at).when(sum(seconds)))

    @property
    def _places(self) -> int:
        return self.config.queue or self.config.limits["*"]


def scenarios(*, quick: bool) -> tuple[Scenario, ...]:
    """Return what is measured; `quick` ones are short, too short for their ratios to mean much.

    Answers are slow enough for two cores to keep up, so that what is measured is the policy.
    """

    def size(full: Size, short: Size) -> Size:
        return short if quick else full

    def troubled(limit: int, latency_s: float = 0.3, **troubles: Any) -> SimulatorConfig:  # noqa: ANN401 -- fields of the configuration
        return SimulatorConfig(latency_s=latency_s, limits={"*": limit}, **troubles)

    half = Change(size(20.0, 3.0), 0.5)
    outage = Outage(size(10.0, 2.0), size(60.0, 10.0))
    exhausted = {_key_id(3): (size(500, 100), EXHAUSTED)}
    some = size(4000, 600)
    return (
        Scenario("limit 5", size(500, 100), troubled(5)),
        Scenario("limit 40", size(20_000, 600), troubled(40)),
        Scenario("limit 1,000", size(3000, 500), troubled(1000, size(4.0, 0.5))),
        Scenario("limit 40, halved", some, troubled(40, changes=(half,))),
        Scenario("queue, knee 40", some, SimulatorConfig(latency_s=0.3, limits={}, queue=40)),
        Scenario(
            "1,200 rpm, headers",
            size(1500, 200),
            SimulatorConfig(latency_s=0.5, limits={}, rpm=1200, rate_headers=True),
        ),
        Scenario(f"outage of {outage.length_s:.0f} s", some, troubled(64, outages=(outage,))),
        Scenario(
            "30 % random 500", size(3000, 200), troubled(64, size(1.0, 0.3), faults={"500": 0.3})
        ),
        Scenario("1 of 3 keys empty", some, troubled(20, key_faults=exhausted), keys=3),
    )


def _key_id(number: int) -> str:
    return f"key-{number}"


def _idle(config: SimulatorConfig, prompt: str) -> tuple[str, float]:
    """Return the ledger's name of a row, and the seconds that the simulator's answer takes."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": prompt}]}
    name = prompt_key(MODEL, body["messages"])
    chances = draw_chances(config.seed, name)
    tokens = compose(validate(body), chances).completion_tokens
    return name, latency_of(config.latency_s, chances.latency, tokens)
