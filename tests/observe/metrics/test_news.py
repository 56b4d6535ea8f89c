"""Sentences of other threads, told on the loop."""

from __future__ import annotations

import threading

from batcher.observe.metrics import News


def test_what_a_thread_tells_is_passed_on_at_the_next_pulse_and_once() -> None:
    heard: list[tuple[str, int]] = []
    news = News(lambda text: heard.append((text, threading.get_ident())))

    def tell() -> None:
        news.tell("one")
        news.tell("two")

    thread = threading.Thread(target=tell)
    thread.start()
    thread.join()
    assert heard == []
    news.pulse()
    news.pulse()
    assert heard == [("one", threading.get_ident()), ("two", threading.get_ident())]


def test_at_the_end_of_the_calls_nothing_is_left_untold() -> None:
    heard: list[str] = []
    news = News(heard.append)
    news.tell("late")
    news.finished()
    assert heard == ["late"]
