"""Whole runs that tell a real server of what happens to them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.checkpoint import ErrorChoice, RunLock
from batcher.errors import (
    ConfigurationError,
    ErrorClass,
    Interruption,
    LockedError,
    StorageError,
)
from batcher.job import JobSpec
from batcher.limits import Flow
from batcher.money import NANOS
from batcher.observe import Tally, Watcher
from batcher.observe.alerts import Clocks
from batcher.recorded import NOTHING_YET
from batcher.runs.alerting import Alerting
from batcher.runs.calling import pricing_of
from batcher.runs.finish import AT_ONCE_S
from batcher.runs.result import RunResult
from batcher.runs.resume import Change
from batcher.runs.session import Session
from batcher.runs.signals import Signals
from batcher.runs.stopping import Asked, Stopping
from tests.simulated import AT_ONCE, Place, Silent
from tests.webhooks import PATH, SECRET, Hook, Reply, hook

PROVIDERS_TEXT = "余额"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a place with 120 good rows."""
    made = Place(tmp_path)
    made.write({"id": f"id-{n}", "prompt": f"Say canary-prompt {n}."} for n in range(120))
    return made


def _session(place: Place, server: Hook, *args: Any, **kwargs: Any) -> Session:  # noqa: ANN401 -- those of `session`
    environment = {"HOOK": server.url, "SIGN": SECRET}
    return replace(place.session(*args, **kwargs), variables=lambda: environment)


def _job(place: Place, alerts: Mapping[str, object] | None = None, **tables: object) -> JobSpec:
    return place.job(alerts={"webhooks": [{"url_env": "HOOK"}], **(alerts or {})}, **tables)


def _told(server: Hook) -> dict[str, Any]:
    """Return the one alert that was told."""
    (taken,) = server.taken
    return taken.body


# --- the end ---


def test_a_run_that_went_well_is_told_of_with_its_figures(place: Place) -> None:
    with hook() as server:
        _session(place, server, _job(place)).run()
    told = _told(server)
    assert (told["event"], told["run"], told["state"]) == ("finish", "prompts.batch", "finished")
    assert told["rows"] == {"done": 120, "total": 120, "results": 120, "errors": 0}
    assert (told["simulated"], told["test"], told["cause"]) == (True, False, None)
    assert told["rows_per_s"] > 0


def test_a_command_with_nothing_left_to_do_tells_nobody(place: Place) -> None:
    with hook() as server:
        _session(place, server, _job(place)).run()
        _session(place, server, _job(place)).run()
    assert server.events() == ["finish"]


def test_more_errors_than_allowed_are_a_failure_each_time(place: Place) -> None:
    refusing = replace(AT_ONCE, faults={"1301": 1.0})
    with hook() as server:
        _session(place, server, _job(place), refusing).run()
        _session(place, server, _job(place), refusing).run()
        _session(place, server, _job(place, output={"allow_errors": "100%"})).run()
    assert server.events() == ["failure", "failure"]
    told = server.taken[0].body
    assert (told["cause"], told["exit_code"], told["state"]) == ("too_many_errors", 65, "finished")
    assert told["error_classes"] == {"content_filtered": 120}


def test_a_retry_tells_the_same(place: Place) -> None:
    job = _job(place, output={"allow_errors": "100%"})
    with hook() as server:
        _session(place, server, job, replace(AT_ONCE, faults={"1301": 1.0})).run()
        _session(place, server, job, only=ErrorChoice(frozenset(), None)).run()
    assert server.events() == ["finish", "finish"]
    assert server.taken[1].body["rows"] == {"done": 120, "total": 120, "results": 120, "errors": 0}


def test_a_provider_that_stops_the_run_is_told_of_in_our_words(place: Place) -> None:
    job = _job(place, limits={"concurrency": 1})
    with hook() as server:
        result = _session(place, server, job, replace(AT_ONCE, fail_after=(4, "1113"))).run()
    told = _told(server)
    assert (told["event"], told["cause"], told["detail"]) == ("failure", "provider", "balance")
    assert (told["exit_code"], told["rows"]["done"], told["rows"]["total"]) == (77, 4, 120)
    assert result.halted is not None
    quoted = result.halted.reason.removeprefix("Stopped by the provider: ").partition(" (code")[0]
    assert len(quoted) > 5
    assert quoted not in told["text"]
    assert ErrorClass.BALANCE.rule.hint in told["text"]


def test_a_ceiling_that_stops_the_run_is_named(place: Place) -> None:
    with hook() as server:
        _session(place, server, _job(place, ceilings={"max_rows": 10})).run()
    told = _told(server)
    assert (told["cause"], told["exit_code"]) == ("stopped", 75)
    assert "--max-rows" in told["detail"]
    assert "The same command goes on where it stopped." in told["text"]


def test_an_error_is_told_of_by_its_kind_alone_and_goes_on(place: Place) -> None:
    place.directory.create()
    with (
        hook() as server,
        RunLock.held(place.directory.path),
        pytest.raises(LockedError),
    ):
        _session(place, server, _job(place)).run()
    told = _told(server)
    assert (told["event"], told["cause"], told["detail"]) == ("failure", "error", "LockedError")
    assert told["exit_code"] == 75
    assert str(place.folder) not in told["text"]


def test_an_error_that_nobody_foresaw_is_told_of_too(place: Place) -> None:
    def fail(_change: Change) -> bool:
        raise ValueError("canary")

    with hook() as server:
        place.run()
        hotter = _job(place, parameters={"temperature": 0.9})
        with pytest.raises(ValueError, match="canary"):
            replace(_session(place, server, hotter), consent=fail).run()
    assert (_told(server)["detail"], _told(server)["exit_code"]) == ("ValueError", 70)
    assert "canary" not in json.dumps(_told(server))


@pytest.mark.parametrize("error", [Interruption(signal.SIGTERM), KeyboardInterrupt()])
def test_an_interruption_before_the_first_call_is_told_of(
    place: Place, error: KeyboardInterrupt
) -> None:
    def interrupt(_change: Change) -> bool:
        raise error

    with hook() as server:
        place.run()
        hotter = _job(place, parameters={"temperature": 0.9})
        with pytest.raises(KeyboardInterrupt):
            replace(_session(place, server, hotter), consent=interrupt).run()
    name = "SIGTERM" if isinstance(error, Interruption) else "SIGINT"
    assert (_told(server)["cause"], _told(server)["detail"]) == ("interrupted", name)


def test_a_run_in_a_thread_that_was_asked_to_end_tells_so(place: Place) -> None:
    asked = Asked()
    asked.ask()
    with hook() as server:
        replace(_session(place, server, _job(place)), stopping=asked).run()
    assert (_told(server)["cause"], _told(server)["exit_code"]) == ("interrupted", 130)


def test_a_process_that_a_signal_ends_tells_so(place: Place) -> None:
    (place.folder / "job.toml").write_text('[[alerts.webhooks]]\nurl_env = "HOOK"\n')
    place.write({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(20_000))
    options = ("--job", "job.toml", "--simulate", "--sim-latency", "0.05", "-c", "2")
    with hook() as server:
        process = subprocess.Popen(  # noqa: S603 -- our own command
            [sys.executable, "-m", "batcher", "run", str(place.input), *options],
            cwd=place.folder,
            env={**os.environ, "HOOK": server.url},
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        while not place.ledger() and process.poll() is None:
            time.sleep(0.05)
        process.terminate()
        assert process.wait() == 143
    told = _told(server)
    assert (told["cause"], told["detail"], told["exit_code"]) == ("interrupted", "SIGTERM", 143)
    assert told["rows"]["done"] < 20_000


# --- while calls are made ---


def test_errors_over_their_rate_are_told_of_before_the_end(place: Place) -> None:
    with hook() as server:
        job = _job(place, {"error_rate_over": "5%"}, output={"allow_errors": "100%"})
        _session(place, server, job, replace(AT_ONCE, faults={"1301": 1.0})).run()
    assert server.events() == ["error_rate", "finish"]
    told = server.taken[0].body
    assert (told["over"], told["state"]) == ("5%", "running")
    assert told["rows"]["errors"] >= 100


PRICED = {"glm-4-flash": {"input": 1e6, "output": 1e6, "currency": "CNY"}}


def test_a_cost_is_told_of_once_also_when_the_run_is_resumed(place: Place) -> None:
    alerts = {"cost_over": ["0.01CNY", "900000000CNY"]}
    with hook() as server:
        first = _job(place, alerts, prices=PRICED, ceilings={"max_rows": 60})
        _session(place, server, first).run()
        _session(place, server, _job(place, alerts, prices=PRICED)).run()
    assert server.events() == ["cost", "failure", "finish"]
    told = server.taken[0].body
    assert (told["over"], told["currency"]) == ("0.0100 CNY", "CNY")
    assert told["cost"] > 0.01


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"provider": {"model": "glm-unknown"}}, "no price is known for glm-unknown"),
        ({"alerts": {"webhooks": [{"url_env": "HOOK"}], "cost_over": "1USD"}}, "prices are in CNY"),
    ],
)
def test_a_cost_that_could_never_be_told_of_is_refused_before_any_call(
    place: Place, tables: dict[str, object], said: str
) -> None:
    alerts = {"webhooks": [{"url_env": "HOOK"}], "cost_over": "1CNY"}
    with hook() as server, pytest.raises(ConfigurationError, match=said):
        _session(place, server, place.job(**{"alerts": alerts, **tables})).run()
    assert not place.directory.path.exists()


def test_a_variable_that_is_not_set_is_an_error_before_any_call(place: Place) -> None:
    session = replace(place.session(_job(place)), variables=dict)
    with pytest.raises(ConfigurationError, match="HOOK is not set"):
        session.run()
    assert not place.directory.path.exists()


class _Clock:
    """Time that passes by waiting, or as the test says."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def wait(self, _event: threading.Event, seconds: float) -> None:
        self.seconds += seconds

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.seconds, lambda: self.seconds, self.wait, lambda low, _high: low)


@dataclass
class _Listener(Silent):
    """A watcher that keeps notices."""

    heard: list[str] = field(default_factory=list)

    def notice(self, text: str) -> None:
        self.heard.append(text)


def _alerting(
    place: Place,
    server: Hook,
    job: JobSpec,
    clock: _Clock,
    watcher: Watcher | None = None,
    stopping: Stopping | None = None,
) -> Alerting:
    pricing = pricing_of(job, place.session().callee)
    return Alerting.of(
        job,
        pricing,
        watcher or Silent(),
        stopping or Signals(),
        {"HOOK": server.url, "SIGN": SECRET},
        simulated=True,
        clocks=clock.clocks(),
    )


def _ended(place: Place) -> RunResult:
    return place.session().run()


def test_an_outage_is_told_of_at_its_beginning_and_its_end(place: Place) -> None:
    clock, tally, waiting = _Clock(), Tally(total=200, done_before=20, results=30), [True]
    tally.earlier = replace(NOTHING_YET, results=20, cost=NANOS)
    with hook() as server:
        alerting = _alerting(place, server, _job(place, {"outage_after": "10m"}), clock)
        alerting.started(tally, lambda: Flow(0, 8, "endpoint down" if waiting[0] else None))
        for _ in range(1300):
            alerting.pulse()
            clock.seconds += 0.5
        waiting[0] = False
        for _ in range(10):
            alerting.pulse()
        (courier,) = alerting.delivery._couriers
        courier._queue.put(None)
        assert courier._thread is not None
        courier._thread.join()
    assert server.events() == ["outage", "recovered"]
    outage, recovered = (taken.body for taken in server.taken)
    assert (outage["lasted_s"], recovered["lasted_s"]) == (600.5, 650.0)
    assert outage["rows"] == {"done": 50, "total": 200, "results": 50, "errors": 0}
    assert (outage["cost"], outage["currency"]) == (1.0, "CNY")
    for told in (outage, recovered):
        assert (told["rows_per_s"], told["left_s"]) == (None, None)


def test_errors_that_are_called_again_are_not_counted_twice(place: Place) -> None:
    tally = Tally(total=10, done_before=5, results=1, failures=1)
    tally.classes[ErrorClass.SERVER_ERROR] = 1
    tally.earlier = replace(NOTHING_YET, results=5, errors={ErrorClass.SERVER_ERROR: 5})
    with hook() as server:
        alerting = _alerting(place, server, _job(place), _Clock())
        alerting.started(tally, lambda: Flow(0, 8))
        figures = alerting._figures()
    assert (figures.done, figures.results, figures.error_rows) == (7, 6, 1)
    tally.done_before = 10
    figures = alerting._figures()
    assert (figures.done, figures.results, figures.error_rows) == (12, 6, 6)


# --- delivery that fails ---


def test_a_webhook_that_hangs_does_not_keep_a_run_from_ending(place: Place) -> None:
    clock, listener = _Clock(), _Listener()
    with hook(hold=threading.Event()) as server:
        alerting = _alerting(place, server, _job(place), clock, listener)
        result = alerting.telling(lambda: _ended(place))
    assert result.summary.pending == 0
    assert clock.seconds == pytest.approx(1010, abs=0.2)
    assert listener.heard == [
        "The alert `finish` did not reach 127.0.0.1: it was still being sent when the run ended"
    ]


@pytest.mark.parametrize("hurry", [0.5, 3.0])
def test_after_a_signal_it_waits_no_longer_than_the_process_may_take(
    place: Place, hurry: float
) -> None:
    clock = _Clock()
    with hook(hold=threading.Event()) as server:
        alerting = _alerting(place, server, _job(place), clock)
        ended = replace(_ended(place), interrupted=signal.SIGTERM, hurry=hurry)
        assert alerting.telling(lambda: ended).interrupted == signal.SIGTERM
    assert clock.seconds == pytest.approx(1000 + hurry, abs=0.2)


@pytest.mark.parametrize(("spent", "waited"), [(None, 10.0), (20.0, 4.0), (30.0, AT_ONCE_S)])
def test_an_error_after_a_signal_leaves_no_more_time_than_the_signal_did(
    place: Place, spent: float | None, waited: float
) -> None:
    """The drain has used up some of it; without a signal there is no haste."""
    clock = _Clock()

    def fail() -> RunResult:
        raise StorageError("gone")

    with hook(hold=threading.Event()) as server:
        alerting = _alerting(place, server, _job(place), clock)
        if spent is not None:
            alerting.stopping.first_at = clock.seconds - spent
        with pytest.raises(StorageError, match="gone"):
            alerting.telling(fail)
    assert clock.seconds == pytest.approx(1000 + waited, abs=0.2)


def test_a_signal_that_comes_while_it_waits_ends_the_wait(place: Place) -> None:
    asked = Asked()
    asked.ask()
    clock = _Clock()
    with hook(hold=threading.Event()) as server:
        alerting = _alerting(place, server, _job(place), clock, stopping=asked)
        result = alerting.telling(lambda: _ended(place))
    assert (result.interrupted, clock.seconds) == (signal.SIGINT, 1000.0)


def test_what_was_not_delivered_is_a_notice_and_a_line_of_the_log(place: Place) -> None:
    listener = _Listener()
    with hook([Reply(403, b"action_prohibited: canary")]) as server:
        session = replace(_session(place, server, _job(place)), watcher=listener)
        session.run()
    assert listener.heard[-1] == "The alert `finish` did not reach 127.0.0.1: HTTP 403"
    lines = map(json.loads, place.directory.log.read_text().splitlines())
    (failed,) = [line for line in lines if line["event"] == "alert_failed"]
    del failed["time"]
    assert failed == {
        "event": "alert_failed",
        "host": "127.0.0.1",
        "alert": "finish",
        "said": "HTTP 403",
    }


def test_a_watcher_whose_terminal_is_gone_does_not_end_the_run(place: Place) -> None:
    class Gone(Silent):
        def notice(self, text: str) -> None:
            raise BrokenPipeError(text)

    with hook([Reply(404)]) as server:
        session = replace(_session(place, server, _job(place)), watcher=Gone())
        assert session.run().summary.pending == 0


# --- secrets ---


def _written(folder: Path) -> Iterable[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


@settings(max_examples=5)
@given(
    replies=st.lists(
        st.builds(
            Reply,
            st.sampled_from([200, 302, 400, 404]),
            st.sampled_from([b"", b"{}", SECRET.encode(), PATH.encode(), b'{"errcode": 310000}']),
        ),
        max_size=4,
    ),
    faults=st.sampled_from([{}, {"1301": 1.0}, {"500": 0.2}]),
    shape=st.sampled_from(["feishu", "dingtalk"]),
)
def test_no_address_and_no_secret_is_written_or_told(
    tmp_path_factory: pytest.TempPathFactory,
    replies: list[Reply],
    faults: dict[str, float],
    shape: str,
) -> None:
    place = Place(tmp_path_factory.mktemp("secrets"))
    place.write({"id": f"id-{n}", "prompt": f"canary-prompt {n}"} for n in range(10))
    listener = _Listener()
    webhook = {"shape": shape, "url_env": "HOOK", "secret_env": "SIGN"}
    with hook(replies) as server:
        job = place.job(alerts={"webhooks": [webhook, {"url_env": "HOOK"}]})
        session = _session(place, server, job, replace(AT_ONCE, faults=faults))
        replace(session, watcher=listener).run()
        alerting = _alerting(place, server, job, _Clock())
        shown = f"{job!r}{alerting!r}{alerting.delivery._couriers!r}{listener.heard!r}"
    for secret in (PATH, "canary-address", SECRET):
        assert secret not in shown
        files = [path for path, text in _written(place.directory.path) if secret.encode() in text]
        assert files == []
    assert len(server.taken) == 2
    for taken in server.taken:
        told = json.dumps(taken.body)
        assert SECRET not in told
        assert "canary-prompt" not in told
        assert "canary-address" not in told


def test_the_search_for_secrets_would_find_one(place: Place) -> None:
    place.write([{"id": "a", "prompt": f"{PATH}"}])
    place.run()
    assert [path for path, text in _written(place.folder) if PATH.encode() in text]
