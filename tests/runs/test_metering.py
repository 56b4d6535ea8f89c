"""A run's figures and traces, brought to where its job wants them; whole runs, in this process."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import urllib.request
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from prometheus_client.parser import text_string_to_metric_families

from batcher.checkpoint import CheckpointReader, ErrorChoice
from batcher.errors import ConfigurationError, ErrorClass
from batcher.recorded import Counts
from batcher.simulator import SimulatorConfig
from tests.commands import ran, variables
from tests.otlp import attributes, collecting
from tests.pictures import bare, noisy_picture
from tests.simulated import Place, Silent

FAULTY = SimulatorConfig(latency_s=0, faults={"1301": 0.4})


def figures(place: Place) -> dict[tuple[str, ...], float]:
    """Return the samples of the run's file, by name and the values of their own labels."""
    text = (place.folder / "run.prom").read_text("utf-8")
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.labels["run"] == "prompts.batch"
            own = sorted(name for name in sample.labels if name != "run")
            found[sample.name, *(sample.labels[name] for name in own)] = sample.value
    return found


def counts(place: Place) -> Counts:
    with CheckpointReader.read(place.directory.checkpoint) as checkpoint:
        return checkpoint.counts()


def observed(place: Place, **observe: object) -> dict[str, Any]:
    return {"job": place.job(observe={"report": False, **observe})}


def test_the_file_has_the_sums_of_the_checkpoint_at_the_end(place: Place) -> None:
    wanted = observed(place, metrics_file=str(place.folder / "run.prom"))
    place.run(**wanted, simulator=FAULTY)
    found, known = figures(place), counts(place)
    assert 0 < known.error_rows < 10
    assert found["batcher_rows", "result"] == known.results
    assert found["batcher_rows", "error"] == known.error_rows
    assert found["batcher_rows", "pending"] == 0
    assert found["batcher_error_rows", "content_filtered"] == known.error_rows
    assert found["batcher_attempts_total", "ok"] == known.results
    assert found["batcher_tokens_total", "completion"] == known.completion_tokens
    assert found["batcher_run_ended", "done"] == 1


@pytest.mark.parametrize("only", [None, ErrorChoice(frozenset({ErrorClass.CONTENT_FILTERED}))])
def test_errors_that_are_called_again_are_no_errors_any_more(
    place: Place, only: ErrorChoice | None
) -> None:
    """With --retry-errors as by `batcher retry`: the checkpoint alone knows which they were."""
    wanted = observed(place, metrics_file=str(place.folder / "run.prom"))
    place.run(**wanted, simulator=FAULTY)
    errors = counts(place).error_rows
    place.run(**wanted, retry_errors=only is None, only=only)
    found = figures(place)
    assert found["batcher_rows", "result"] == 10
    assert found["batcher_rows", "error"] == found["batcher_rows_left",] == 0
    assert found["batcher_attempts_total", "ok"] == errors


async def _broken(_seconds: float) -> None:
    """Wait before a call is made again: not possible."""
    raise ZeroDivisionError


def broken_off(place: Place, **observe: object) -> None:
    """Run until the first call that is to be made again, which ends it by an error of ours."""
    failing = SimulatorConfig(latency_s=0, faults={"500": 1.0})
    session = place.session(**observed(place, **observe), simulator=failing)
    with pytest.raises(ZeroDivisionError):
        replace(session, timing=replace(session.timing, sleep=_broken)).run()


def test_a_run_that_is_broken_off_has_its_last_word_in_the_file(place: Place) -> None:
    broken_off(place, metrics_file=str(place.folder / "run.prom"))
    found = figures(place)
    assert found["batcher_run_ended", "failed"] == 1
    assert found["batcher_run_active",] == 0
    assert ("batcher_run_completed_timestamp_seconds",) not in found


def test_a_file_that_cannot_be_written_is_a_notice_and_the_run_goes_on(place: Place) -> None:
    class Listener(Silent):
        def __init__(self) -> None:
            self.heard: list[str] = []

        def notice(self, text: str) -> None:
            self.heard.append(text)

    listener = Listener()
    wanted = observed(place, metrics_file=str(place.folder / "missing" / "run.prom"))
    result = replace(place.session(**wanted), watcher=listener).run()
    assert result.summary.pending == 0
    (text,) = listener.heard
    assert text.startswith("Cannot write the metrics to ")
    assert text in place.directory.log.read_text("utf-8")


def test_the_address_is_told_and_nobody_listens_there_afterwards(place: Place) -> None:
    class Asking(Silent):
        def __init__(self) -> None:
            self.text = ""
            self.url = ""

        def notice(self, text: str) -> None:
            self.url = text.removeprefix("Metrics at ")
            with urllib.request.urlopen(self.url, timeout=60) as answer:  # noqa: S310 -- ours
                self.text = answer.read().decode("utf-8")

    asking = Asking()
    replace(place.session(**observed(place, metrics_port="0")), watcher=asking).run()
    assert 'batcher_run_active{run="prompts.batch"} 1.0' in asking.text
    assert "process_cpu_seconds_total" in asking.text
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(asking.url, timeout=60)  # noqa: S310 -- ours


@pytest.mark.parametrize(
    ("observe", "said"),
    [
        ({"metrics_port": "70000"}, "at most 65535"),
        ({"metrics_file": "run.txt"}, "end in .prom"),
        ({"otel_content": True}, "give both, or neither"),
    ],
)
def test_what_cannot_be_is_said_before_any_call(
    place: Place, observe: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        place.run(**observed(place, **observe))
    assert place.ledger() == []


def test_of_a_part_of_the_input_only_its_own_rows_are_pending(place: Place) -> None:
    (place.folder / "prompts.jsonl").rename(place.folder / "in.jsonl")
    words = ("run", "in.jsonl", "-o", "prompts.batch", "--simulate", "--sim-latency", "0")
    done = ran(place.folder, *words, "--limit", "4", "--metrics-file", "run.prom")
    assert done.returncode == 0, done.stderr
    found = figures(place)
    assert (found["batcher_rows", "result"], found["batcher_rows", "pending"]) == (4, 0)


def test_without_the_extra_it_says_what_to_install(place: Place) -> None:
    script = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from batcher.cli import main; main(sys.argv[1:])"
    )
    words = ("run", "prompts.jsonl", "--simulate", "--otel")
    done = subprocess.run(  # noqa: S603 -- our own command
        (sys.executable, "-c", script, *words),
        cwd=place.folder,
        env=variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78
    assert "pip install '.[otel]' in a checkout of batcher" in done.stderr
    assert place.ledger() == []


def test_a_plain_run_loads_none_of_their_libraries(place: Place) -> None:
    """They take as long to load as a short run takes."""
    script = (
        "import sys, json\n"
        "from batcher.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    )
    words = ("run", "prompts.jsonl", "--simulate", "--sim-latency", "0")
    done = subprocess.run(  # noqa: S603 -- our own command
        (sys.executable, "-c", script, *words),
        cwd=place.folder,
        env=variables(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "httpx2" in loaded
    assert loaded.isdisjoint({"prometheus_client", "opentelemetry", "requests"})


def test_spans_of_a_run_in_this_process_are_sent_and_logging_is_left_as_it_was(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by `batcher.run` in a program that may log and trace by itself."""
    logger = logging.getLogger("opentelemetry")
    before = logger.propagate, list(logger.handlers)
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        place.run(**observed(place, otel=True), simulator=FAULTY)
    assert len(collector.calls) == counts(place).attempts
    assert attributes(collector.run.attributes)["batcher.ended"] == "done"
    assert (logger.propagate, logger.handlers) == before


def test_a_run_that_is_broken_off_ends_its_span_as_an_error(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        broken_off(place, otel=True)
    assert attributes(collector.run.attributes)["batcher.ended"] == "failed"
    assert collector.run.status.code == Status.STATUS_CODE_ERROR


def test_a_disabled_sdk_makes_no_telemetry(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_SDK_DISABLED", "TRUE")
        place.run(**observed(place, otel=True))
    assert collector.bodies == []
    assert len(place.results()) == 10


def test_images_are_told_by_their_size_only(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bare(noisy_picture(64))
    place.write([{"id": "a", "prompt": "What is this?", "photo": f"data:image/png;base64,{data}"}])
    job = place.job(
        prompt={"image_columns": ["photo"]},
        observe={"report": False, "otel": True, "otel_content": True},
        provider={"model": "glm-4.6v"},
    )
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        place.run(job)
    assert len(place.results()) == 1
    (span,) = collector.calls
    asked = str(attributes(span.attributes)["gen_ai.input.messages"])
    assert "What is this?" in asked
    assert '"modality": "image"' in asked
    assert data not in asked
