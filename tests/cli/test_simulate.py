"""`batcher simulate`: a service for any client."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from batcher.simulator import read_ledger


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
