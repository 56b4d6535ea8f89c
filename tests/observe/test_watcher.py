"""Several watchers as one: all are told, and none can stop a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from batcher.limits import Flow
from batcher.observe import Tally, Watchers
from batcher.records import Attempt, Exchange
from tests.engines import exchange

EXCHANGE = exchange(Attempt(1, "request", 0.0, 1.0))


class _Watcher:
    """Notes what it is told, and raises `error` at the pulse."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.told: list[object] = []
        self._error = error

    def started(self, tally: Tally, flow: Callable[[], Flow]) -> None:
        self.told.append(("started", tally, flow()))

    def attempted(self, row: int, exchange: Exchange) -> None:
        self.told.append((row, exchange))

    def pulse(self) -> None:
        self.told.append("pulse")
        if self._error is not None:
            raise self._error

    def notice(self, text: str) -> None:
        self.told.append(text)

    def finished(self) -> None:
        self.told.append("finished")


def _tell_all(watchers: Watchers, tally: Tally) -> None:
    watchers.started(tally, lambda: Flow(7, 8))
    watchers.attempted(3, EXCHANGE)
    watchers.pulse()
    watchers.pulse()
    watchers.notice("stopping")
    watchers.finished()


def test_each_is_told_everything() -> None:
    one, two, tally = _Watcher(), _Watcher(), Tally()
    _tell_all(Watchers(one, two), tally)
    assert one.told == [
        ("started", tally, Flow(7, 8)),
        (3, EXCHANGE),
        "pulse",
        "pulse",
        "stopping",
        "finished",
    ]
    assert two.told == one.told


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError("No space left on device")])
def test_one_whose_stream_fails_is_told_no_more_and_the_others_are(error: OSError) -> None:
    broken, other = _Watcher(error), _Watcher()
    _tell_all(Watchers(broken, other), Tally())
    assert broken.told[2:] == ["pulse"]
    assert other.told[2:] == ["pulse", "pulse", "stopping", "finished"]


def test_a_mistake_of_one_is_told_to_the_others_and_ends_nothing() -> None:
    """An answer that was paid may be on its way."""
    other = _Watcher()
    watchers = Watchers(_Watcher(ZeroDivisionError()), other)
    watchers.pulse()
    watchers.pulse()
    assert sorted(map(str, other.told)) == [
        "_Watcher fails (ZeroDivisionError); the run goes on without it",
        "pulse",
        "pulse",
    ]
