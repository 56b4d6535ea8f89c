"""The cache as runs use it: several at once, and none of them hurt by it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from batcher.cache import Cache
from batcher.errors import ErrorClass, Problem
from batcher.records import AnsweredBy, Failure, InvalidAnswer, Kept, Source, Success

MakeSuccess = Callable[..., Success]
MUCH = 10**6


def _unheard(text: str) -> None:
    raise AssertionError(text)


def _keep(directory: Path, *kept: Kept, scope: str = "here") -> None:
    with Cache.open(directory, scope, _unheard) as cache:
        for one in kept:
            cache.keep(one)


def _texts(directory: Path, *contents: str, scope: str = "here") -> dict[str, str | None]:
    with Cache.open(directory, scope, _unheard) as cache:
        found, unseen = cache.find(contents, MUCH)
    assert not unseen
    return {content: completion.text for content, completion in found.items()}


def _change(directory: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(directory / "cache.db")) as connection, connection:
        connection.execute(sql)


def test_what_one_run_keeps_the_next_one_finds(tmp_path: Path, success: MakeSuccess) -> None:
    _keep(tmp_path, success("a", "one"), success("b", "two"))
    assert _texts(tmp_path, "a", "b", "c") == {"a": "one", "b": "two"}


def test_the_last_answer_to_a_request_is_kept(tmp_path: Path, success: MakeSuccess) -> None:
    _keep(tmp_path, success("a", "one"))
    _keep(tmp_path, success("a", "two"))
    assert _texts(tmp_path, "a") == {"a": "two"}


def test_answers_of_another_endpoint_are_others(tmp_path: Path, success: MakeSuccess) -> None:
    _keep(tmp_path, success("a", "one"), scope="there")
    assert _texts(tmp_path, "a") == {}
    assert _texts(tmp_path, "a", scope="there") == {"a": "one"}


def test_only_answers_that_a_call_brought_for_others_too_are_kept(
    tmp_path: Path, success: MakeSuccess
) -> None:
    problem = Problem(ErrorClass.BAD_REQUEST, "no")
    _keep(
        tmp_path,
        success("a", answered_by=AnsweredBy.DUPLICATE),
        success("b", answered_by=AnsweredBy.CACHE),
        success(None),
        Failure(0, "id", "key", problem, (), 0.0, Source("p", 1), content="c"),
        InvalidAnswer("key", success("d").completion, "no"),
    )
    assert _texts(tmp_path, "a", "b", "c", "d", "") == {}


def test_a_text_that_is_no_unicode_costs_the_others_nothing(
    tmp_path: Path, success: MakeSuccess
) -> None:
    _keep(tmp_path, success("a", "\ud800"), success("b"))
    assert _texts(tmp_path, "a", "b") == {"b": "fine"}


def test_a_damaged_entry_is_as_good_as_none_and_takes_none_with_it(
    tmp_path: Path, success: MakeSuccess
) -> None:
    _keep(tmp_path, success("a"), success("b"))
    _change(tmp_path, "UPDATE answers SET answer = x'00' WHERE rowid = 1")
    assert len(_texts(tmp_path, "a", "b")) == 1
    _keep(tmp_path, success("a"), success("b"))
    assert len(_texts(tmp_path, "a", "b")) == 2


def test_no_more_answers_are_taken_along_than_asked_for(
    tmp_path: Path, success: MakeSuccess
) -> None:
    _keep(tmp_path, *(success(str(n), "x" * 50) for n in range(10)))
    with Cache.open(tmp_path, "here", _unheard) as cache:
        found, unseen = cache.find([str(n) for n in range(10)], 120)
    assert list(found) == ["0", "1", "2"]
    assert list(unseen) == [str(n) for n in range(3, 10)]


def test_several_runs_keep_and_find_at_once(tmp_path: Path, success: MakeSuccess) -> None:
    def run(number: int) -> None:
        with Cache.open(tmp_path, "here", _unheard) as cache:
            for n in range(100):
                cache.keep(success(f"{number}-{n}", f"{number}"))
                cache.find([f"{other}-{n}" for other in range(4)], MUCH)

    runs = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    contents = [f"{number}-{n}" for number in range(4) for n in range(100)]
    assert len(_texts(tmp_path, *contents)) == 400


def test_a_cache_that_cannot_be_read_is_told_of_once_and_left_alone(
    tmp_path: Path, success: MakeSuccess
) -> None:
    notices: list[str] = []
    _keep(tmp_path, success("a"))
    with Cache.open(tmp_path, "here", notices.append) as cache:
        _change(tmp_path, "DROP TABLE answers")
        assert cache.find(["a", "b"], MUCH) == ({}, ())
        cache.keep(success("c"))
        assert cache.find(["a"], MUCH) == ({}, ())
    (notice,) = notices
    assert notice == (
        f"The cache {tmp_path / 'cache.db'} failed: no such table: answers. The run goes on "
        "without it; answers are safe in the checkpoint"
    )


def test_a_cache_that_cannot_be_written_is_told_of_once_and_left_alone(
    tmp_path: Path, success: MakeSuccess
) -> None:
    told = threading.Event()
    notices: list[str] = []

    def notice(text: str) -> None:
        notices.append(text)
        told.set()

    with Cache.open(tmp_path, "here", notice) as cache:
        _change(tmp_path, "DROP TABLE answers")
        cache.keep(success("a"))
        assert told.wait(30)
        cache.keep(success("b"))
        assert cache.find(["a"], MUCH) == ({}, ())
    assert len(notices) == 1


def test_what_a_slow_disk_has_no_room_for_is_not_kept_but_counted(
    tmp_path: Path, success: MakeSuccess
) -> None:
    notices: list[str] = []
    with Cache.open(tmp_path, "here", notices.append, most_waiting=10) as cache:
        cache.keep(success("a", "x" * 11))
        cache.keep(success("b", "x" * 5))
    assert notices == [
        f"The cache {tmp_path / 'cache.db'} is slower than the run: 1 answer not kept in it"
    ]
    assert list(_texts(tmp_path, "a", "b")) == ["b"]


def test_a_run_that_was_told_to_stop_does_not_wait_for_a_disk_that_does_nothing(
    tmp_path: Path, success: MakeSuccess
) -> None:
    """What is being written then may still be; what waits behind it is told of."""
    notices: list[str] = []
    _keep(tmp_path)
    with contextlib.closing(
        sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
    ) as another:
        another.execute("BEGIN IMMEDIATE")
        with Cache.open(tmp_path, "here", notices.append) as cache:
            cache.keep(success("a"))
            while cache._waiting:
                time.sleep(0)
            cache.keep(success("b"))
            cache.hurry()
        another.execute("COMMIT")
    for writer in (thread for thread in threading.enumerate() if thread.name == "cache"):
        writer.join(30)
    assert notices == [
        f"The cache {tmp_path / 'cache.db'} is slower than the run: 1 answer not kept in it"
    ]
    assert "a" in _texts(tmp_path, "a", "b")


@pytest.mark.parametrize("content", ["a", "b"])
def test_an_empty_answer_is_one_too(tmp_path: Path, success: MakeSuccess, content: str) -> None:
    _keep(tmp_path, success("a", None), success("b", ""))
    assert content in _texts(tmp_path, "a", "b")
