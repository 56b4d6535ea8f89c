"""The figures as Prometheus' own parsers read them, over a real socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain_families

from batcher.checkpoint import CheckpointReader
from batcher.errors import ConfigurationError, ErrorClass
from batcher.history import Ended
from batcher.observe.metrics import Figures, RunFacts
from batcher.observe.metrics.families import FAMILIES, Kind
from batcher.observe.metrics.prometheus import address_of, registry_of, served
from batcher.recorded import Counts
from tests.commands import command, variables
from tests.observe.metrics.samples import FACTS, exchange, flowing, tally_of
from tests.observe.metrics.test_figures import COUNTS

OPEN = "application/openmetrics-text; version=1.0.0"


def open_families(text: str) -> Iterator[Metric]:
    """Read OpenMetrics, by the one parser of the client that has no types."""
    families: Iterator[Metric] = openmetrics.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    return families


def asked(url: str, accept: str = "text/plain") -> str:
    """Scrape an address as Prometheus does, less its compression."""
    assert url.startswith("http://127.0.0.1:")
    request = urllib.request.Request(url, headers={"accept": accept})  # noqa: S310 -- see above
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        text: str = answer.read().decode("utf-8")
        return text


def samples(families: Iterator[Metric]) -> dict[tuple[str, ...], float]:
    """Return each sample by its name and the values of its labels, less the run's."""
    found: dict[tuple[str, ...], float] = {}
    for family in families:
        for sample in family.samples:
            labels = {name: of for name, of in sample.labels.items() if name != "run"}
            key = (sample.name, *(labels[name] for name in sorted(labels)))
            assert key not in found
            found[key] = sample.value
    return found


def full() -> Figures:
    """Return figures in which every family has a value."""
    calls = (exchange(), exchange(ErrorClass.THROTTLED), exchange(number=2, retry=True))
    figures = Figures(FACTS, lambda: COUNTS)
    tally = tally_of(*calls)
    tally.total, tally.results = 20, 2
    figures.started(tally, flowing)
    for call in calls:
        figures.attempted(7, call)
    figures.pulse()
    return figures


def test_both_formats_have_every_family_with_the_run_and_its_own_labels() -> None:
    figures = full()
    figures.end(Ended.DONE)
    registry = registry_of("prompts.batch", figures.samples)
    with served("127.0.0.1", 0, registry) as url:
        plain, opened = asked(url), asked(url, OPEN)
    assert opened.endswith("# EOF\n")
    assert samples(iter(plain_families(plain))) == samples(iter(open_families(opened)))
    by_name = {family.name: family for family in open_families(opened)}
    for family in FAMILIES:
        name = family.name.removesuffix("_total")
        read = by_name.pop(name.removesuffix("_info") if family.kind is Kind.INFO else name)
        assert read.type == family.kind.value
        assert read.documentation == family.text
        expected = {"run", *family.labels}
        for sample in read.samples:
            assert set(sample.labels) - {"le"} == expected
            assert sample.labels["run"] == "prompts.batch"
    assert by_name == {}


def test_a_name_of_any_letters_is_a_label() -> None:
    name = '夜"\\\n'
    figures = Figures(RunFacts(name, "1", "glm", "", simulated=False), lambda: COUNTS)
    registry = registry_of(name, figures.samples)
    with served("127.0.0.1", 0, registry) as url:
        (rows, *_) = plain_families(asked(url))
    assert rows.samples[0].labels["run"] == name


def test_cpu_and_memory_of_the_process_are_served_as_well() -> None:
    registry = registry_of("a", Figures(FACTS, lambda: COUNTS).samples, of_process=True)
    with served("127.0.0.1", 0, registry) as url:
        names = {family.name for family in plain_families(asked(url))}
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "python_info"} <= names


def _status(place: str, host: str | None) -> int:
    """Ask for metrics under a name; return the status of the answer."""
    connection = http.client.HTTPConnection(place, timeout=60)
    with contextlib.closing(connection):
        connection.putrequest("GET", "/metrics", skip_host=True)
        if host is not None:
            connection.putheader("Host", host)
        connection.endheaders()
        return connection.getresponse().status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost", 200),
        ("[::1]:{port}", 200),
        ("attacker.example:{port}", 403),
        ("127.0.0.1.attacker.example", 403),
        ("[::1", 403),
        ("", 403),
        (None, 403),
    ],
)
def test_on_this_machine_only_it_answers_to_this_machines_names(
    host: str | None, status: int
) -> None:
    """A page elsewhere whose name points here still asks by that name."""
    registry = registry_of("a", Figures(FACTS, lambda: COUNTS).samples)
    with served("127.0.0.1", 0, registry) as url:
        parts = urlsplit(url)
        assert _status(parts.netloc, host and host.format(port=parts.port)) == status


def test_another_address_of_this_machine_is_its_own_name_too() -> None:
    registry = registry_of("a", Figures(FACTS, lambda: COUNTS).samples)
    with served("127.0.0.2", 0, registry) as url:
        place = urlsplit(url).netloc
        assert _status(place, place) == 200
        assert _status(place, "attacker.example") == 403


def test_on_an_address_for_others_it_answers_to_any_name() -> None:
    registry = registry_of("a", Figures(FACTS, lambda: COUNTS).samples)
    with served("0.0.0.0", 0, registry) as url:  # noqa: S104 -- asked by this test alone
        assert _status(f"127.0.0.1:{urlsplit(url).port}", "box.example") == 200


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (9400, ("127.0.0.1", 9400)),
        ("9400", ("127.0.0.1", 9400)),
        (":9400", ("127.0.0.1", 9400)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),  # noqa: S104 -- text that is read
        ("[::1]:9400", ("::1", 9400)),
        ("box.example:9400", ("box.example", 9400)),
    ],
)
def test_a_port_alone_is_one_of_this_machine_only(
    given: int | str, address: tuple[str, int]
) -> None:
    assert address_of(given) == address


def test_a_port_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at most 65535"):
        address_of("70000")


def test_a_port_that_is_taken_names_the_way_out_and_is_free_again_afterwards() -> None:
    registry = registry_of("a", Figures(FACTS, lambda: COUNTS).samples)
    with served("127.0.0.1", 0, registry) as url:
        port = int(url.rpartition(":")[2].removesuffix("/metrics"))
        with (
            pytest.raises(ConfigurationError, match=r"already in use.*--metrics-port"),
            served("127.0.0.1", port, registry),
        ):
            pytest.fail("it must not begin")
    with served("127.0.0.1", port, registry):
        pass


def test_a_host_that_is_not_there_is_refused() -> None:
    with (
        pytest.raises(ConfigurationError, match="cannot serve metrics on 192"),
        served("192.0.2.1", 0, registry_of("a", Figures(FACTS, lambda: COUNTS).samples)),
    ):
        pytest.fail("it must not begin")


def test_a_client_that_leaves_in_the_middle_leaves_no_trace(
    capfd: pytest.CaptureFixture[str],
) -> None:
    registry = registry_of("a", Figures(FACTS, lambda: COUNTS).samples)
    with served("127.0.0.1", 0, registry) as url:
        port = int(url.rpartition(":")[2].removesuffix("/metrics"))
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert "batcher_rows" in asked(url)
    assert capfd.readouterr().err == ""


class Live:
    """A run in a process of its own that can be scraped."""

    def __init__(self, folder: Path, *options: str) -> None:
        words = ("run", "prompts.jsonl", "--simulate", "--sim-latency", "0.002")
        self.process = subprocess.Popen(  # noqa: S603 -- our own command
            command(*words, "--metrics-port", "0", "--metrics-file", "run.prom", *options),
            cwd=folder,
            env=variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = self._told()

    def _told(self) -> str:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if found := re.search(r"Metrics at (http://[^\"]+)", line):
                return found[1]
        pytest.fail("it never said where")

    def paused(self) -> dict[tuple[str, ...], float]:
        """Scrape until no call may be made, none is in flight, and all that came is recorded."""
        for _ in range(5_000):
            found = samples(iter(plain_families(asked(self.url))))
            still = found["batcher_paused",] and not found["batcher_calls_in_flight",]
            if still and found["batcher_rows", "result"] == found["batcher_attempts_total", "ok"]:
                return found
        pytest.fail("it never paused")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        return self.process.returncode


def counts(folder: Path) -> Counts:
    with CheckpointReader.read(folder / "prompts.batch" / "checkpoint.db") as checkpoint:
        return checkpoint.counts()


def test_a_live_run_is_scraped_and_says_what_its_checkpoint_says(tmp_path: Path) -> None:
    """The endpoint goes down in its middle; then a signal ends it, and the file says so."""
    rows = [{"id": str(n), "prompt": f"Say {n}."} for n in range(20_000)]
    (tmp_path / "prompts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    live = Live(tmp_path, "--sim-fault", "500=0.05", "--sim-outage", "1+600")
    try:
        found, known = live.paused(), counts(tmp_path)
        assert 0 < known.results < len(rows)
        assert found["batcher_rows", "result"] == known.results
        assert found["batcher_rows", "error"] == known.error_rows
        assert found["batcher_rows", "pending"] == len(rows) - known.rows
        assert found["batcher_attempts_total", "ok"] == known.results
        assert found["batcher_attempts_total", "server_error"] > 0
        assert found["batcher_tokens_total", "prompt"] == known.prompt_tokens
        assert found["batcher_tokens_total", "completion"] == known.completion_tokens
        assert found["batcher_run_active",] == 1
    finally:
        code = live.end()
    assert code == 128 + signal.SIGTERM
    last = samples(iter(plain_families((tmp_path / "run.prom").read_text("utf-8"))))
    known = counts(tmp_path)
    assert last["batcher_rows", "result"] == known.results
    assert last["batcher_rows", "pending"] == len(rows) - known.rows
    assert last["batcher_run_ended", "interrupted"] == 1
    assert last["batcher_run_active",] == 0
    assert not any(name.startswith("process_") for name, *_ in last)
