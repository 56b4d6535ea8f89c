"""Events as lines of JSON: what is in them and what never is."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ErrorClass, Problem
from batcher.limits import Flow
from batcher.observe import AttemptLog, EventLog, Heartbeat, Tally
from batcher.observe.log import HEARTBEAT_S
from batcher.records import Attempt, Failure, Source
from tests.engines import exchange

NOON = 1_700_049_600.25  # 2023-11-15 12:00:00.250 UTC
QUOTED = "my prompt, as the provider quotes it"


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def _attempt(problem: Problem | None, number: int = 2) -> Attempt:
    return Attempt(number, "request-2", NOON, 0.123456, problem)


# --- the log ---


def test_an_event_is_a_line_with_its_moment_in_utc() -> None:
    stream = io.StringIO()
    EventLog(stream, lambda: NOON).write("run_started", done_before=3)
    assert stream.getvalue() == (
        '{"time": "2023-11-15T12:00:00.250+00:00", "event": "run_started", "done_before": 3}\n'
    )


def test_the_moment_is_that_of_the_clock_at_each_event() -> None:
    stream, clock = io.StringIO(), iter([NOON, NOON + 86_400])
    log = EventLog(stream, lambda: next(clock))
    log.write("one")
    log.write("two")
    first, second = (datetime.fromisoformat(line["time"]) for line in _lines(stream))
    assert second - first == timedelta(days=1)


def test_what_is_unknown_is_left_out_and_zero_is_known() -> None:
    stream = io.StringIO()
    EventLog(stream, lambda: NOON).write("event", total=None, done=0, text="", flag=False)
    (line,) = _lines(stream)
    assert line.keys() - {"time", "event"} == {"done", "text", "flag"}


@given(text=st.text(st.characters(), min_size=1))
def test_any_text_is_one_line_of_plain_ascii_and_comes_back(text: str) -> None:
    """Also lone surrogates, line separators and control characters of a terminal."""
    stream = io.StringIO()
    EventLog(stream, lambda: NOON).write("event", text=text)
    written = stream.getvalue()
    assert written.isascii()
    assert written.count("\n") == 1
    assert "\x1b" not in written
    assert json.loads(written)["text"] == text


def test_a_line_is_on_its_way_before_the_next_event() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(io.BufferedWriter(raw, 10_000))
    EventLog(stream, lambda: NOON).write("event")
    assert raw.getvalue().endswith(b"\n")


# --- attempts ---


def test_a_failed_attempt_is_a_line_without_the_providers_message() -> None:
    """A message may quote the prompt."""
    stream = io.StringIO()
    log = AttemptLog(EventLog(stream, lambda: NOON))
    log.attempted(7, exchange(_attempt(Problem(ErrorClass.THROTTLED, QUOTED, "1302", 429))))
    (line,) = _lines(stream)
    assert line == {
        "time": "2023-11-15T12:00:00.250+00:00",
        "event": "attempt_failed",
        "row": 7,
        "attempt": 2,
        "request_id": "request-2",
        "latency_s": 0.1235,
        "error_class": "throttled",
        "code": "1302",
        "http_status": 429,
    }
    assert QUOTED not in stream.getvalue()


def test_a_failed_attempt_for_a_further_sample_names_it() -> None:
    stream = io.StringIO()
    log = AttemptLog(EventLog(stream, lambda: NOON))
    log.attempted(7, exchange(_attempt(Problem(ErrorClass.NOT_SENT, "refused")), sample=2))
    assert (_lines(stream)[0]["row"], _lines(stream)[0]["sample"]) == (7, 2)


def test_an_attempt_that_got_no_answer_has_neither_code_nor_status() -> None:
    stream = io.StringIO()
    log = AttemptLog(EventLog(stream, lambda: NOON))
    log.attempted(7, exchange(_attempt(Problem(ErrorClass.NOT_SENT, "refused"))))
    assert _lines(stream)[0].keys().isdisjoint({"code", "http_status"})


def test_successes_and_pulses_write_nothing_and_start_and_end_do() -> None:
    stream = io.StringIO()
    log = AttemptLog(EventLog(stream, lambda: NOON))
    log.started(Tally(done_before=5), lambda: Flow(0, 8))
    log.attempted(7, exchange(_attempt(None)))
    log.pulse()
    log.finished()
    assert [(line["event"], line.get("done_before")) for line in _lines(stream)] == [
        ("run_started", 5),
        ("calls_ended", None),
    ]


@pytest.mark.parametrize("texts", [True, False])
def test_at_the_end_each_class_of_errors_names_its_first_row(*, texts: bool) -> None:
    """Of a row in our words, unless no texts are wanted; a provider's may quote the prompt."""
    stream = io.StringIO()
    log = AttemptLog(EventLog(stream, lambda: NOON), texts=texts)
    tally = Tally()
    log.started(tally, lambda: Flow(0, 8))
    source = Source("in.jsonl", 4)
    wrong = Problem(ErrorClass.INVALID_ROW, "no prompt")
    refused = Problem(ErrorClass.BAD_REQUEST, QUOTED, "1210", 400)
    for problem in (wrong, wrong, refused):
        tally.recorded(Failure(3, "id-3", None, problem, (), 0.0, source))
    log.finished()
    errors = [line for line in _lines(stream) if line.pop("event") == "errors"]
    message = {"message": "no prompt"} if texts else {}
    refusal = {"code": "1210", "http_status": 400}
    assert [{**line, "time": None} for line in errors] == [
        {"time": None, "error_class": "invalid_row", "rows": 2, "first": "in.jsonl:4", **message},
        {"time": None, "error_class": "bad_request", "rows": 1, "first": "in.jsonl:4", **refusal},
    ]
    assert QUOTED not in stream.getvalue()


# --- the heartbeat ---


class _Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_beats_every_half_minute_however_often_it_is_pulsed() -> None:
    stream, clock = io.StringIO(), _Clock()
    heart = Heartbeat(EventLog(stream, lambda: clock.now), clock)
    heart.started(Tally(), lambda: Flow(0, 8))
    for _ in range(4 * 60):
        clock.now += 0.5
        heart.pulse()
    beats = [datetime.fromisoformat(line["time"]).timestamp() for line in _lines(stream)]
    assert [beat - 1000 for beat in beats] == [0, 30, 60, 90, 120]
    assert HEARTBEAT_S == 30


def test_after_a_long_standstill_it_beats_once() -> None:
    stream, clock = io.StringIO(), _Clock()
    heart = Heartbeat(EventLog(stream, lambda: NOON), clock)
    heart.started(Tally(), lambda: Flow(0, 8))
    clock.now += 600
    heart.pulse()
    heart.pulse()
    assert [line["event"] for line in _lines(stream)] == ["run_started", "heartbeat"]


def test_a_beat_shows_the_present_counts() -> None:
    stream, clock = io.StringIO(), _Clock()
    heart = Heartbeat(EventLog(stream, lambda: NOON), clock)
    tally = Tally(done_before=100)
    heart.started(tally, lambda: Flow(8, 40, "endpoint down for 12 min, next probe in 40 s"))
    tally.results, tally.failures, tally.retries = 20, 3, 4
    tally.prompt_tokens, tally.completion_tokens = 1000, 234
    tally.total = 500
    heart.attempted(7, exchange(_attempt(Problem(ErrorClass.THROTTLED, QUOTED))))
    heart.finished()
    first, last = _lines(stream)
    assert (first["event"], first["done"], first["in_flight"]) == ("run_started", 100, 8)
    assert "total" not in first
    del last["time"]
    assert last == {
        "event": "calls_ended",
        "done": 123,
        "total": 500,
        "results": 20,
        "errors": 3,
        "retries": 4,
        "in_flight": 8,
        "limit": 40,
        "waiting": "endpoint down for 12 min, next probe in 40 s",
        "tokens": 1234,
    }


def test_news_before_the_first_call_is_written_too() -> None:
    """An alert that nobody got may be the only thing that a run has to tell."""
    stream = io.StringIO()
    Heartbeat(EventLog(stream)).notice("nobody was told")
    (line,) = _lines(stream)
    assert (line["event"], line["text"], line["in_flight"]) == ("notice", "nobody was told", 0)
