"""Ids that several rows of merged checkpoints claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from batcher.checkpoint import Checkpoint, CheckpointReader
from batcher.checkpoint.claims import Claims
from batcher.checkpoint.merging import Merging, OfRun
from batcher.errors import Problem
from batcher.records import Failure, Outcome, Request, Source, Success, duplicate_id

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]
MakeRequest = Callable[..., Request]


@contextmanager
def _merging(path: Path, *outcomes: Outcome, samples: int = 1) -> Iterator[Claims]:
    part = path.with_name("part.db")
    with Checkpoint.open(part) as checkpoint:
        checkpoint.write(outcomes)
    with Merging.begun(path) as merging:
        merging.add([OfRun("part", part)])
        yield Claims(merging, samples)


def _found(path: Path) -> dict[int, tuple[str | None, str | None]]:
    """Return the key of each row and what is wrong with it."""
    with CheckpointReader.read(path) as checkpoint:
        return {row.row: (row.key, row.message) for row in checkpoint.outcomes()}


def _aside(path: Path) -> list[str | None]:
    with CheckpointReader.read(path) as checkpoint:
        return [row.key for row in checkpoint._intact("shelved")]


def _twice(row: int, row_id: str, first: int) -> Failure:
    source = Source("prompts.jsonl", row + 1)
    problem: Problem = duplicate_id(row_id, source, Source("prompts.jsonl", first + 1))
    return Failure(row, row_id, None, problem, (), 2.0, source)


def _said(row: int, row_id: str, first: int) -> tuple[None, str]:
    return None, _twice(row, row_id, first).problem.message


def test_the_first_row_has_an_id_and_what_the_others_were_answered_is_set_aside(
    path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    with _merging(
        path,
        success(1, row_id="x", key="k1"),
        success(3, row_id="x", key="k3"),
        failure(4, row_id="y", key="k4"),
        failure(6, row_id="x", key="k6"),
        _twice(7, "x", 3),
        _twice(8, "y", 4),
    ) as claims:
        claims.settle()
    assert _found(path) == {
        1: ("k1", None),
        3: _said(3, "x", 1),
        4: ("k4", "it failed"),
        6: _said(6, "x", 1),
        7: _said(7, "x", 1),
        8: _said(8, "y", 4),
    }
    assert _aside(path) == ["k3", "k6"]
    with CheckpointReader.read(path) as checkpoint:
        assert checkpoint.counts().attempts == 2


def test_a_later_row_that_asks_the_same_answers_the_first_one(
    path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    """Its key is the same, so that the first row's error gives way to it, and nothing is lost."""
    with _merging(path, failure(1, row_id="x", key="k"), success(3, row_id="x", key="k")) as claims:
        claims.settle()
    assert _found(path) == {1: ("k", None), 3: _said(3, "x", 1)}
    assert _aside(path) == []


def test_a_first_row_without_an_outcome_has_its_id_all_the_same(
    path: Path, success: MakeSuccess, request_of: MakeRequest
) -> None:
    with _merging(
        path, success(3, row_id="x", key="k3"), _twice(4, "x", 3), success(9, row_id="z")
    ) as claims:
        claims.settle()
        pending = claims.look()
        assert pending.at_stake(["x", "y"]) == {"x"}
        for row in (1, 2, 5):
            pending.claim(request_of(row, row_id="x", key=f"k{row}"))
    assert _found(path) == {3: _said(3, "x", 1), 4: _said(4, "x", 1), 9: ("key-z", None)}
    assert _aside(path) == ["k3"]


def test_a_first_row_without_an_outcome_takes_the_answer_of_its_key(
    path: Path, success: MakeSuccess, request_of: MakeRequest
) -> None:
    with _merging(path, success(3, row_id="x", key="k")) as claims:
        claims.settle()
        claims.look().claim(request_of(1, row_id="x", key="k"))
    assert _found(path) == {1: ("k", None), 3: _said(3, "x", 1)}
    assert _aside(path) == []
    with CheckpointReader.read(path) as checkpoint:
        assert [row.source for row in checkpoint.outcomes()] == [
            "prompts.jsonl:2",
            "prompts.jsonl:4",
        ]


def test_a_row_whose_id_an_earlier_one_has_claims_nothing(
    path: Path, success: MakeSuccess, request_of: MakeRequest
) -> None:
    with _merging(path, success(1, row_id="x"), success(9, row_id="z")) as claims:
        claims.settle()
        claims.look().claim(request_of(4, row_id="x", key="k4"))
    assert _found(path) == {1: ("key-x", None), 9: ("key-z", None)}


def test_the_samples_of_a_row_share_its_id(
    path: Path, success: MakeSuccess, request_of: MakeRequest
) -> None:
    """Those of a later row are all set aside, and the first row's missing one finds its own."""
    later = [replace(success(6 + s, row_id="x", key=f"k{s}"), sample=s) for s in (0, 1)]
    with _merging(path, success(2, row_id="x", key="k0"), *later, samples=2) as claims:
        claims.settle()
        pending = claims.look()
        assert pending.at_stake(["x"]) == {"x"}
        pending.claim(request_of(3, row_id="x", key="k1")._replace(sample=1))
    found = _found(path)
    assert {row: key for row, (key, _) in found.items()} == {2: "k0", 3: "k1", 6: None, 7: None}
    assert _aside(path) == []
