"""The figures and traces of a run, brought to where its job wants them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from batcher import __version__
from batcher.checkpoint import CheckpointReader
from batcher.errors import ConfigurationError
from batcher.history import Ended
from batcher.job import JobSpec
from batcher.observe import Watcher
from batcher.observe.metrics import Figures, News, RunFacts
from batcher.observe.metrics.texts import encodable
from batcher.recorded import Counts
from batcher.render.images import shortened
from batcher.runs.calling import Callee
from batcher.runs.directory import RunDirectory

_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class Meters:
    """Watchers that are to be told; and how the calls ended, None until they have.

    `hurried` says that a signal has come.
    """

    watchers: tuple[Watcher, ...] = ()
    ended: Ended | None = None
    hurried: bool = False


@contextlib.contextmanager
def metering(
    job: JobSpec,
    callee: Callee,
    directory: RunDirectory,
    on_notice: Callable[[str], None],
    *,
    whole: bool,
) -> Iterator[Meters]:
    """Yield what measures the calls of the block; with `whole`, they are about all of the input.

    Raises:
        ConfigurationError: they cannot be brought where the job wants them; before any call.
    """
    wanted = job.observe
    if wanted.otel_content and not wanted.otel:
        raise ConfigurationError(
            "--otel-content puts prompts and answers into traces, of which there are none without "
            "--otel; give both, or neither"
        )
    if wanted.metrics_port is None and wanted.metrics_file is None and not wanted.otel:
        yield Meters()
        return

    def counts() -> Counts:
        # A connection of its own: another thread asks.
        with CheckpointReader.read(directory.checkpoint) as checkpoint:
            return checkpoint.counts()

    figures = Figures(_facts(job, callee, directory), counts, whole)
    news = News(on_notice)
    meters = Meters((figures, news))
    with contextlib.ExitStack() as stack:
        stack.callback(news.pulse)
        if wanted.otel:
            meters.watchers += stack.enter_context(_telemetry(job, figures, news, meters))
        if wanted.metrics_port is not None:
            stack.enter_context(_endpoint(wanted.metrics_port, figures, news))
        if wanted.metrics_file is not None:
            stack.enter_context(_file(Path(wanted.metrics_file), figures, news))
        # First of all, so that the last figures say how it ended.
        stack.callback(lambda: figures.end(meters.ended))
        yield meters


def _facts(job: JobSpec, callee: Callee, directory: RunDirectory) -> RunFacts:
    url = urlsplit(callee.provider.base_url)
    simulated = callee.simulator is not None
    return RunFacts(
        run=encodable(directory.path.resolve().name),
        version=__version__,
        provider=callee.provider.name,
        model=encodable(job.provider.model or ""),
        simulated=simulated,
        address=None if simulated else url.hostname,
        port=None if simulated else url.port or _PORTS.get(url.scheme),
        streamed=job.provider.stream,
    )


@contextlib.contextmanager
def _endpoint(given: int | str, figures: Figures, news: News) -> Iterator[None]:
    # Here and below: loaded only where it is wanted, since it takes its time.
    from batcher.observe.metrics import prometheus  # noqa: PLC0415

    registry = prometheus.registry_of(figures.facts.run, figures.samples, of_process=True)
    with prometheus.served(*prometheus.address_of(given), registry) as url:
        news.tell(f"Metrics at {url}")
        yield


@contextlib.contextmanager
def _file(path: Path, figures: Figures, news: News) -> Iterator[None]:
    from batcher.observe.metrics import prometheus, textfile  # noqa: PLC0415

    registry = prometheus.registry_of(figures.facts.run, figures.samples)
    with textfile.kept_current(path, lambda: prometheus.text_of(registry), news.tell):
        yield


@contextlib.contextmanager
def _telemetry(
    job: JobSpec, figures: Figures, news: News, meters: Meters
) -> Iterator[tuple[Watcher, ...]]:
    # The SDK's own word for it.
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield ()
        return
    try:
        from batcher.observe.metrics.otel import instruments, sending, spans  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"--otel needs OpenTelemetry ({error}): pip install '.[otel]' in a checkout of batcher"
        ) from None
    described = {"service.name": "batcher", "service.version": __version__}
    with sending.sending(news.tell, described, trust_env=job.provider.trust_env) as sender:
        made = spans.Spans(
            sender.traces.get_tracer("batcher", __version__),
            figures,
            shortened if job.observe.otel_content else None,
        )
        measured = instruments.Instruments(
            sender.metrics.get_meter("batcher", __version__), figures
        )
        try:
            yield made, measured
        finally:
            made.end()
            sender.hurried = meters.ended is None or meters.hurried
