"""The votes of all rows beside their input."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import StorageError, UsageError
from batcher.outputs import Ballot, Format, Material, Voted, export_votes, read_head, votes_of
from batcher.outputs import join as joining
from batcher.recorded import Recorded
from batcher.structured import Plain, StructOf

MakeSchema = Callable[..., pa.Schema]
MakeBatches = Callable[..., Iterator[pa.RecordBatch]]
MakeRecorded = Callable[..., Recorded]
Vote = Callable[..., Voted]
COLUMNS = pa.struct([pa.field("prompt", pa.string()), pa.field("samples", pa.string_view())])


@pytest.fixture(scope="session")
def vote(make_schema: MakeSchema, make_batches: MakeBatches) -> Vote:
    """Publish the votes on `rows` rows, which have a column called like one of ours."""

    def published(
        directory: Path,
        outcomes: list[Recorded],
        ballot: Ballot,
        rows: int = 4,
        file_format: Format = "parquet",
        partition_rows: int | None = None,
    ) -> Voted:
        inputs = [{"prompt": f"say {row}", "samples": "mine"} for row in range(rows)]
        batches = make_batches(inputs, COLUMNS)
        material = Material(make_schema(COLUMNS), batches, iter(outcomes), {"a": "b"})
        return export_votes(material, directory, votes_of(file_format, partition_rows), ballot)

    return published


def _answers(answered: MakeRecorded, row: int, *texts: str) -> list[Recorded]:
    return [
        answered(row * len(texts) + n, sample=n, id=f"id-{row}", response=text)
        for n, text in enumerate(texts)
    ]


def test_there_is_a_row_for_each_prompt_with_its_columns_and_votes(
    tmp_path: Path, vote: Vote, answered: MakeRecorded, failed: MakeRecorded
) -> None:
    outcomes = [
        *_answers(answered, 0, "yes", "no", "yes"),
        failed(3, id="id-1", sample=0),
        answered(4, id="id-1", sample=1, response="no"),
        *(failed(9 + n, id="id-3", sample=n) for n in range(3)),
    ]
    voted = vote(tmp_path, outcomes, Ballot.on(3, None))
    assert voted == Voted(rows=3, pending=1, path=tmp_path / "votes.parquet")
    table = pq.read_table(voted.path)
    assert table.schema.metadata == {b"a": b"b"}
    assert table.schema.field("input_samples").type == pa.string_view()
    assert table.select(["valid_samples", "samples"]).schema.types == [pa.int32(), pa.int32()]
    names = ("row", "id", "prompt", "input_samples", "vote.response", "agreement.response")
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        (0, "id-0", "say 0", "mine", "yes", 2 / 3, 3, 3),
        (1, "id-1", "say 1", "mine", "no", 1.0, 1, 2),
        (3, "id-3", "say 3", "mine", None, None, 0, 3),
    ]
    assert tuple(table.column_names) == (*names, "valid_samples", "samples")


def test_votes_on_fields_have_the_types_of_the_fields(
    tmp_path: Path, vote: Vote, answered: MakeRecorded
) -> None:
    value = StructOf((("label", Plain.TEXT), ("good", Plain.BOOLEAN)))
    outcomes = [answered(0, output='{"label":"a","good":true}')]
    schema = pq.read_schema(vote(tmp_path, outcomes, Ballot.on(1, value)).path)
    assert schema.field("vote.label").type == pa.string()
    assert schema.field("vote.good").type == pa.bool_()
    assert schema.field("agreement.good").type == pa.float64()


@given(
    samples=st.integers(1, 4),
    recorded=st.sets(st.integers(0, 47)),
    piece_rows=st.integers(1, 7),
)
def test_every_row_with_an_outcome_is_there_once_and_in_order(
    samples: int, recorded: set[int], piece_rows: int, vote: Vote, answered: MakeRecorded
) -> None:
    """However many are made at a time."""
    outcomes = [
        answered(number, sample=number % samples, id=f"id-{number // samples}")
        for number in sorted(recorded)
        if number < 12 * samples
    ]
    rows = sorted({outcome.row // samples for outcome in outcomes})
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(joining, "PIECE_ROWS", piece_rows)
        voted = vote(Path(name), outcomes, Ballot.on(samples, None), 12)
        assert pq.read_table(voted.path).column("row").to_pylist() == rows
    assert (voted.rows, voted.pending) == (len(rows), 12 - len(rows))


@pytest.mark.parametrize("file_format", ["jsonl", "csv"])
def test_other_tables_are_at_choice(
    tmp_path: Path, vote: Vote, answered: MakeRecorded, file_format: Format
) -> None:
    outcomes = _answers(answered, 0, "a", "b")
    voted = vote(tmp_path, outcomes, Ballot.on(2, None), file_format=file_format)
    assert voted.path == tmp_path / f"votes.{file_format}"
    (row,) = read_head(voted.path, 9)
    assert (row["vote.response"], float(row["agreement.response"])) == ("a", 0.5)


def test_many_votes_are_divided_as_results_are(
    tmp_path: Path, vote: Vote, answered: MakeRecorded
) -> None:
    outcomes = [answered(row) for row in range(4)]
    voted = vote(tmp_path, outcomes, Ballot.on(1, None), partition_rows=3)
    names = [f"votes-0000{n}-of-00002.parquet" for n in (0, 1)]
    assert [pq.read_table(tmp_path / name).num_rows for name in names] == [3, 1]
    assert voted.path == tmp_path / "votes-*-of-00002.parquet"


@pytest.mark.parametrize("file_format", ["hf", "batch"])
def test_a_format_that_is_no_table_is_refused(file_format: Format) -> None:
    with pytest.raises(UsageError, match=f"--format {file_format} is not; choose parquet"):
        votes_of(file_format)


def test_answers_of_another_row_are_an_error_and_the_old_votes_stay(
    tmp_path: Path, vote: Vote, answered: MakeRecorded
) -> None:
    path = vote(tmp_path, _answers(answered, 0, "a", "b"), Ballot.on(2, None)).path
    before = path.read_bytes()
    with pytest.raises(StorageError, match="row 1 has the id 'id-1', but its outcome is of 'id-0'"):
        vote(tmp_path, [answered(2, id="id-0")], Ballot.on(2, None))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["votes.parquet"]
