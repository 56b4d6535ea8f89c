"""The room as others see it."""

from __future__ import annotations

import subprocess
import sys

import batcher.simulator as room
from batcher.simulator import (
    SIMULATED_KEY,
    Change,
    Outage,
    SimulatorConfig,
    parse_change,
    parse_fault,
    parse_outage,
    serve,
)


def test_the_names_promised_are_there() -> None:
    assert all(hasattr(room, name) for name in room.__all__)
    assert parse_fault("500=0.1") == ("500", 0.1)
    assert parse_outage("60+30") == Outage(60, 30)
    assert parse_change("60=2") == Change(60, 2)


def test_constants_are_read_without_loading_a_web_server() -> None:
    code = "import sys, batcher.simulator; print('aiohttp' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 -- our own interpreter
    assert ran.stdout == "False\n"


async def test_a_simulator_is_served_on_a_port_of_this_machine() -> None:
    async with serve(SimulatorConfig()) as simulator:
        assert simulator.base_url.startswith("http://127.0.0.1:")
        assert simulator.base_url.endswith("/api/paas/v4")
    assert SIMULATED_KEY.count(".") == 1
