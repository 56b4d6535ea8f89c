"""`batcher simulate`: a service for any client."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from batcher.cli.simulate import simulator_config, simulator_options
from batcher.errors import UsageError
from batcher.simulator import Change, Outage, SimulatorConfig, read_ledger


def test_it_answers_at_the_printed_address_and_ends_quietly_by_ctrl_c(folder: Path) -> None:
    options = ["--port", "0", "--sim-latency", "0", "--ledger", "ledger.jsonl"]
    process = subprocess.Popen(  # noqa: S603 -- our own interpreter and command
        [sys.executable, "-m", "batcher", "simulate", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        body = {"model": "glm-4-flash", "messages": [{"role": "user", "content": "hi"}]}
        request = urllib.request.Request(  # noqa: S310 -- http on loopback
            f"{address}/chat/completions",
            json.dumps(body).encode(),
            {"Authorization": "Bearer id.secret", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:  # noqa: S310 -- the same
            answer = json.load(response)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert "Traceback" not in errors
    assert process.returncode == 130
    assert [entry.sent for entry in read_ledger(folder / "ledger.jsonl")] == [True]


def config(*arguments: str) -> SimulatorConfig:
    """Return what the options mean."""
    made: list[SimulatorConfig] = []

    @click.command
    @simulator_options
    def command(**options: Any) -> None:  # noqa: ANN401 -- click's options
        made.append(simulator_config(options))

    done = CliRunner().invoke(command, arguments)
    if isinstance(done.exception, UsageError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return made[0]


def test_without_options_the_simulator_is_the_usual_one() -> None:
    assert config() == SimulatorConfig()


def test_every_option_has_its_place_in_the_configuration() -> None:
    made = config(
        *("--sim-latency", "0.05", "--sim-fault", "500=0.1", "--sim-seed", "7"),
        *("--sim-limit", "40", "--sim-queue", "20", "--sim-rpm", "60", "--sim-tpm", "900"),
        *("--sim-rate-headers", "--sim-outage", "60+30", "--sim-outage", "0+1=timeout"),
        *("--sim-change", "60=0.5", "--sim-change", "90=1"),
    )
    assert made == SimulatorConfig(
        latency_s=0.05,
        faults={"500": 0.1},
        seed=7,
        limits={"*": 40},
        queue=20,
        rpm=60,
        tpm=900,
        rate_headers=True,
        outages=(Outage(60, 30), Outage(0, 1, "timeout")),
        changes=(Change(60, 0.5), Change(90, 1)),
    )


def test_a_server_that_queues_refuses_nobody() -> None:
    made = config("--sim-queue", "20")
    assert (made.queue, made.limit_of("glm-4-flash")) == (20, None)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--sim-fault", "500", "--sim-fault: '500' lacks a rate"),
        ("--sim-outage", "60", "--sim-outage: '60' is no START"),
        ("--sim-change", "60", "--sim-change: '60' is no START=FACTOR"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error_that_names_the_option(
    option: str, value: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        config(option, value)
