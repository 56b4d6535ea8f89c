"""The user's columns, from an input through the outputs: they come back as they were."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.errors import RowError
from batcher.inputs import Dataset, discover
from batcher.job import JobSpec, PromptSpec, ProviderSpec
from batcher.outputs import Format, Material, export, kind_of, read_head
from batcher.outputs.layout import ANSWER, ERROR, HEAD, SOURCE
from batcher.recorded import Recorded
from batcher.records import Prompt
from batcher.render import Renderer

# Any: a type of Arrow's, whose stubs make each of them generic in its own way.
Typed = tuple[Any, st.SearchStrategy[Any]]

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)
_BYTES = st.binary(max_size=4)
_INTEGERS: tuple[tuple[Any, Any], ...] = (
    (pa.int8(), pa.uint8()),
    (pa.int16(), pa.uint16()),
    (pa.int32(), pa.uint32()),
    (pa.int64(), pa.uint64()),
)
_FLOATS: tuple[Any, ...] = (pa.float16(), pa.float32(), pa.float64())
_UNITS: tuple[Any, ...] = ("ms", "us", "ns")
_ZONES = (None, "UTC", "Asia/Shanghai", "+05:30", "Mars/Olympus")
# What 64 bits hold of any unit; far more than the years that Python knows.
_TICKS = st.integers(-(2**60), 2**60)


def _digits(number: int, scale: int) -> st.SearchStrategy[Decimal]:
    return st.integers(-(10**number) + 1, 10**number - 1).map(lambda n: Decimal(f"{n}e-{scale}"))


def _flat() -> list[Typed]:
    found: list[Typed] = [
        (pa.null(), st.none()),
        (pa.bool_(), st.booleans()),
        (pa.date32(), st.dates()),
        (pa.time32("ms"), st.integers(0, 86_399_999)),
        (pa.time64("ns"), st.integers(0, 86_399_999_999_999)),
        (pa.binary(3), st.binary(min_size=3, max_size=3)),
        *((pa.decimal128(*shape), _digits(*shape)) for shape in ((9, 2), (38, 38))),
        (pa.decimal256(76, 5), _digits(76, 5)),
        *((make(), _TEXTS) for make in (pa.string, pa.large_string)),
        *((make(), _BYTES) for make in (pa.binary, pa.large_binary)),
        *((pa.timestamp(unit, zone), _TICKS) for unit in _UNITS for zone in _ZONES),
        *((pa.duration(unit), _TICKS) for unit in (*_UNITS, "s")),
    ]
    for signed, unsigned in _INTEGERS:
        half = 2 ** (signed.bit_width - 1)
        found.append((signed, st.integers(-half, half - 1)))
        found.append((unsigned, st.integers(0, 2 * half - 1)))
    # NaN equals nothing, not even itself: see below.
    found.extend((type_, st.floats(width=type_.bit_width, allow_nan=False)) for type_ in _FLOATS)
    return found


def _nested(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    def lists(typed: Typed) -> st.SearchStrategy[Typed]:
        type_, values = typed
        items = st.lists(st.none() | values, max_size=3)
        pairs = st.lists(st.none() | values, min_size=2, max_size=2)
        return st.sampled_from(
            [
                (pa.list_(type_), items),
                (pa.large_list(type_), items),
                (pa.list_view(type_), items),
                (pa.list_(type_, 2), pairs),
                (pa.list_(pa.field("given", type_, nullable=False)), st.lists(values, max_size=2))
                if type_ != pa.null()
                else (pa.list_(type_), items),
                (pa.map_(pa.string(), type_), st.lists(st.tuples(_TEXTS, values), max_size=3)),
            ]
        )

    def structs(parts: list[Typed]) -> Typed:
        fields = [pa.field(f"f{n}", type_) for n, (type_, _) in enumerate(parts)]
        members: dict[str, Any] = {
            f"f{n}": st.none() | values for n, (_, values) in enumerate(parts)
        }
        return pa.struct(fields), st.fixed_dictionaries(members)

    return inner.flatmap(lists) | st.lists(inner, min_size=1, max_size=3).map(structs)


# Arrow writes views only where nothing is around them.
_VIEWS: list[Typed] = [(pa.string_view(), _TEXTS), (pa.binary_view(), _BYTES)]
_TYPES = st.recursive(st.sampled_from(_flat()), _nested, max_leaves=4) | st.sampled_from(_VIEWS)
_NAMES = st.sampled_from(["prompt", "a b", "列", "", *HEAD.names, *ANSWER.names, *ERROR.names])


@st.composite
def _columns(draw: st.DrawFn, rows: int) -> tuple[pa.Field[Any], pa.Array[Any]]:
    type_, values = draw(_TYPES)
    given_values = draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
    column: pa.Array[Any] = pa.array(given_values, type_)
    is_text = type_ in (pa.string(), pa.large_string(), pa.int64())
    if is_text and draw(st.booleans()):
        column = column.dictionary_encode()
    metadata = draw(st.none() | st.just({"unit": "s"}))
    nullable = column.null_count > 0 or type_ == pa.null() or draw(st.booleans())
    return pa.field("", column.type, nullable=nullable, metadata=metadata), column


@st.composite
def _tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(1, 6))
    # No ids of the user's, whose type could make a row bad: those have tests of their own.
    names = draw(
        st.lists(_NAMES.filter(lambda name: name != "id"), min_size=1, max_size=4, unique=True)
    )
    columns = [draw(_columns(rows)) for _ in names]
    fields = [field.with_name(name) for name, (field, _) in zip(names, columns, strict=True)]
    return pa.table([column for _, column in columns], schema=pa.schema(fields))


def _plain(column: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    """Return a column in one piece; whichever order the values of a dictionary have."""
    whole: Any = column.combine_chunks()
    decoded: pa.Array[Any] = (
        whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole
    )
    return decoded


def _dataset(table: pa.Table, folder: Path, group: int) -> Dataset:
    pq.write_table(table, folder / "prompts.parquet", row_group_size=group)
    return Dataset(discover([str(folder / "prompts.parquet")]), None)


def _exported(table: pa.Table, group: int, failed: Sequence[bool]) -> tuple[pa.Table, ...]:
    """Write `table`, run it through inputs and outputs; return input, results and errors, read."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        dataset = _dataset(table, folder, group)
        outcomes = (
            Recorded(
                row, str(row), None, 1, 0, 0.5, 1, None, error_class="bad_request" if bad else None
            )
            for row, bad in enumerate(failed)
        )
        done = export(Material(*dataset.batches(), outcomes), folder)
        assert done.errors_path is not None
        paths = (folder / "prompts.parquet", done.results_path, done.errors_path)
        return tuple(pq.ParquetFile(path).read() for path in paths)


@settings(max_examples=300)
@given(table=_tables(), group=st.integers(1, 6), data=st.data())
def test_each_column_comes_back_with_its_type_its_metadata_and_every_value(
    table: pa.Table, group: int, data: st.DataObject
) -> None:
    """Whatever rows ended in errors, and however the input was cut into row groups."""
    failed = data.draw(st.lists(st.booleans(), min_size=table.num_rows, max_size=table.num_rows))
    given_table, results, errors = _exported(table, group, failed)
    ours = {*HEAD.names, *ANSWER.names, *ERROR.names, *SOURCE.names}
    for output, is_error in ((results, False), (errors, True)):
        places = [row for row, bad in enumerate(failed) if bad is is_error]
        assert output.column("row").to_pylist() == places
        for field in given_table.schema:
            name = f"input_{field.name}" if field.name in ours else field.name
            found = output.schema.field(name)
            assert (found.type, found.metadata) == (field.type, field.metadata)
            column = _plain(given_table.column(field.name))
            # Not `take`, which knows fewer types.
            expected = [column.slice(place, 1) for place in places]
            assert _plain(output.column(name)).equals(pa.concat_arrays(expected or [column[:0]]))


def test_not_a_number_comes_back_as_it_is() -> None:
    floats: list[Any] = [float("nan"), float("inf"), -0.0, None]
    table = pa.table({str(type_): pa.array(floats, type_) for type_ in _FLOATS})
    given_table, results, _ = _exported(table, 2, [False] * 4)
    for name in table.schema.names:
        assert repr(results.column(name).to_pylist()) == repr(given_table.column(name).to_pylist())


@settings(max_examples=200)
@given(table=_tables(), group=st.integers(1, 6))
def test_each_row_is_a_prompt_or_a_failure_and_each_prompt_a_request_or_a_row_error(
    table: pa.Table, group: int
) -> None:
    """Nothing that Arrow can hold stops the reading or the rendering of the rows around it."""
    prompt = PromptSpec(template="{{ row | tojson }} {{ row | list | join }}")
    render = Renderer(JobSpec(provider=ProviderSpec(model="m"), prompt=prompt))
    with TemporaryDirectory() as name:
        rows = list(_dataset(table, Path(name), group).rows())
    assert [row.row for row in rows] == list(range(table.num_rows))
    for row in rows:
        if isinstance(row, Prompt):
            assert list(row.columns) == table.schema.names
            with contextlib.suppress(RowError):
                assert len(render(row).key) == 32


@settings(max_examples=100)
@given(table=_tables(), group=st.integers(1, 6), file_format=st.sampled_from(["jsonl", "csv"]))
def test_the_other_formats_hold_each_row_once_whatever_its_types(
    table: pa.Table, group: int, file_format: Format
) -> None:
    with TemporaryDirectory() as name:
        dataset = _dataset(table, Path(name), group)
        outcomes = (
            Recorded(row, str(row), None, 1, 0, 0.5, 1, None) for row in range(table.num_rows)
        )
        done = export(Material(*dataset.batches(), outcomes), Path(name), kind_of(file_format))
        rows = read_head(done.results_path, 99)
    assert [str(row["row"]) for row in rows] == [str(row) for row in range(table.num_rows)]


_KEYS = st.sampled_from(["prompt", "n", "列", "", "row", "message", "response"])
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=200)
@given(rows=st.lists(st.dictionaries(_KEYS, _JSON, max_size=4), min_size=1, max_size=6))
def test_what_json_lines_hold_comes_back_as_it_is_or_as_its_json(
    rows: list[dict[str, Any]],
) -> None:
    """A column whose values have no type in common holds the JSON of each."""
    with TemporaryDirectory() as name:
        path = Path(name) / "prompts.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
        dataset = Dataset(discover([str(path)]), None)
        outcomes = (Recorded(row, str(row), None, 1, 0, 0.5, 1, None) for row in range(len(rows)))
        done = export(Material(*dataset.batches(), outcomes), path.parent)
        results = pq.read_table(done.results_path)
    ours = {*HEAD.names, *ANSWER.names, *ERROR.names, *SOURCE.names}
    for key in {key for row in rows for key in row}:
        expected = [row.get(key) for row in rows]
        found = results.column(f"input_{key}" if key in ours else key).to_pylist()
        if found != expected:
            found = [None if text is None else json.loads(text) for text in found]
        assert found == expected
