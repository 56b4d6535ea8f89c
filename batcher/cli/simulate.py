"""`batcher simulate`, and the simulator's options for `batcher run --simulate`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from batcher.simulator import SimulatorConfig

Command = TypeVar("Command", bound=Callable[..., Any])


def simulator_options(command: Command) -> Command:
    """Add the options that shape the simulator."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def simulator_config(options: Mapping[str, Any]) -> SimulatorConfig:
    """Make the simulator's configuration of a command's options.

    Raises:
        UsageError: a fault is unknown or its rate no share.
    """
    from batcher.errors import UsageError
    from batcher.simulator import SimulatorConfig, parse_fault

    try:
        faults = dict(parse_fault(text) for text in options["sim_faults"])
    except ValueError as error:
        raise UsageError(f"--sim-fault: {error}") from None
    return SimulatorConfig(
        latency_s=options["sim_latency"], faults=faults, seed=options["sim_seed"]
    )


_OPTIONS = (
    click.option(
        "--sim-latency",
        type=click.FloatRange(min=0),
        default=0.2,
        metavar="S",
        help="Simulator: median seconds of an answer [0.2].",
    ),
    click.option(
        "--sim-fault",
        "sim_faults",
        multiple=True,
        metavar="NAME=RATE",
        help="Simulator: a fault and its rate, such as 500=0.05; repeatable.",
    ),
    click.option(
        "--sim-seed", type=int, default=0, metavar="N", help="Simulator: seed of its chances [0]."
    ),
)


@click.command("simulate")
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", type=int, default=8080, help="Port to listen on; 0 takes a free one.")
@click.option("--ledger", metavar="FILE", help="Append what was asked and answered, as JSONL.")
@simulator_options
def command(**options: Any) -> None:
    """Serve a local GLM on a real socket, for trying out: it answers, but from no model.

    Point any client at the printed address, with any key of the form id.secret.
    """
    from dataclasses import replace

    from batcher.simulator import SIMULATED_KEY, serve

    ledger = Path(options["ledger"]) if options["ledger"] else None
    config = replace(simulator_config(options), ledger=ledger)

    async def listen() -> None:
        async with serve(config, host=options["host"], port=options["port"]) as simulator:
            click.echo(f"{simulator.base_url} (any key, such as {SIMULATED_KEY}; Ctrl-C ends it)")
            await asyncio.Event().wait()

    asyncio.run(listen())
