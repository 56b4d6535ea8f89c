"""A local GLM on a real socket: for trying out, for tests, for planning. No model is behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from batcher.simulator.config import SIMULATED_KEY, SIMULATED_MODEL, SimulatorConfig
from batcher.simulator.faults import KNOWN_FAULTS, parse_fault
from batcher.simulator.ledger import LedgerEntry, read_ledger
from batcher.simulator.schedule import Change, Outage, parse_change, parse_outage

if TYPE_CHECKING:
    from batcher.simulator.service import Simulator

__all__ = [
    "KNOWN_FAULTS",
    "SIMULATED_KEY",
    "SIMULATED_MODEL",
    "Change",
    "LedgerEntry",
    "Outage",
    "SimulatorConfig",
    "parse_change",
    "parse_fault",
    "parse_outage",
    "read_ledger",
    "serve",
]


@asynccontextmanager
async def serve(
    config: SimulatorConfig, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Simulator]:
    """Serve until the block ends; see `batcher.simulator.service.serve`."""
    from batcher.simulator import service  # noqa: PLC0415 -- loads a web server, only if need be

    async with service.serve(config, host, port) as simulator:
        yield simulator
