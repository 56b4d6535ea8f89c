"""Two checkpoints, joined."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.checkpoint import Checkpoint
from batcher.checkpoint.pairs import _partner, pairs
from batcher.errors import StorageError
from batcher.records import Failure, Outcome, Success

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]


def _made(path: Path, *outcomes: Outcome) -> Path:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write(outcomes)
    return path


def _joined(a: Path, b: Path) -> list[tuple[int | None, int | None]]:
    return [(x.row if x else None, y.row if y else None) for x, y in pairs(a, b)]


def test_rows_meet_by_their_id_and_sample_wherever_they_stand(
    tmp_path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    a = _made(
        tmp_path / "a.db",
        success(0, row_id="x"),
        failure(1, row_id="y", key="k"),
        success(2, row_id="only a"),
        replace(success(3, row_id="x", key="k3"), sample=1),
    )
    b = _made(
        tmp_path / "b.db",
        success(0, row_id="only b"),
        replace(success(1, row_id="x", key="k1"), sample=1),
        success(5, row_id="y"),
        success(7, row_id="x"),
    )
    assert _joined(a, b) == [(0, 7), (1, 5), (2, None), (3, 1), (None, 0)]
    assert _joined(b, a) == [(0, None), (1, 3), (5, 1), (7, 0), (None, 2)]


def test_bad_rows_meet_by_their_number_and_a_duplicate_never_takes_the_place_of_the_first(
    tmp_path: Path, success: MakeSuccess, failure: MakeFailure
) -> None:
    """Of bad rows there is no key, and they claim no id."""
    a = _made(
        tmp_path / "a.db",
        success(0, row_id="x"),
        failure(1, row_id="x"),
        failure(2, row_id="was bad"),
        failure(3, row_id="moved"),
    )
    b = _made(
        tmp_path / "b.db",
        failure(1, row_id="x"),
        success(2, row_id="was bad"),
        failure(4, row_id="moved"),
        success(5, row_id="x"),
    )
    assert _joined(a, b) == [(0, 5), (1, 1), (2, 2), (3, None), (None, 4)]


def test_bad_rows_meet_by_the_row_of_the_input_whatever_the_samples(
    tmp_path: Path, failure: MakeFailure
) -> None:
    a = _made(tmp_path / "a.db", *(replace(failure(4 + n, row_id="x"), sample=n) for n in (0, 1)))
    b = _made(tmp_path / "b.db", *(replace(failure(6 + n, row_id="x"), sample=n) for n in range(3)))
    joined = [(x and x.row, y and y.row) for x, y in pairs(a, b, (2, 3))]
    assert joined == [(4, 6), (5, 7), (None, 8)]


_kinds = st.tuples(st.integers(0, 3), st.sampled_from("xyz"), st.booleans())


@given(left=st.lists(_kinds), right=st.lists(_kinds))
@settings(max_examples=40)
def test_each_outcome_has_at_most_one_partner_and_the_same_from_both_sides(
    left: list[tuple[int, str, bool]],
    right: list[tuple[int, str, bool]],
    tmp_path_factory: pytest.TempPathFactory,
    success: MakeSuccess,
    failure: MakeFailure,
) -> None:
    def outcomes(kinds: list[tuple[int, str, bool]]) -> list[Outcome]:
        made: dict[int, Outcome] = {}
        taken = set()
        for row, row_id, good in kinds:
            first = good and row_id not in taken and row not in made
            taken |= {row_id} if first else set()
            if row not in made:
                make = success if first else failure
                made[row] = make(row, row_id=row_id)
        return list(made.values())

    folder = tmp_path_factory.mktemp("pairs")
    a = _made(folder / "a.db", *outcomes(left))
    b = _made(folder / "b.db", *outcomes(right))
    there, back = _joined(a, b), _joined(b, a)
    assert sorted(there, key=str) == sorted(((x, y) for y, x in back), key=str)
    for side, made in ((0, outcomes(left)), (1, outcomes(right))):
        rows = [pair[side] for pair in there if pair[side] is not None]
        assert sorted(rows, key=str) == sorted(outcome.row for outcome in made)


def test_the_partner_is_found_by_indexes_only(path: Path, success: MakeSuccess) -> None:
    """Else the time would grow with the square of the rows."""
    _made(path, success(0))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ATTACH ? AS other", (str(path),))
        partner = _partner("main", "other")
        plan = connection.execute(
            f"EXPLAIN QUERY PLAN SELECT {partner} FROM main.outcomes o"  # noqa: S608 -- no input
        ).fetchall()
    steps = [str(step[3]) for step in plan]
    assert [step for step in steps if step.startswith("SCAN")] == ["SCAN o"]


@pytest.mark.parametrize("which", ["a.db", "b.db"])
def test_a_damaged_outcome_of_either_is_named(
    tmp_path: Path, success: MakeSuccess, which: str
) -> None:
    a, b = (_made(tmp_path / name, success(0), success(1)) for name in ("a.db", "b.db"))
    with closing(sqlite3.connect(tmp_path / which)) as connection, connection:
        connection.execute("UPDATE outcomes SET response = 'another' WHERE row = 1")
    with pytest.raises(StorageError, match=rf"{which} is damaged: the outcome of row 1 is not"):
        list(pairs(a, b))


def test_both_are_read_as_of_one_moment_while_their_runs_write(
    tmp_path: Path, success: MakeSuccess
) -> None:
    with Checkpoint.open(tmp_path / "a.db") as a, Checkpoint.open(tmp_path / "b.db") as b:
        a.write([success(0), success(1)])
        b.write([success(0)])
        joined = pairs(a.path, b.path)
        first = next(joined)
        a.write([success(2)])
        b.write([success(1), success(7)])
        rest = list(joined)
        assert None not in first
        assert [(pair.a and pair.a.row, pair.b) for pair in rest] == [(1, None)]
