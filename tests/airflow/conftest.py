"""One real Airflow for all tests that want one, and one simulated provider for its tasks."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from batcher.simulator import LedgerEntry, read_ledger
from tests.airflow.instance import Airflow, settings, simulator
from tests.ports import kept_port

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "jobs" / "airflow_daily_annotation.py"
KEY = "a1b2c3canary.thekeythatnobodymaysee"
"""What no file of Airflow's may hold."""


@dataclass(frozen=True)
class Provider:
    """A simulated GLM: where it answers, and what it was asked."""

    address: str
    ledger: Path

    def calls(self, marker: str) -> list[LedgerEntry]:
        """Return the calls whose prompt begins with `marker`, but for those that it refused.

        Tasks that share a limit find it out by that, and nobody pays for it.
        """
        entries = read_ledger(self.ledger) if self.ledger.exists() else []
        taken = [entry for entry in entries if entry.status in (None, HTTPStatus.OK)]
        return [entry for entry in taken if entry.prompt.startswith(marker)]

    def twice(self, marker: str) -> int:
        """Return how many calls were made of rows that had been called already."""
        calls = self.calls(marker)
        return len(calls) - len({entry.prompt for entry in calls})


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Serve a simulated GLM that takes its time."""
    for address, ledger in simulator(tmp_path_factory.mktemp("provider"), latency=0.4):
        yield Provider(address, ledger)


@pytest.fixture(scope="session")
def webhook() -> Iterator[tuple[str, list[str]]]:
    """Serve a webhook; yield its address, and the texts that it is told."""
    texts: list[str] = []

    class Told(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            texts.append(json.loads(body)["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Told) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", texts
        server.shutdown()


@pytest.fixture
def alerts(webhook: tuple[str, list[str]]) -> list[str]:
    """Return the texts that the webhook is told from now on."""
    webhook[1].clear()
    return webhook[1]


@pytest.fixture(scope="session")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, provider: Provider, webhook: tuple[str, list[str]]
) -> Iterator[Airflow]:
    """Run an Airflow whose connections lead to that provider and that webhook."""
    home = tmp_path_factory.mktemp("airflow")
    dags = home / "dags"
    shutil.copytree(HERE / "dags", dags)
    # As its users have it; but nobody waits for minutes here, and runs are started by hand.
    text = EXAMPLE.read_text("utf-8")
    for there, here in {
        "timedelta(minutes=5)": "timedelta(seconds=1)",
        '"0 2 * * *"': "None",
    }.items():
        assert there in text
        text = text.replace(there, here)
    (dags / EXAMPLE.name).write_text(text, "utf-8")
    connection = {"conn_type": "generic", "extra": {"base_url": provider.address}}
    connections = {
        "AIRFLOW_CONN_BATCHER_GLM": json.dumps({**connection, "password": KEY}),
        "AIRFLOW_CONN_BATCHER_ALERTS": json.dumps({"conn_type": "generic", "password": webhook[0]}),
        "AIRFLOW_CONN_GLM": json.dumps({**connection, "password": KEY}),
        "AIRFLOW_CONN_NO_SUCH_KEY": json.dumps({**connection, "password": "no such key"}),
    }
    with kept_port() as port:
        environment = settings(home, dags, port, **connections)
        found = Airflow(home, dags, environment, f"http://127.0.0.1:{port}")
        try:
            found.start()
            yield found
        finally:
            found.stop()
