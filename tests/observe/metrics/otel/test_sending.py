"""Spans on their way to a collector: what is lost is counted, and nothing waits for long."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from batcher.checkpoint import CheckpointReader
from batcher.errors import ConfigurationError
from batcher.observe.metrics.otel.sending import (
    FLUSH_S,
    HURRIED_S,
    Delivery,
    Sender,
    check_environment,
)
from batcher.recorded import Counts
from batcher.simulator import read_ledger
from tests.commands import ran
from tests.otlp import Collector, attributes, collecting

CANARY = "canary-of-the-collector"
FAULTS = ("--sim-fault", "500=0.1", "--sim-fault", "1302=0.05", "--sim-fault", "reset=0.05")
ROWS = 150


def _prepared(folder: Path) -> Path:
    """Put an input there whose prompts can be told from all else."""
    rows = [{"id": f"id-{n}", "prompt": f"A prompt that is private, {n}"} for n in range(ROWS)]
    (folder / "prompts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an input."""
    return _prepared(tmp_path)


def run(folder: Path, *options: str, **more: str) -> tuple[list[str], Counts]:
    """Run it with --otel; return what was told on stderr, and the sums."""
    words = ("run", "prompts.jsonl", "--simulate", "--sim-latency", "0.002", "--otel", *options)
    done = ran(folder, *words, **more)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stderr.splitlines()]
    with CheckpointReader.read(folder / "prompts.batch" / "checkpoint.db") as checkpoint:
        counts = checkpoint.counts()
    return [event["text"] for event in events if event["event"] == "notice"], counts


def failures(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "prompts.batch" / "log.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return [event for event in events if event["event"] == "attempt_failed"]


class Faulty(NamedTuple):
    """A run with faults in a folder: what a collector got of it, and its sums."""

    folder: Path
    collector: Collector
    counts: Counts


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Faulty:
    """Return a run with faults that all tests look at."""
    folder = _prepared(tmp_path_factory.mktemp("faulty"))
    with collecting() as collector:
        notices, counts = run(
            folder,
            *FAULTS,
            *("-p", "temperature=0", "-p", "max_tokens=64"),
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS=f"api-key={CANARY}",
        )
    assert notices == []
    return Faulty(folder, collector, counts)


def test_there_is_a_span_for_each_attempt_and_one_for_the_run(
    faulty: Faulty,
) -> None:
    """Each with its own moments, a trace of its own, and a link to the run's."""
    folder, collector, counts = faulty
    calls, whole = collector.calls, collector.run
    assert len(calls) == counts.attempts > ROWS
    assert {span.kind for span in calls} == {Span.SPAN_KIND_CLIENT}
    assert len({span.trace_id for span in collector.spans}) == len(calls) + 1
    assert {span.parent_span_id for span in collector.spans} == {b""}
    links = {(link.trace_id, link.span_id) for span in calls for link in span.links}
    assert links == {(whole.trace_id, whole.span_id)}
    by_id = {str(attributes(span.attributes)["batcher.request_id"]): span for span in calls}
    ledger = read_ledger(folder / "prompts.batch" / "simulator.jsonl")
    seen = [entry for entry in ledger if entry.request_id]
    assert len(seen) >= ROWS
    for entry in seen:
        span = by_id[str(entry.request_id)]
        began, ended = span.start_time_unix_nano / 1e9, span.end_time_unix_nano / 1e9
        assert whole.start_time_unix_nano / 1e9 <= began <= entry.arrived_at <= ended
    for failure in failures(folder):
        span = by_id[failure["request_id"]]
        seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
        assert seconds == pytest.approx(failure["latency_s"], abs=1e-4)


def test_a_failed_attempt_says_of_which_kind_and_an_answer_what_it_took(
    faulty: Faulty,
) -> None:
    folder, collector, counts = faulty
    told = [(span, attributes(span.attributes)) for span in collector.calls]
    errors = [(span, found) for span, found in told if span.status.code == Status.STATUS_CODE_ERROR]
    logged = Counter(failure["error_class"] for failure in failures(folder))
    assert Counter(found["error.type"] for _, found in errors) == logged
    assert len(logged) == 3
    codes = {found.get("http.response.status_code") for _, found in errors}
    assert codes == {500, 429, None}
    assert {span.status.message for span, _ in errors} == {""}
    good = [found for span, found in told if "error.type" not in found]
    assert len(good) == counts.results
    assert {found["gen_ai.request.model"] for found in good} == {"glm-4-flash"}
    assert {found["gen_ai.request.temperature"] for found in good} == {0.0}
    assert {found["gen_ai.request.max_tokens"] for found in good} == {64}
    reasons = [found["gen_ai.response.finish_reasons"] for found in good]
    assert reasons.count(["length"]) == counts.truncated
    assert reasons.count(["stop"]) == counts.results - counts.truncated
    for name, total in (
        ("gen_ai.usage.input_tokens", counts.prompt_tokens),
        ("gen_ai.usage.output_tokens", counts.completion_tokens),
    ):
        assert sum(cast("int", found[name]) for found in good) == total
    assert {found["batcher.row"] for found in good} == set(range(ROWS))
    # The simulator is no address of the provider's.
    assert not any("server.address" in found for _, found in told)


def test_the_span_of_the_run_has_the_sums_of_its_process(
    faulty: Faulty,
) -> None:
    _, collector, counts = faulty
    found = attributes(collector.run.attributes)
    assert found["batcher.run"] == "prompts.batch"
    assert found["batcher.simulated"] is True
    assert found["batcher.ended"] == "done"
    assert (found["batcher.results"], found["batcher.errors"]) == (ROWS, 0)
    assert found["batcher.attempts"] == counts.attempts
    assert found["batcher.retries"] == counts.attempts - ROWS
    assert found["batcher.tokens.completion"] == counts.completion_tokens
    assert collector.run.status.code == Status.STATUS_CODE_UNSET


def test_no_text_of_a_row_or_an_answer_is_in_what_is_sent(
    faulty: Faulty,
) -> None:
    folder, collector, _ = faulty
    sent = b"".join(collector.bodies)
    assert b"glm-4-flash" in sent
    assert b"private" not in sent
    assert b"id-7" not in sent
    with CheckpointReader.read(folder / "prompts.batch" / "checkpoint.db") as checkpoint:
        for answer in checkpoint.outcomes():
            assert answer.response is not None
            assert answer.response.encode() not in sent


def test_the_key_of_the_collector_is_in_no_file_of_the_run(
    faulty: Faulty,
) -> None:
    folder, collector, _ = faulty
    assert {headers.get("api-key") for headers in collector.headers} == {CANARY}
    for path in (folder / "prompts.batch").iterdir():
        assert CANARY.encode() not in path.read_bytes()


def test_metrics_have_the_conventions_histograms_and_the_figures_of_prometheus(
    faulty: Faulty,
) -> None:
    _, collector, counts = faulty
    metrics = collector.last_metrics()
    durations = metrics["gen_ai.client.operation.duration"]
    assert durations.unit == "s"
    points = list(durations.histogram.data_points)
    assert sum(point.count for point in points) == counts.attempts
    assert list(points[0].explicit_bounds)[:3] == [0.01, 0.02, 0.04]
    tokens = {
        str(attributes(point.attributes)["gen_ai.token.type"]): point.sum
        for point in metrics["gen_ai.client.token.usage"].histogram.data_points
    }
    assert tokens == {"input": counts.prompt_tokens, "output": counts.completion_tokens}
    rows = {
        str(attributes(point.attributes)["state"]): point.as_double or point.as_int
        for point in metrics["batcher.rows"].gauge.data_points
    }
    assert rows == {"result": ROWS, "error": 0, "pending": 0}
    attempts = metrics["batcher.attempts"].sum
    assert attempts.is_monotonic
    assert sum(point.as_int for point in attempts.data_points) == counts.attempts


def test_the_environment_names_the_service_and_batcher_does_where_it_does_not(
    folder: Path,
) -> None:
    with collecting() as collector:
        run(folder, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert collector.resource["service.name"] == "batcher"
    (folder / "prompts.batch").rename(folder / "first.batch")
    with collecting() as named:
        run(
            folder,
            OTEL_EXPORTER_OTLP_ENDPOINT=named.url,
            OTEL_SERVICE_NAME="nightly",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test",
        )
    assert named.resource["service.name"] == "nightly"
    assert named.resource["deployment.environment"] == "test"
    assert named.resource["service.version"] == collector.resource["service.version"]


def test_a_sampler_of_the_environment_takes_or_leaves_single_calls(folder: Path) -> None:
    with collecting() as collector:
        notices, counts = run(
            folder,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_TRACES_SAMPLER="traceidratio",
            OTEL_TRACES_SAMPLER_ARG="0.3",
        )
    assert 0 < len(collector.calls) < counts.attempts
    assert notices == []


@pytest.mark.parametrize(
    "disabled",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
    ],
)
def test_what_the_environment_turns_off_sends_nothing(
    folder: Path, disabled: dict[str, str]
) -> None:
    with collecting() as collector:
        notices, _ = run(folder, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **disabled)
    assert (collector.bodies, notices) == ([], [])


def test_a_collector_that_is_not_there_costs_a_notice_and_the_spans(folder: Path) -> None:
    """And not a line of a traceback: stderr holds events only, or `run` could not read them."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        url = f"http://user:{CANARY}@{place}/{CANARY}"
        notices, counts = run(folder, OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert counts.results == ROWS
    spans = counts.attempts + 1
    assert notices == [
        f"OpenTelemetry: http://{place} cannot be reached; the run goes on, spans may be lost",
        f"OpenTelemetry: {spans} of {spans} spans lost: the collector cannot be reached",
    ]


@pytest.mark.parametrize(("trusted", "spans"), [("--no-trust-env", True), ("--trust-env", False)])
def test_a_proxy_of_the_environment_is_used_only_where_it_is_trusted(
    folder: Path, trusted: str, *, spans: bool
) -> None:
    with collecting() as collector, collecting(status=502) as proxy:
        run(
            folder,
            trusted,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url.replace("127.0.0.1", "localhost"),
            http_proxy=proxy.url,
            no_proxy="127.0.0.1",
        )
    assert bool(collector.spans) == spans
    assert bool(proxy.bodies) != spans


def test_a_collector_that_refuses_is_quoted_by_its_status(folder: Path) -> None:
    with collecting(status=401) as collector:
        notices, counts = run(folder, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert counts.results == ROWS
    assert notices[0] == (
        f"OpenTelemetry: {collector.url} answers 401; the run goes on, spans may be lost"
    )
    assert len(notices) == 2


def test_a_redirect_of_a_collector_is_a_refusal_and_is_not_followed(folder: Path) -> None:
    """The headers hold keys, which are for no other address."""
    with collecting() as other, collecting(307, f"{other.url}/v1/traces") as collector:
        notices, counts = run(folder, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert other.bodies == []
    spans = counts.attempts + 1
    assert notices == [
        f"OpenTelemetry: {collector.url} answers 307; the run goes on, spans may be lost",
        f"OpenTelemetry: {spans} of {spans} spans lost: the collector answers 307",
    ]


def test_spans_that_the_queue_has_no_room_for_are_counted(folder: Path) -> None:
    with collecting() as collector:
        notices, counts = run(
            folder,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_BSP_MAX_QUEUE_SIZE="1",
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE="1",
            OTEL_BSP_SCHEDULE_DELAY="600000",
        )
    sent, spans = len(collector.spans), counts.attempts + 1
    assert 0 < sent < spans
    (notice,) = notices
    assert notice.startswith(
        f"OpenTelemetry: {spans - sent} of {spans} spans lost: they came faster"
    )


def test_with_content_prompts_and_answers_are_there_and_else_they_are_refused(
    folder: Path,
) -> None:
    with collecting() as collector:
        run(folder, "--otel-content", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    by_row = {
        cast("int", found["batcher.row"]): found
        for found in (attributes(span.attributes) for span in collector.calls)
    }
    asked = json.loads(str(by_row[7]["gen_ai.input.messages"]))
    part = {"type": "text", "content": "A prompt that is private, 7"}
    assert asked == [{"role": "user", "parts": [part]}]
    (answer,) = json.loads(str(by_row[7]["gen_ai.output.messages"]))
    with CheckpointReader.read(folder / "prompts.batch" / "checkpoint.db") as checkpoint:
        texts = {one.row: one.response for one in checkpoint.outcomes()}
    assert answer["parts"] == [{"type": "text", "content": texts[7]}]
    assert answer["finish_reason"] == "stop"
    alone = ran(folder, "run", "prompts.jsonl", "--simulate", "--otel-content")
    assert alone.returncode == 78
    assert "give both, or neither" in alone.stderr


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "port 4318"),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, "'http/json'"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"}, "must begin with http://"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "OTEL_TRACES_EXPORTER is 'console'"),
        ({"OTEL_METRICS_EXPORTER": "prometheus"}, "OTEL_METRICS_EXPORTER"),
    ],
)
def test_what_the_environment_wants_and_there_is_not_is_refused(
    variables: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check_environment(variables)


def test_an_empty_variable_counts_as_not_set() -> None:
    names = ("TRACES_EXPORTER", "EXPORTER_OTLP_PROTOCOL", "EXPORTER_OTLP_ENDPOINT")
    check_environment({f"OTEL_{name}": "" for name in names})


def test_a_queue_that_cannot_be_is_refused_before_any_call(folder: Path) -> None:
    done = ran(folder, "run", "prompts.jsonl", "--simulate", "--otel", OTEL_BSP_MAX_QUEUE_SIZE="-1")
    assert done.returncode == 78
    assert "OTEL_BSP" in done.stderr
    assert not (folder / "prompts.batch" / "simulator.jsonl").exists()


class _Stuck:
    """A provider that does not come to its end until it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()

    def shutdown(self) -> None:
        self.let.wait()


class _Clock:
    """Each look at it takes half a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.5
        return self.now


@pytest.mark.parametrize(
    ("hurried", "failing", "patience"),
    [(False, False, FLUSH_S), (True, False, HURRIED_S), (False, True, HURRIED_S)],
)
def test_the_end_waits_only_so_long_for_a_collector_that_hangs(
    *, hurried: bool, failing: bool, patience: float
) -> None:
    stuck, clock = _Stuck(), _Clock()
    delivery = Delivery(lambda _text: None, failing=failing)
    sender = Sender(
        cast("TracerProvider", stuck), cast("MeterProvider", stuck), delivery, hurried=hurried
    )
    assert not sender.close(clock)
    assert patience < clock.now - 0.5 <= patience + 1.0
    stuck.let.set()


def test_trouble_is_told_once_and_a_success_ends_it() -> None:
    told: list[str] = []
    delivery = Delivery(told.append)
    delivery.failed("cannot be reached", "https://collector.example/v1/traces?key=secret")
    delivery.failed("answers 503", "https://collector.example/v1/traces?key=secret")
    (text,) = told
    assert text.startswith(
        "OpenTelemetry: https://collector.example cannot be reached; the run goes"
    )
    assert delivery.failing
