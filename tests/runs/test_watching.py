"""`batcher watch`, in this process; as a command and in a browser, it is tested elsewhere."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import urllib.request
from typing import Any

import pytest

from batcher.errors import Interruption, OutputError, StorageError
from batcher.observe.live import State
from batcher.runs.looking import Look
from batcher.runs.watching import _Looking, watch
from tests.simulated import Place


class Visitor:
    """Visits the page in a thread, as soon as its address is told; then signals the process."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number
        self.addresses: list[str] = []
        self.shown: dict[str, Any] = {}
        self.page = ""

    def __call__(self, address: str) -> None:
        self.addresses.append(address)
        threading.Thread(target=self._visit, args=(address,)).start()

    def _visit(self, address: str) -> None:
        try:
            with urllib.request.urlopen(address) as page:  # noqa: S310 -- http on loopback
                self.page = page.read().decode()
            with urllib.request.urlopen(f"{address}events") as events:  # noqa: S310 -- the same
                for line in events:
                    if line.startswith(b"data: "):
                        self.shown = json.loads(line.removeprefix(b"data: "))
                        break
        finally:
            os.kill(os.getpid(), self.number)


def test_ctrl_c_ends_it_well(place: Place) -> None:
    place.run()
    visitor = Visitor(signal.SIGINT)
    watch(place.directory, 0, "en", visitor)
    assert visitor.shown["phase"] == "finished"
    assert visitor.shown["name"] == "prompts.batch"
    assert '<html lang="en">' in visitor.page


def test_another_signal_ends_it_as_it_ends_other_commands(place: Place) -> None:
    place.run()
    visitor = Visitor(signal.SIGTERM)
    with pytest.raises(Interruption) as ended:
        watch(place.directory, 0, "zh", visitor)
    assert ended.value.number == signal.SIGTERM
    assert '<html lang="zh-CN">' in visitor.page


def test_it_speaks_the_language_of_the_run_s_report(place: Place) -> None:
    place.run(place.job(observe={"lang": "zh"}))
    visitor = Visitor(signal.SIGINT)
    watch(place.directory, 0, None, visitor)
    assert '<html lang="zh-CN">' in visitor.page


def test_a_directory_without_a_run_is_told_before_anything_is_served(place: Place) -> None:
    with pytest.raises(StorageError, match="is this the directory of a run"):
        watch(place.directory, 0, None, Visitor(signal.SIGINT))


def test_a_port_that_is_taken_is_told(place: Place) -> None:
    place.run()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match="choose another port with --port"):
            watch(place.directory, port, None, Visitor(signal.SIGINT))


class _Broken(Look):
    """A look that fails as only a defect makes it."""

    def __call__(self) -> State | None:
        raise ZeroDivisionError


def test_a_defect_of_the_reading_is_handed_on_not_hidden_in_a_thread(place: Place) -> None:
    place.run()
    watched, failed = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def fail(error: BaseException) -> None:
        errors.append(error)
        failed.set()

    looking = _Looking(_Broken(place.directory), lambda _state: None, fail, watched)
    with looking.going_on():
        watched.set()
        assert failed.wait(60)
    assert [type(error) for error in errors] == [ZeroDivisionError]


def test_nothing_is_read_while_no_page_is_open(place: Place) -> None:
    place.run()
    watched, shown = threading.Event(), threading.Event()
    looking = _Looking(
        Look(place.directory), lambda _state: shown.set(), lambda _error: None, watched
    )
    with looking.going_on():
        assert not shown.is_set()
        watched.set()
        assert shown.wait(60)
