"""The figures as Prometheus reads them: at an address of this process, or as text for a file."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from socketserver import ThreadingTCPServer
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client import generate_latest as text_of
from prometheus_client.exposition import MetricsHandler
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from batcher.errors import ConfigurationError
from batcher.observe.metrics.families import Family, Kind
from batcher.observe.metrics.figures import BUCKETS_S, Sample, Samples, Spread

LOOPBACK = "127.0.0.1"
_LOOPBACK = (LOOPBACK, "::1", "localhost")
_MOST_PORT = 65535
# How soon the server's thread sees that it is to end.
_POLL_S = 0.05

__all__ = ["address_of", "registry_of", "served", "text_of"]


class _Figures(Collector):
    """Makes Prometheus' families of the samples, whenever it is asked."""

    def __init__(self, run: str, samples: Callable[[], Samples]) -> None:
        self._run = run
        self._samples = samples

    def collect(self) -> Iterable[Metric]:
        for family, samples in self._samples().items():
            yield _metric(family, samples, self._run)


def _metric(family: Family, samples: Iterable[Sample], run: str) -> Metric:
    labels = ("run", *family.labels)
    match family.kind:
        case Kind.GAUGE:
            gauge = GaugeMetricFamily(family.name, family.text, labels=labels)
            for sample in samples:
                gauge.add_metric((run, *sample.labels), _number(sample))
            return gauge
        case Kind.COUNTER:
            counter = CounterMetricFamily(family.name, family.text, labels=labels)
            for sample in samples:
                counter.add_metric((run, *sample.labels), _number(sample))
            return counter
        case Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(family.name, family.text, labels=labels)
            for sample in samples:
                spread = sample.value
                assert isinstance(spread, Spread)  # noqa: S101 -- so a histogram's values are
                bounds = (*map(floatToGoString, BUCKETS_S), "+Inf")
                buckets = list(zip(bounds, map(float, spread.buckets), strict=True))
                histogram.add_metric((run, *sample.labels), buckets, spread.total)
            return histogram
        case Kind.INFO:
            info = InfoMetricFamily(family.name.removesuffix("_info"), family.text, labels=["run"])
            for sample in samples:
                values = dict(zip(family.labels, sample.labels, strict=True))
                info.add_metric([run], values)
            return info


def _number(sample: Sample) -> float:
    assert not isinstance(sample.value, Spread)  # noqa: S101 -- only a histogram's values are
    return sample.value


def registry_of(
    run: str, samples: Callable[[], Samples], *, of_process: bool = False
) -> CollectorRegistry:
    """Return a registry of a run's figures; `of_process` adds CPU, memory and Python's version.

    Those have no label of ours: in a file they would clash with the node exporter's own.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(run, samples))
    if of_process:
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
    return registry


def address_of(given: int | str) -> tuple[str, int]:
    """Return host and port of PORT or HOST:PORT.

    Raises:
        ConfigurationError: there is no such port.
    """
    host, _, port = str(given).rpartition(":")
    if int(port) > _MOST_PORT:
        raise ConfigurationError(f"--metrics-port {given}: a port is at most {_MOST_PORT}")
    return host.removeprefix("[").removesuffix("]") or LOOPBACK, int(port)


class _Handler(MetricsHandler):
    # A client that asks nothing holds a thread no longer than that.
    timeout = 10
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 -- http.server's name
        """Answer, if asked by this machine's name where it listens for this machine alone.

        A page of another site may have its name point here; the browser still says by which it
        asks.
        """
        # Of the server, not of this connection, which may be of this machine by chance.
        here, *_ = self.server.socket.getsockname()
        if ip_address(here).is_loopback and self._asked_by() not in (here, *_LOOPBACK):
            self.send_error(403, "ask for it by the address that batcher has printed")
            return
        super().do_GET()

    def _asked_by(self) -> str | None:
        try:
            return urlsplit(f"//{self.headers.get('Host', '')}").hostname
        except ValueError:
            return None


class _Server(ThreadingTCPServer):
    """No HTTPServer: that one asks the DNS for this machine's name, which may take its time."""

    daemon_threads = True
    # A port is free again as soon as its process has ended.
    allow_reuse_address = True

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__((host, port), _Handler.factory(registry))

    def handle_error(
        self,
        request: object,
        client_address: object,
    ) -> None:
        """Say nothing where a client leaves early: stderr is for the user."""


@contextlib.contextmanager
def served(host: str, port: int, registry: CollectorRegistry) -> Iterator[str]:
    """Serve a registry, from a thread of its own, for the length of the block; yield its URL.

    Raises:
        ConfigurationError: nothing can listen there.
    """
    try:
        server = _Server(host, port, registry)
    # UnicodeError: the host is no name that a host can have.
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such host"
        raise ConfigurationError(
            f"cannot serve metrics on {host}:{port}: {reason}; name another place with "
            "--metrics-port (of port 0 the system makes a free one), or leave it out"
        ) from None
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), daemon=True)
    thread.start()
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{server.server_address[1]}/metrics"
    finally:
        server.shutdown()
        server.server_close()
