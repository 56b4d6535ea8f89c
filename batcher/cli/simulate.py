"""`batcher simulate`, and the simulator's options for `batcher run --simulate`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from batcher.cli import suggestions
from batcher.cli.topics import ByTopic, adding, topic

if TYPE_CHECKING:
    from batcher.simulator import SimulatorConfig

Value = TypeVar("Value")


def simulator_config(options: Mapping[str, Any]) -> SimulatorConfig:
    """Make the simulator's configuration of a command's options.

    Raises:
        UsageError: a fault, an outage or a change cannot be read, or they cannot all happen.
    """
    from batcher.simulator import SimulatorConfig, parse_change, parse_fault, parse_outage

    config = SimulatorConfig(
        latency_s=options["sim_latency"],
        faults=dict(_each("--sim-fault", parse_fault, options["sim_faults"])),
        seed=options["sim_seed"],
        queue=options["sim_queue"],
        rpm=options["sim_rpm"],
        tpm=options["sim_tpm"],
        rate_headers=options["sim_rate_headers"],
        outages=_each("--sim-outage", parse_outage, options["sim_outages"]),
        changes=_each("--sim-change", parse_change, options["sim_changes"]),
    )
    if options["sim_limit"] is not None:
        return replace(config, limits={"*": options["sim_limit"]})
    # A server that queues refuses nobody, unless it is told to do both.
    return config if config.queue is None else replace(config, limits={})


def _each(name: str, parse: Callable[[str], Value], texts: Iterable[str]) -> tuple[Value, ...]:
    """Read each value of an option."""
    from batcher.errors import UsageError

    try:
        return tuple(parse(text) for text in texts)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


_option = topic("Simulator")
_number = partial(_option, type=click.IntRange(min=1), metavar="N")
simulator_options = adding(
    _option(
        "--sim-latency",
        type=click.FloatRange(min=0),
        default=0.2,
        metavar="S",
        help="Median seconds of an answer [0.2].",
    ),
    _option(
        "--sim-fault",
        "sim_faults",
        multiple=True,
        metavar="NAME=RATE",
        help="A fault and its rate, such as 500=0.05; repeatable.",
        shell_complete=suggestions.faults,
    ),
    _number("--sim-limit", help="Calls in flight per key and model; no more are let in."),
    _number("--sim-queue", help="Answers N calls at once, and the others in turn."),
    _number("--sim-rpm", help="Calls a minute per key and model."),
    _number("--sim-tpm", help="Tokens a minute per key and model."),
    _option(
        "--sim-rate-headers",
        is_flag=True,
        help="Tell of both in x-ratelimit-* headers.",
    ),
    _option(
        "--sim-outage",
        "sim_outages",
        multiple=True,
        metavar="START+LENGTH[=FAULT]",
        help="A time in which every call meets the fault [503], such as 60+30 (seconds "
        "since it started); repeatable.",
    ),
    _option(
        "--sim-change",
        "sim_changes",
        multiple=True,
        metavar="START=FACTOR",
        help="Limit and queue from then on, such as 60=0.5 (half of them); repeatable.",
    ),
    _option("--sim-seed", type=int, default=0, metavar="N", help="Seed of its chances [0]."),
)
"""Adds the options that shape the simulator."""


@click.command("simulate", cls=ByTopic)
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", type=int, default=8080, help="Port to listen on; 0 takes a free one.")
@click.option(
    "--ledger",
    metavar="FILE",
    help="Append what was asked and answered, as JSONL.",
    shell_complete=suggestions.files,
)
@simulator_options
def command(**options: Any) -> None:
    """Serve a local GLM on a real socket, for trying out: it answers, but from no model.

    Point any client at the printed address, with any key of the form id.secret.
    """
    import asyncio

    from batcher.simulator import SIMULATED_KEY, serve

    ledger = Path(options["ledger"]) if options["ledger"] else None
    config = replace(simulator_config(options), ledger=ledger)

    async def listen() -> None:
        async with serve(config, host=options["host"], port=options["port"]) as simulator:
            click.echo(f"{simulator.base_url} (any key, such as {SIMULATED_KEY}; Ctrl-C ends it)")
            await asyncio.Event().wait()

    asyncio.run(listen())
