"""The product's engine, whole, against the model of an endpoint: a run from first to last row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from batcher.engine.policy.adaptive import AdaptiveLimit
from batcher.errors import Halt
from batcher.records import Failure, InvalidAnswer, Kept, Outcome, Request
from tests.engines import Engine
from tests.overload import rows, virtual
from tests.overload.servers import Endpoint

# The default of --max-concurrency.
MOST = 1000
# How long a permit is held after the answer, until it is written to disk, at most.
WRITING_S = 0.02


@dataclass(slots=True)
class Ended:
    """A run that ended.

    Attributes:
        outcomes: By row; a row without one is pending.
        begun_s: When the last row was called for the first time: from then on calls become fewer.
        ended_s: When all was over.
        halt: Why it stopped with rows pending, if it did.
        peak: The most calls in flight.
        notices: What the user was told.
    """

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    begun_s: float = 0.0
    ended_s: float = 0.0
    halt: Halt | None = None
    peak: int = 0
    notices: list[str] = field(default_factory=list)

    @property
    def dead(self) -> set[int]:
        """The rows that ended in an error."""
        return {row for row, outcome in self.outcomes.items() if isinstance(outcome, Failure)}


def drive(
    endpoint: Endpoint,
    count: int,
    *,
    seed: int = 1,
    keys: Sequence[str] = ("key",),
    parameters: Mapping[str, object] = MappingProxyType({}),
    **settings: Any,  # noqa: ANN401 -- those of Engine
) -> Ended:
    """Run rows from 0 on, as `batcher run` does without flags, and return how that ended."""
    chance = virtual.seeded(seed)
    ended = Ended()

    async def put(outcome: Kept) -> None:
        assert not isinstance(outcome, InvalidAnswer)
        await asyncio.sleep(chance.uniform(0.001, WRITING_S))
        assert outcome.row not in ended.outcomes
        ended.outcomes[outcome.row] = outcome

    async def requests() -> AsyncGenerator[Request, None]:
        for row in range(count):
            yield rows.request(row, **parameters)

    async def main() -> None:
        engine = Engine(
            **{
                "calls": [endpoint.signed_in(key) for key in keys],
                "most": MOST,
                "limit": lambda: AdaptiveLimit(MOST),
                "clock": virtual.clock,
                "monotonic": virtual.monotonic,
                "uniform": chance.uniform,
                "notices": ended.notices,
                **settings,
            }
        )
        executor = engine.executor()
        await executor.run(requests(), put)
        ended.ended_s = virtual.monotonic()
        ended.halt = executor.halted
        ended.peak = executor.admission.peak

    virtual.run(main())
    begun: dict[int, float] = {}
    for entry in endpoint.ledger.entries:
        begun.setdefault(entry.row, entry.sent)
    ended.begun_s = max(begun.values())
    return ended
