"""Spans and metrics on their way to a collector, by OTLP over HTTP, from the SDK's own threads.

The environment's OTEL_* say where to, and are read by the SDK. Whatever happens there neither stops
nor delays a run: what cannot be sent is dropped, and counted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from requests.adapters import HTTPAdapter

from batcher.errors import ConfigurationError

FLUSH_S = 5.0
"""How long the end of a run waits for what is still to be sent."""

HURRIED_S = 0.5
"""The same where a signal ends the run, or nothing could be sent before."""

_PROTOCOL = "http/protobuf"
_SCHEMES = ("http://", "https://")
_POLL_S = 0.02
_REDIRECTS = 300
_LOG = logging.getLogger("opentelemetry")


@dataclass(slots=True)
class Delivery:
    """How sending goes: of `sampled` spans that ended, so many were `sent`, or `refused`.

    `why` is the last trouble there was, and `failing` says whether it goes on. `tell` hears of the
    first, in a thread of the SDK.
    """

    tell: Callable[[str], None]
    sampled: int = 0
    sent: int = 0
    refused: int = 0
    why: str | None = None
    failing: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def failed(self, why: str, url: str | None) -> None:
        """Take down why something was not taken at `url`; say so the first time."""
        with self._lock:
            first, self.why, self.failing = self.why is None, why, True
        if first:
            # Neither user nor path nor query: they may hold a key.
            place = urlsplit(url or "")
            where = f"{place.scheme}://{place.netloc.rpartition('@')[2]}"
            self.tell(f"OpenTelemetry: {where} {why}; the run goes on, spans may be lost")

    def lost(self) -> str | None:
        """Say how many spans were not sent, if any."""
        missing = self.sampled - self.sent
        if not missing:
            return None
        why = "they came faster than they were taken"
        if self.why or self.refused:
            why = f"the collector {self.why}" if self.why else "they cannot be written as OTLP"
        return f"OpenTelemetry: {missing:,} of {self.sampled:,} spans lost: {why}"


class _Adapter(HTTPAdapter):
    """Sends requests, and tells how that went: the SDK writes it into logs only."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__()
        self._delivery = delivery

    def send(
        self,
        request: requests.PreparedRequest,
        *args: Any,  # noqa: ANN401 -- they are passed on as they are
        **kwargs: Any,  # noqa: ANN401
    ) -> requests.Response:
        """See `HTTPAdapter.send`."""
        try:
            response = super().send(request, *args, **kwargs)
        except requests.RequestException as error:
            self._delivery.failed(_reason(error), request.url)
            raise
        # A redirect is not followed: the headers hold keys.
        if response.status_code < _REDIRECTS:
            self._delivery.failing = False
        else:
            self._delivery.failed(f"answers {response.status_code}", request.url)
        return response


def _reason(error: requests.RequestException) -> str:
    # Their own texts hold the whole address.
    match error:
        case requests.Timeout():
            return "did not answer in time"
        case requests.exceptions.SSLError():
            return "has no certificate that can be trusted"
        case requests.exceptions.ProxyError():
            return "cannot be reached through the proxy"
        case _:
            return "cannot be reached"


class _Counted(SpanExporter):
    """Counts the spans that its exporter has sent."""

    def __init__(self, exporter: SpanExporter, delivery: Delivery) -> None:
        self._exporter = exporter
        self._delivery = delivery

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._delivery.sent += len(spans)
        else:
            self._delivery.refused += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _Batches(BatchSpanProcessor):
    """Counts the spans that are to be sent; of those that its queue has no room for some are lost.

    Its queue is bounded by OTEL_BSP_MAX_QUEUE_SIZE.
    """

    def __init__(self, exporter: SpanExporter, delivery: Delivery) -> None:
        super().__init__(_Counted(exporter, delivery))
        self._delivery = delivery

    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is not None and context.trace_flags.sampled:
            self._delivery.sampled += 1
        super().on_end(span)


@dataclass(slots=True)
class Sender:
    """Where spans and metrics are given to; `close` sends what is left."""

    traces: TracerProvider
    metrics: MeterProvider
    delivery: Delivery
    hurried: bool = False

    def close(self, monotonic: Callable[[], float] = time.monotonic) -> bool:
        """Send what is left, as far as there is time; return whether all threads have ended."""
        threads = [
            threading.Thread(target=_quietly, args=(shut,), daemon=True)
            for shut in (self.traces.shutdown, self.metrics.shutdown)
        ]
        for thread in threads:
            thread.start()
        began = monotonic()
        while any(thread.is_alive() for thread in threads):
            hopeless = self.hurried or self.delivery.failing
            if monotonic() - began > (HURRIED_S if hopeless else FLUSH_S):
                return False
            threads[0].join(_POLL_S)
            threads[1].join(_POLL_S)
        return True


def _quietly(work: Callable[[], None]) -> None:
    # What it raises says only that time was short, which `Delivery` knows better.
    with contextlib.suppress(Exception):
        work()


def check_environment(variables: Mapping[str, str]) -> None:
    """Refuse what cannot be done.

    Raises:
        ConfigurationError: the environment wants another exporter or protocol than there is.
    """
    for signal in ("TRACES", "METRICS"):
        name = f"OTEL_{signal}_EXPORTER"
        if variables.get(name, "otlp") not in ("otlp", "none", ""):
            raise ConfigurationError(
                f"{name} is {variables[name]!r}; --otel knows `otlp` (by default) and `none`"
            )
        for name in (f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
            # The value may hold a key.
            if (url := variables.get(name)) and not url.startswith(_SCHEMES):
                raise ConfigurationError(f"{name} must begin with http:// or https://")
        for name in (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
            if variables.get(name, _PROTOCOL) not in (_PROTOCOL, ""):
                raise ConfigurationError(
                    f"{name} is {variables[name]!r}; --otel sends {_PROTOCOL}, which collectors "
                    "take at port 4318: set it so, and OTEL_EXPORTER_OTLP_ENDPOINT to that address"
                )


@contextlib.contextmanager
def sending(
    tell: Callable[[str], None],
    attributes: Mapping[str, str],
    variables: Mapping[str, str] = os.environ,
    *,
    trust_env: bool,
) -> Iterator[Sender]:
    """Send what the block makes; at its end, `tell` how many spans were lost.

    A proxy of the environment is used with `trust_env` only. `attributes` describe this process
    where OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME do not.

    Raises:
        ConfigurationError: the environment wants what there is not.
    """
    check_environment(variables)
    delivery = Delivery(tell)

    def session() -> requests.Session:
        made = requests.Session()
        made.trust_env = trust_env
        made.max_redirects = 0
        for scheme in _SCHEMES:
            made.mount(scheme, _Adapter(delivery))
        return made

    propagated, silent = _LOG.propagate, logging.NullHandler()
    _LOG.propagate = False
    _LOG.addHandler(silent)
    resource = Resource(attributes).merge(_given())
    try:
        sender = _sender(resource, session, delivery, variables)
    except ValueError as error:
        raise ConfigurationError(f"OTEL_BSP_... or OTEL_METRIC_...: {error}") from None
    try:
        yield sender
    finally:
        if sender.close():
            # Threads that go on would write to stderr what is known already.
            _LOG.propagate = propagated
            _LOG.removeHandler(silent)
        if (lost := delivery.lost()) is not None:
            tell(lost)


def _sender(
    resource: Resource,
    session: Callable[[], requests.Session],
    delivery: Delivery,
    variables: Mapping[str, str],
) -> Sender:
    traces = TracerProvider(resource=resource, shutdown_on_exit=False)
    if variables.get("OTEL_TRACES_EXPORTER") != "none":
        traces.add_span_processor(_Batches(OTLPSpanExporter(session=session()), delivery))
    readers = []
    if variables.get("OTEL_METRICS_EXPORTER") != "none":
        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter(session=session())))
    return Sender(traces, MeterProvider(readers, resource, shutdown_on_exit=False), delivery)


def _given() -> Resource:
    """Return what the environment says of this process, less the name that the SDK makes up."""
    resource = Resource.create()
    named = str(resource.attributes.get("service.name", ""))
    if not named.startswith("unknown_service"):
        return resource
    kept = {name: of for name, of in resource.attributes.items() if name != "service.name"}
    return Resource(kept, resource.schema_url)
