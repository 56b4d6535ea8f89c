"""Signals as exceptions."""

from __future__ import annotations

import asyncio
import signal
import threading
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


class _Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def _heard(*told: tuple[signal.Signals, float]) -> list[signal.Signals]:
    """Return what the calls hear of signals at these seconds."""
    clock, heard = _Clock(), list[signal.Signals]()
    with Signals(clock).calling(heard.append):
        for number, at in told:
            clock.now = at
            signal.raise_signal(number)
            # The loop hears of it through a socket, and hands it on in the turn after that.
            for _ in range(3):
                await asyncio.sleep(0)
    return heard


TERM, HUP, INT = signal.SIGTERM, signal.SIGHUP, signal.SIGINT


@pytest.mark.parametrize("number", [TERM, HUP])
async def test_the_same_signal_within_a_second_is_one_word(number: signal.Signals) -> None:
    """`timeout` tells a wrapper and the command; the wrapper passes it on."""
    assert await _heard((number, 10.0), (number, 10.0), (number, 10.9)) == [number]


@pytest.mark.parametrize(
    "told", [[(TERM, 1.0), (TERM, 2.1)], [(INT, 1.0), (INT, 1.1)], [(TERM, 1.0), (INT, 1.1)]]
)
async def test_a_later_or_another_signal_or_a_second_ctrl_c_is_a_word_of_its_own(
    told: list[tuple[signal.Signals, float]],
) -> None:
    assert await _heard(*told) == [number for number, _ in told]


def test_what_follows_the_calls_is_not_interrupted_by_the_same_word() -> None:
    clock = _Clock()
    signals = Signals(clock)
    with pytest.raises(Interruption), signals.interruptible():
        signal.raise_signal(TERM)
    with signals.interruptible():
        signal.raise_signal(TERM)
    clock.now += 1.1
    with pytest.raises(Interruption), signals.interruptible():
        signal.raise_signal(TERM)


def test_what_is_held_is_heard_once_the_block_has_ended() -> None:
    signals, went_on = Signals(), list[str]()

    def hold() -> None:
        with signals.held():
            signal.raise_signal(TERM)
            went_on.append("to the end")

    with pytest.raises(Interruption) as caught, signals.interruptible():
        hold()
    assert caught.value.number is TERM
    assert went_on == ["to the end"]


def test_what_is_held_is_heard_by_a_block_within_before_anything_is_done_there() -> None:
    signals, done = Signals(), list[str]()
    with signals.held():
        signal.raise_signal(TERM)
        with pytest.raises(Interruption), signals.interruptible():
            done.append("anything")
        # That was the word; there is none for whoever is around.
    assert done == []


async def test_calls_hear_of_what_was_held_before_them() -> None:
    signals, heard = Signals(), list[signal.Signals]()
    with signals.held():
        signal.raise_signal(HUP)
        with signals.calling(heard.append):
            await asyncio.sleep(0)
    assert heard == [HUP]


def test_what_nobody_here_heard_of_is_heard_by_whoever_did_before() -> None:
    """Also what comes between two blocks, while handlers are put back."""
    heard: list[int] = []
    signal.signal(TERM, lambda number, _frame: heard.append(number))
    signals = Signals()
    with signals.held():
        signal.raise_signal(TERM)
        ours = signal.getsignal(TERM)
    assert heard == [TERM]
    assert callable(ours)
    ours(HUP, None)
    with pytest.raises(Interruption) as caught, signals.interruptible():
        pass
    assert caught.value.number is HUP


async def test_a_signal_wakes_the_loop_whichever_thread_it_reaches() -> None:
    """The loop waits for nothing else here."""
    ended = asyncio.Event()
    with Signals().calling(lambda _number: ended.set()):

        def tell() -> None:
            signal.pthread_kill(threading.get_ident(), TERM)

        thread = threading.Thread(target=tell)
        asyncio.get_running_loop().call_soon(thread.start)
        await ended.wait()
    thread.join()
