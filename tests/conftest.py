"""What holds for all tests."""

from __future__ import annotations

import signal

from hypothesis import settings

# Timings are never asserted: a busy machine must not fail a property. `make laws` is thorough.
settings.register_profile("quick", deadline=None, max_examples=40)
settings.register_profile("thorough", deadline=None, max_examples=100)
settings.load_profile("quick")


def pytest_configure() -> None:
    """Let signals do what they do, though who started the tests (`nohup`, a shell's `&`) did not.

    The product keeps such a word, and so would every process that the tests start.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            default = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)
