"""Signals as exceptions."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from batcher.errors import Interruption
from batcher.runs.signals import Signals, heeded_signals

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Leave the process's own handlers as they were."""
    before = {number: signal.getsignal(number) for number in [*ENDING, signal.SIGALRM]}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_the_block_and_says_which_it_was(number: signal.Signals) -> None:
    with pytest.raises(Interruption) as caught, Signals().interruptible():
        signal.raise_signal(number)
    assert caught.value.number is number


def test_the_handlers_are_as_before_afterwards() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    with Signals().interruptible(within=60):
        pass
    assert [signal.getsignal(number) for number in ENDING] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("number", ENDING)
def test_what_the_starter_had_ignored_stays_ignored(number: signal.Signals) -> None:
    """`nohup` and a shell's `&` do this."""
    signal.signal(number, signal.SIG_IGN)
    assert number not in heeded_signals()
    with Signals().interruptible():
        signal.raise_signal(number)


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_block_without_time_left_ends_as_well(seconds: float) -> None:
    with pytest.raises(Interruption) as caught, Signals().interruptible(within=seconds):
        signal.pause()
    assert caught.value.number is signal.SIGALRM
