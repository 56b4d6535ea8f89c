"""Whole runs in which rows ask the same: of each other, of an earlier run, of a cache."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from batcher.cache import Cache
from batcher.checkpoint import Checkpoint
from batcher.engine.sharing import Shared
from batcher.errors import OutputError, StorageError
from batcher.job import JobSpec
from batcher.records import AnsweredBy, Completion, Failure, Request, Source, Success, Usage
from batcher.runs.directory import RunDirectory
from batcher.runs.sharing import Sharing
from batcher.runs.status import status_of
from batcher.runs.verify import verify
from batcher.structured import InvalidAnswerError
from tests.engines import Engine
from tests.simulated import AT_ONCE, Place

T = TypeVar("T")
COLD = {"temperature": 0}


def _alike(place: Place, rows: int, contents: int) -> None:
    place.write({"id": f"id-{n}", "prompt": f"Ask {n * 7 % contents}."} for n in range(rows))


def _calls(place: Place) -> Counter[str]:
    """How often each prompt was answered with success."""
    return Counter(entry.prompt for entry in place.ledger() if entry.status == 200)


def _by(place: Place) -> Counter[str]:
    return Counter(row["answered_by"] for row in place.results())


def _cached(place: Place, **tables: object) -> JobSpec:
    return place.job(reuse={"cache": str(place.folder / "cache")}, **tables)


def _second(place: Place) -> Place:
    """A place for another run, with the same cache in reach."""
    folder = place.folder / "second"
    folder.mkdir()
    other = Place(folder)
    other.input.write_bytes(place.input.read_bytes())
    return other


def _sharing_cache(place: Place, other: Place, **tables: object) -> JobSpec:
    return other.job(reuse={"cache": str(place.folder / "cache")}, **tables)


def test_ten_thousand_rows_of_fifty_prompts_are_fifty_calls(place: Place) -> None:
    _alike(place, 10_000, 50)
    counts = place.run(place.job(parameters=COLD)).summary.counts
    assert len(place.ledger()) == 50
    assert (counts.results, counts.called, counts.duplicates, counts.cached) == (
        *(10_000, 50, 9_950, 0),
    )
    answers = {(row["prompt"], row["response"]) for row in place.results()}
    assert len(answers) == 50


def test_a_row_that_shares_an_answer_cost_nothing_and_has_its_own_place(place: Place) -> None:
    _alike(place, 3, 1)
    place.run(place.job(parameters=COLD))
    first, *others = place.results()
    assert first["answered_by"] == "call"
    assert first["attempts"] == 1
    for number, row in enumerate(others, 1):
        assert (row["row"], row["id"], row["response"]) == (
            number,
            f"id-{number}",
            first["response"],
        )
        assert (row["answered_by"], row["attempts"], row["cost"]) == ("duplicate", 0, 0.0)
        assert (row["prompt_tokens"], row["latency_s"], row["request_id"]) == (None, None, None)
        assert row["key"] != first["key"]
    assert verify(place.directory).sound


@pytest.mark.parametrize(
    ("tables", "calls"),
    [
        ({}, 20),
        ({"parameters": {"temperature": 0.5}}, 20),
        ({"parameters": {"temperature": 0.0}}, 2),
        ({"parameters": {"do_sample": False}}, 2),
        ({"parameters": {"temperature": 0.5}, "reuse": {"dedup": True}}, 2),
        ({"parameters": COLD, "reuse": {"dedup": False}}, 20),
    ],
)
def test_by_default_rows_share_an_answer_that_is_the_same_each_time(
    place: Place, tables: dict[str, object], calls: int
) -> None:
    _alike(place, 20, 2)
    assert place.run(place.job(**tables)).summary.counts.results == 20
    assert len(place.ledger()) == calls


def test_the_samples_of_a_row_are_answers_of_their_own_that_other_rows_may_share(
    place: Place,
) -> None:
    _alike(place, 10, 2)
    counts = place.run(place.job(parameters=COLD, sampling={"samples": 3})).summary.counts
    assert (counts.results, counts.duplicates) == (30, 24)
    assert _calls(place) == {"Ask 0.": 3, "Ask 1.": 3}
    calls = {row["request_id"] for row in place.results() if row["answered_by"] == "call"}
    assert len(calls) == 6


def test_a_run_that_was_stopped_goes_on_without_a_second_call(place: Place) -> None:
    _alike(place, 500, 30)
    job = place.job(parameters=COLD, limits={"concurrency": 3})
    for after in (4, 9):
        stopped = place.run(job, replace(AT_ONCE, fail_after=(after, "1113")))
        assert stopped.halted is not None
        assert stopped.summary.pending
    assert place.run(job).summary.pending == 0
    assert set(_calls(place).values()) == {1}
    assert len(_calls(place)) == 30
    assert _by(place) == {"call": 30, "duplicate": 470}


def test_rows_that_wait_for_an_error_get_it_and_are_called_once_when_errors_are_retried(
    place: Place,
) -> None:
    _alike(place, 40, 4)
    job = place.job(parameters=COLD)
    place.run(job, replace(AT_ONCE, faults={"1301": 1.0}))
    assert len(place.ledger()) == 4
    errors = place.errors()
    assert len(errors) == 40
    assert Counter(row["answered_by"] for row in errors) == {"call": 4, "duplicate": 36}
    assert {row["error_class"] for row in errors} == {"content_filtered"}
    again = place.run(job, retry_errors=True)
    assert (again.summary.counts.results, again.summary.counts.duplicates) == (40, 36)
    assert len(place.ledger()) == 8
    assert verify(place.directory).sound


def test_a_row_whose_prompt_is_edited_is_called_and_those_that_shared_its_answer_stay(
    place: Place,
) -> None:
    _alike(place, 10, 1)
    job = place.job(parameters=COLD)
    place.run(job)
    rows = [{"id": f"id-{n}", "prompt": f"Ask {int(n == 0)}."} for n in range(10)]
    place.write([*rows, {"id": "new", "prompt": "Ask 1."}])
    counts = place.run(job).summary.counts
    assert (counts.results, counts.duplicates) == (11, 10)
    assert _calls(place) == {"Ask 0.": 1, "Ask 1.": 1}


def test_rows_that_need_no_call_count_for_no_ceiling_of_calls(place: Place) -> None:
    _alike(place, 10, 2)
    done = place.run(place.job(parameters=COLD, ceilings={"max_rows": 1}))
    assert len(place.ledger()) == 1
    assert done.halted is not None
    assert done.halted.exit_code == 75
    # Those before the first that would have to be called.
    assert len(place.results()) == 1
    assert place.run(place.job(parameters=COLD)).summary.pending == 0
    assert len(place.ledger()) == 2


def test_another_run_takes_its_answers_from_the_cache(place: Place) -> None:
    _alike(place, 60, 20)
    first = place.run(_cached(place))
    assert (first.summary.counts.called, first.summary.counts.duplicates) == (20, 40)
    other = _second(place)
    second = other.run(_sharing_cache(place, other))
    assert other.ledger() == []
    assert _by(other) == {"cache": 60}
    assert {row["cost"] for row in other.results()} == {0.0}
    assert [row["response"] for row in other.results()] == [
        row["response"] for row in place.results()
    ]
    assert (
        "  answers   0 called, 0 duplicates, 60 from the cache (hit rate 100.0 %)"
        in second.summary.lines()
    )
    assert verify(other.directory).sound
    facts = status_of(other.directory).facts()
    assert (facts["called"], facts["duplicates"], facts["from_cache"]) == (0, 0, 60)
    assert facts["hit_rate"] == 1.0


def test_what_the_cache_does_not_have_is_called_and_kept(place: Place) -> None:
    _alike(place, 10, 10)
    place.run(_cached(place))
    other = _second(place)
    _alike(other, 15, 15)
    job = _sharing_cache(place, other)
    assert other.run(job).summary.counts.cached == 10
    assert len(other.ledger()) == 5


def test_other_parameters_ask_for_another_answer(place: Place) -> None:
    _alike(place, 10, 10)
    place.run(_cached(place))
    other = _second(place)
    other.run(_sharing_cache(place, other, parameters={"max_tokens": 5}))
    assert len(other.ledger()) == 10


def test_answers_of_a_simulator_with_another_seed_are_others(place: Place) -> None:
    _alike(place, 10, 10)
    place.run(_cached(place))
    other = _second(place)
    other.run(_sharing_cache(place, other), replace(AT_ONCE, seed=1))
    assert len(other.ledger()) == 10


def test_errors_are_not_kept_in_the_cache(place: Place) -> None:
    _alike(place, 10, 10)
    place.run(_cached(place), replace(AT_ONCE, faults={"1301": 1.0}))
    other = _second(place)
    assert other.run(_sharing_cache(place, other)).summary.counts.cached == 0


def test_a_cache_that_cannot_be_opened_ends_the_run_before_its_first_call(place: Place) -> None:
    cache = place.folder / "cache"
    cache.write_text("")
    with pytest.raises(OutputError, match="cannot create the cache"):
        place.run(_cached(place))
    cache.unlink()
    cache.mkdir()
    (cache / "cache.db").write_text("my notes " * 200)
    with pytest.raises(StorageError, match="is no cache of batcher"):
        place.run(_cached(place))
    assert place.ledger() == []


def test_a_cache_that_lost_an_answer_by_damage_costs_one_call(place: Place) -> None:
    _alike(place, 10, 10)
    place.run(_cached(place))
    connection = sqlite3.connect(place.folder / "cache" / "cache.db")
    with connection:
        connection.execute("UPDATE answers SET answer = x'7b7d' WHERE rowid = 3")
    connection.close()
    other = _second(place)
    assert other.run(_sharing_cache(place, other)).summary.counts.cached == 9
    assert len(other.ledger()) == 1


class _Look:
    """Looks at once, and lets something happen meanwhile."""

    def __init__(self) -> None:
        self.looks = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def __call__(self, work: Callable[[], T]) -> T:
        self.looks += 1
        found = work()
        self.meanwhile()
        return found


def _request(row: int, content: str | None) -> Request:
    return Request(
        row, f"id-{row}", f"key-{row}", {"model": "m"}, Source("p", row + 1), 0, 0, content
    )


def _answer(row: int, content: str, text: str = "fine") -> Success:
    completion = Completion(text, None, None, "stop", "m", Usage(1, 1))
    return Success(
        *(row, f"id-{row}", f"key-{row}", completion, (), 0.0, Source("p", 1)), content=content
    )


async def _never(_request: Request, _request_id: str) -> Completion:
    raise AssertionError


@pytest.fixture
def look() -> _Look:
    return _Look()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Iterator[Checkpoint]:
    with Checkpoint.open(tmp_path / "checkpoint.db") as opened:
        yield opened


def _sharing(
    checkpoint: Checkpoint,
    look: Callable[[Callable[[], T]], Awaitable[T]],
    cache: Cache | None = None,
    read: Callable[[str], str] | None = None,
    *,
    allow_empty: bool = False,
) -> Sharing:
    executor = Engine([_never]).executor()
    executor.retrier = replace(executor.retrier, read=read)
    return Sharing(
        *(checkpoint, cache, executor),
        allow_empty=allow_empty,
        in_reader=look,  # type: ignore[arg-type] # of any result
    )


async def _texts(sharing: Sharing, rows: Sequence[Request | Failure]) -> list[str | None]:
    """Return the answer that each row of a batch shares; those that share none lead."""
    await sharing.look(rows)
    texts = []
    for at in range(len(rows)):
        shared = await sharing.shared(rows, at)
        texts.append(await _text(shared))
    return texts


async def _text(shared: Shared | None) -> str | None:
    if shared is None:
        return None
    completion = (await shared.outcome()).completion
    assert completion is not None
    return completion.text


async def test_nothing_is_looked_up_for_rows_that_share_nothing(
    checkpoint: Checkpoint, look: _Look
) -> None:
    assert await _texts(_sharing(checkpoint, look), [_request(0, None)]) == [None]
    assert look.looks == 0


async def test_an_answer_written_just_after_the_look_is_found_by_one_more(
    checkpoint: Checkpoint, look: _Look
) -> None:
    sharing = _sharing(checkpoint, look)
    leaders = sharing.executor.leaders
    leaders.lead(_request(0, "a"))

    def written() -> None:
        look.meanwhile = lambda: None
        checkpoint.write([_answer(0, "a")])
        leaders.wrote(_answer(0, "a"))

    look.meanwhile = written
    assert await _texts(sharing, [_request(1, "a"), _request(2, "b")]) == ["fine", None]
    assert look.looks == 2


async def test_long_answers_are_taken_along_a_few_at_a_time(
    checkpoint: Checkpoint, look: _Look
) -> None:
    contents = [f"c{n}" for n in range(9)]
    long = "x" * 400_000
    checkpoint.write([_answer(n, content, f"{n}{long}") for n, content in enumerate(contents)])
    rows = [_request(10 + n, content) for n, content in enumerate(contents)]
    found = await _texts(_sharing(checkpoint, look), rows)
    assert found == [f"{n}{long}" for n in range(9)]
    assert look.looks == 3


async def test_an_answer_that_the_job_cannot_use_any_more_counts_for_none(
    checkpoint: Checkpoint, look: _Look, tmp_path: Path
) -> None:
    """Neither a recorded one nor one of the cache; one that it can use is read anew."""

    def read(text: str) -> str:
        if not text.startswith("{"):
            raise InvalidAnswerError("no object")
        return json.dumps(json.loads(text))

    checkpoint.write([_answer(0, "a"), _answer(1, "b", '{"x":1}')])
    with Cache.open(tmp_path / "cache", "here", lambda _text: None) as cache:
        cache.keep(_answer(0, "c"))
        cache.keep(_answer(0, "d", '{"x":2}'))
    with Cache.open(tmp_path / "cache", "here", lambda _text: None) as cache:
        sharing = _sharing(checkpoint, look, cache, read)
        rows = [_request(n, content) for n, content in enumerate("abcd", 5)]
        assert await _texts(sharing, rows) == [None, '{"x":1}', None, '{"x":2}']
        shared = await sharing.shared(rows, 3)
    assert shared is not None
    outcome = await shared.outcome()
    assert isinstance(outcome, Success)
    assert outcome.output == '{"x": 2}'
    assert outcome.answered_by is AnsweredBy.CACHE


async def test_what_is_recorded_goes_before_what_the_cache_has(
    checkpoint: Checkpoint, look: _Look, tmp_path: Path
) -> None:
    checkpoint.write([_answer(0, "a", "recorded")])
    with Cache.open(tmp_path / "cache", "here", lambda _text: None) as cache:
        cache.keep(_answer(0, "a", "kept"))
    with Cache.open(tmp_path / "cache", "here", lambda _text: None) as cache:
        assert await _texts(_sharing(checkpoint, look, cache), [_request(1, "a")]) == ["recorded"]


def test_the_directory_of_a_run_may_hold_its_cache(place: Place) -> None:
    job = place.job(reuse={"cache": str(place.directory.path)})
    place.run(job)
    assert RunDirectory(place.directory.path).checkpoint.exists()
    assert (place.directory.path / "cache.db").exists()


async def test_a_row_under_way_goes_before_what_another_run_kept_meanwhile(
    checkpoint: Checkpoint, look: _Look, tmp_path: Path
) -> None:
    """So that rows of one run that ask the same have one answer."""
    with Cache.open(tmp_path / "cache", "here", lambda _text: None) as cache:
        cache.keep(_answer(0, "a", "another run's"))
    with Cache.open(tmp_path / "cache", "here", lambda _text: None) as cache:
        sharing = _sharing(checkpoint, look, cache)
        leaders = sharing.executor.leaders
        leaders.lead(_request(0, "a"))
        rows = [_request(1, "a"), _request(2, "a")]
        await sharing.look(rows)
        following = await sharing.shared(rows, 0)
        checkpoint.write([_answer(0, "a")])
        leaders.wrote(_answer(0, "a"))
        assert await _text(following) == "fine"
        assert await _text(await sharing.shared(rows, 1)) == "fine"


async def test_an_empty_answer_is_shared_only_where_the_job_takes_one(
    checkpoint: Checkpoint, look: _Look
) -> None:
    """As a call would have it: it may come from a run that allowed it."""
    empty = Completion(None, None, None, "stop", "m", Usage())
    sharing = _sharing(checkpoint, look)
    assert sharing._usable(_request(1, "c"), empty, AnsweredBy.CACHE) is None
    assert sharing._usable(
        _request(1, "c"), replace(empty, finish_reason="length"), AnsweredBy.CACHE
    )
    allowed = _sharing(checkpoint, look, allow_empty=True)
    assert allowed._usable(_request(1, "c"), empty, AnsweredBy.CACHE) is not None
