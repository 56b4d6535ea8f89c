"""A collector of OpenTelemetry's on loopback: it reads what it gets as the protocol defines it."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector:
    """What came; it answers `status`."""

    url: str
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    traces: list[ExportTraceServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """Read one request; return the status of its answer."""
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.bodies.append(body)
        self.headers.append(headers)
        if path.endswith("/v1/traces"):
            self.traces.append(ExportTraceServiceRequest.FromString(body))
        else:
            # A proxy gets the whole address.
            assert path.endswith("/v1/metrics")
            self.metrics.append(ExportMetricsServiceRequest.FromString(body))
        return self.status

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.traces
            for of_resource in request.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        ]

    @property
    def calls(self) -> list[Span]:
        return [span for span in self.spans if span.name.startswith("chat ")]

    @property
    def run(self) -> Span:
        (span,) = (span for span in self.spans if span.name == "batcher run")
        return span

    @property
    def resource(self) -> dict[str, object]:
        return attributes(self.traces[0].resource_spans[0].resource.attributes)

    def last_metrics(self) -> dict[str, Metric]:
        return {
            metric.name: metric
            for of_resource in self.metrics[-1].resource_metrics
            for of_scope in of_resource.scope_metrics
            for metric in of_scope.metrics
        }


def attributes(pairs: object) -> dict[str, object]:
    """Return attributes as plain Python values."""
    found: dict[str, object] = {}
    for pair in pairs:  # type: ignore[attr-defined] # protobuf's containers have no common type
        assert isinstance(pair, KeyValue)
        found[pair.key] = _plain(pair.value)
    return found


def _plain(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(one) for one in value.array_value.values]
    return getattr(value, str(kind))


@contextlib.contextmanager
def collecting(status: int = 200, location: str | None = None) -> Iterator[Collector]:
    """Listen for the length of the block; where `status` is a redirect, it leads to `location`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(collector.take(self.path, headers, body))
            self.send_header("content-length", "0")
            if location is not None:
                self.send_header("location", location)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_port}", status)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
