"""What `verify` finds in a checkpoint."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint, checkpoint_problems
from batcher.checkpoint.checksum import checksum
from batcher.checkpoint.encoding import encoded
from batcher.checkpoint.store import _INSERT
from batcher.errors import ErrorClass, StorageError
from batcher.recorded import Recorded
from batcher.records import Failure, InvalidAnswer, Mark, Request, Success, Unanswered

SOURCE = Recorded._fields.index("source")

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]
MakeRequest = Callable[..., Request]
MakeInvalid = Callable[..., InvalidAnswer]


_TWICE = """
    INSERT INTO outcomes
        (row, id, key, attempts, ambiguous_attempts, possible_cost, finished_at, answered_by,
        repairs, sample, checksum)
    SELECT 99, id, key, attempts, ambiguous_attempts, possible_cost, finished_at, answered_by,
        repairs, sample, checksum
    FROM outcomes WHERE row = 5
"""


def _key(row: int) -> str:
    return f"{row:032x}"


@pytest.fixture
def sound(
    path: Path,
    success: MakeSuccess,
    failure: MakeFailure,
    request_of: MakeRequest,
    invalid: MakeInvalid,
) -> Path:
    """A checkpoint with results, errors, a bad row, a shelved outcome, marks, facts and so on."""
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write(
            [
                *(success(row, key=_key(row), text="answer " * 40) for row in range(40)),
                failure(40, key=_key(40)),
                failure(41, error_class=ErrorClass.INVALID_ROW),
                invalid("another"),
            ],
            [Mark(16, 0, 17, 1234)],
            [Unanswered("a pending key", 5)],
        )
        with checkpoint.placement() as placement:
            for row in range(1, 42):
                placement.place(request_of(row, key=_key(row)))
            placement.apply()
        checkpoint.write([failure(41, error_class=ErrorClass.INVALID_ROW)], [Mark(16, 0, 17, 1234)])
        checkpoint.remember(settings={"model": "m"})
    return path


def _spoil(path: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(sql)


def test_nothing_is_wrong_with_a_sound_one(sound: Path) -> None:
    before = sound.read_bytes()
    assert list(checkpoint_problems(sound)) == []
    assert sound.read_bytes() == before


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("UPDATE outcomes SET response = 'other' WHERE row = 3", "row 3 in `outcomes` is not what"),
        ("UPDATE shelved SET model = 'other'", "row 0 in `shelved` is not what was written"),
        ("UPDATE marks SET offset = 99", "place of row 16 in the input is not what"),
        ("UPDATE facts SET value = '{}'", "what it says of 'settings' is not what"),
        ("UPDATE totals SET rows = rows + 1", "its sums are not those of its rows"),
        ("UPDATE totals SET prompt_tokens = 0", "its sums are not those of its rows"),
        (
            "UPDATE invalid_answers SET message = 'other'",
            "an answer to ask again for, of the key 'another', is not what was written",
        ),
        (
            _TWICE,
            "the id 'id-5' is recorded for several rows: 5, 99",
        ),
        (
            _TWICE,
            f"the key '{_key(5)}' is recorded for several rows: 5, 99",
        ),
    ],
)
def test_what_was_changed_behind_its_back_is_named(sound: Path, sql: str, found: str) -> None:
    _spoil(sound, sql)
    assert any(found in problem for problem in checkpoint_problems(sound))


def test_a_key_that_is_none_is_named(path: Path, success: MakeSuccess) -> None:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([success(3, key="no key"), success(4, key=_key(4))])
    assert list(checkpoint_problems(path)) == ["the key of row 3 is no key: 'no key'"]


def test_a_result_without_a_key_is_named(path: Path, success: MakeSuccess) -> None:
    """A result always had a request, and with it a key."""
    row = [*encoded(success(3))]
    row[Recorded._fields.index("key")] = None
    row[-1] = checksum((row[1:SOURCE], row[SOURCE + 1 : -1]))
    with Checkpoint.open(path) as checkpoint:
        checkpoint._writer.execute(_INSERT, row)
    assert list(checkpoint_problems(path)) == ["the result of row 3 has no key"]


def test_damaged_pages_are_named(sound: Path) -> None:
    """An index that lost its entries, and pages that are nothing at all."""
    with sound.open("r+b") as file:
        size = file.seek(0, 2)
        for page in range(2, size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 100)
    assert list(checkpoint_problems(sound))


def test_what_is_no_checkpoint_is_an_error(path: Path) -> None:
    with pytest.raises(StorageError, match="no checkpoint at"):
        list(checkpoint_problems(path))


def test_the_samples_of_one_row_share_its_id_and_two_rows_cannot(
    path: Path, success: MakeSuccess
) -> None:
    def sample_of(row: int, sample: int) -> Success:
        record = row * 2 + sample
        return replace(success(record, row_id="a", key=_key(record)), sample=sample)

    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([sample_of(0, 0), sample_of(0, 1)])
    assert list(checkpoint_problems(path)) == []
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([sample_of(3, 1)])
    (said,) = checkpoint_problems(path)
    assert said == "the id 'a' is recorded for several rows: 0, 1, 7"
