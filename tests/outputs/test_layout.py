"""The columns of both outputs."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from batcher.outputs.layout import layout
from batcher.structured import Plain, StructOf

MakeSchema = Callable[..., pa.Schema]


def _input_names(make_schema: MakeSchema, *names: str) -> list[str]:
    struct = pa.struct([pa.field(name, pa.string()) for name in names])
    planned = layout(make_schema(struct))
    in_results = planned.results.names[2 : 2 + len(names)]
    assert planned.errors.names[2 : 2 + len(names)] == in_results
    for schema in (planned.results, planned.errors):
        assert len(set(schema.names)) == len(schema.names)
    return in_results


def test_the_columns_are_ours_then_the_inputs_then_ours(make_schema: MakeSchema) -> None:
    planned = layout(make_schema())
    assert planned.results.names == [
        *("row", "id", "prompt", "response", "reasoning", "tool_calls", "finish_reason", "model"),
        *("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "cost"),
        *("currency", "attempts", "ambiguous_attempts", "repairs", "answered_by", "latency_s"),
        *("finished_at", "request_id", "key"),
    ]
    assert planned.errors.names == [
        *("row", "id", "prompt", "error_class", "code", "http_status", "message"),
        *("response", "cost", "currency", "attempts", "ambiguous_attempts", "repairs"),
        *("answered_by", "failed_at", "request_id", "source_file", "source_line", "source_text"),
    ]


def test_several_samples_have_a_column_behind_the_id_and_one_has_none(
    make_schema: MakeSchema,
) -> None:
    struct = pa.struct([pa.field("sample", pa.string())])
    alone, several = (layout(make_schema(struct), samples=samples) for samples in (1, 2))
    for planned in (several.results, several.errors):
        assert planned.names[:4] == ["row", "id", "sample", "input_sample"]
        assert planned.field("sample").type == pa.int32()
    assert alone.results.names[:3] == alone.errors.names[:3] == ["row", "id", "sample"]
    assert alone.results.field("sample").type == pa.string()


def test_the_fields_of_a_value_stand_behind_the_response_in_their_order(
    make_schema: MakeSchema,
) -> None:
    value = StructOf((("score", Plain.NUMBER), ("label", Plain.TEXT)))
    planned = layout(make_schema(), value)
    at = planned.results.names.index("response") + 1
    assert planned.results.names[at : at + 3] == ["out.score", "out.label", "reasoning"]
    assert [name for name in planned.errors.names if name.startswith("out.")] == []


def test_an_input_column_called_like_a_field_is_prefixed_in_both_files(
    make_schema: MakeSchema,
) -> None:
    struct = pa.struct([pa.field("out.label", pa.int64()), pa.field("out.other", pa.int64())])
    planned = layout(make_schema(struct), StructOf((("label", Plain.TEXT),)))
    for schema in (planned.results, planned.errors):
        assert schema.names[2:4] == ["input_out.label", "out.other"]


@pytest.mark.parametrize(
    ("names", "free"),
    [
        (["prompt", "text"], ["prompt", "text"]),
        (["id", "prompt"], ["input_id", "prompt"]),
        (["response", "message"], ["input_response", "input_message"]),
        (["id", "input_id"], ["input_input_id", "input_id"]),
        (["input_id", "id"], ["input_id", "input_input_id"]),
        (["id", "input_id", "input_input_id"], ["input_input_input_id", "input_id"]),
        (["twice", "twice"], ["twice", "input_twice"]),
        (["id", "id"], ["input_id", "input_input_id"]),
        ([], []),
    ],
)
def test_an_input_column_with_a_name_of_ours_is_prefixed_until_it_is_free(
    make_schema: MakeSchema, names: list[str], free: list[str]
) -> None:
    assert _input_names(make_schema, *names)[: len(free)] == free


def test_a_required_input_column_may_be_null_since_a_bad_row_has_none(
    make_schema: MakeSchema,
) -> None:
    struct = pa.struct([pa.field("n", pa.int8(), nullable=False, metadata={"unit": "m"})])
    field = layout(make_schema(struct)).results.field("n")
    assert field.nullable
    assert field.type == pa.int8()
    assert field.metadata == {b"unit": b"m"}
