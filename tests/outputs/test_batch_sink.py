"""The provider's batch output format, line by line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from batcher.outputs import Material, export, kind_of
from batcher.recorded import Recorded

MakeSchema = Callable[..., pa.Schema]
MakeBatches = Callable[..., Iterator[pa.RecordBatch]]
MakeRecorded = Callable[..., Recorded]
Lines = list[dict[str, Any]]
Publish = Callable[..., tuple[Lines, Lines]]


@pytest.fixture
def publish(tmp_path: Path, make_schema: MakeSchema, make_batches: MakeBatches) -> Publish:
    """Export outcomes of one row each; return the lines of both files."""

    def published(*outcomes: Recorded) -> tuple[Lines, Lines]:
        batches = make_batches([{"prompt": "x"}] * len(outcomes))
        done = export(Material(make_schema(), batches, iter(outcomes)), tmp_path, kind_of("batch"))
        assert done.errors_path is not None
        assert (done.results_path.name, done.errors_path.name) == ("output.jsonl", "error.jsonl")
        results, errors = (
            [json.loads(line) for line in path.read_text("utf-8").splitlines()]
            for path in (done.results_path, done.errors_path)
        )
        return results, errors

    return published


def test_a_result_is_a_whole_completion_under_its_custom_id(
    publish: Publish, answered: MakeRecorded
) -> None:
    outcome = answered(
        0,
        finished_at=1_700_000_000_999_999,
        reasoning="because",
        completion_tokens=3,
        cached_tokens=2,
        reasoning_tokens=1,
    )
    (line,), errors = publish(outcome)
    assert errors == []
    assert line == {
        "id": "batcher-0",
        "custom_id": "id-0",
        "response": {
            "status_code": 200,
            "request_id": "req-0",
            "body": {
                "id": "req-0",
                "object": "chat.completion",
                "created": 1_700_000_000,
                "model": "glm-4-flash",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {
                            "role": "assistant",
                            "content": "answer 0",
                            "reasoning_content": "because",
                        },
                    }
                ],
                "usage": {
                    "prompt_tokens": 7,
                    "completion_tokens": 3,
                    "total_tokens": 10,
                    "prompt_tokens_details": {"cached_tokens": 2},
                    "completion_tokens_details": {"reasoning_tokens": 1},
                },
            },
        },
        "error": None,
    }


def test_tool_calls_are_objects_again_and_text_that_is_no_unicode_stays_escaped(
    publish: Publish, answered: MakeRecorded
) -> None:
    calls = '[{"id":"c","type":"function","function":{"name":"f","arguments":"\\ud83d"}}]'
    (line,), _ = publish(answered(0, response=None, tool_calls=calls))
    message = line["response"]["body"]["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"] == json.loads(calls)


def test_an_answer_that_was_not_called_for_has_no_usage_and_an_id_all_the_same(
    publish: Publish, answered: MakeRecorded
) -> None:
    (line,), _ = publish(answered(0, prompt_tokens=None, request_id=None, answered_by="cache"))
    assert "usage" not in line["response"]["body"]
    assert line["response"]["body"]["id"] == "batcher-0"


def test_an_error_has_its_status_code_and_message(publish: Publish, failed: MakeRecorded) -> None:
    results, (line,) = publish(failed(0, request_id="req-0"))
    assert results == []
    assert line == {
        "id": "batcher-0",
        "custom_id": "id-0",
        "response": {
            "status_code": 500,
            "request_id": "req-0",
            "body": {"error": {"code": "500", "message": "failed", "type": "server_error"}},
        },
        "error": None,
    }


@pytest.mark.parametrize("status", [None, 200])
def test_an_error_never_has_the_status_of_a_success(
    publish: Publish, failed: MakeRecorded, status: int | None
) -> None:
    """A row that was never sent has none, and an answer without use came with 200."""
    outcome = failed(0, http_status=status, code=None, error_class="invalid_output")
    _, (line,) = publish(outcome)
    assert line["response"]["status_code"] is None
    assert line["response"]["body"]["error"]["code"] == "invalid_output"


def test_an_answer_that_could_not_be_used_stands_beside_its_error(
    publish: Publish, failed: MakeRecorded
) -> None:
    _, (line,) = publish(failed(0, error_class="invalid_output", response="no JSON"))
    assert line["response"]["body"]["choices"][0]["message"]["content"] == "no JSON"


def test_each_of_several_samples_has_a_custom_id_of_its_own(
    tmp_path: Path, make_schema: MakeSchema, make_batches: MakeBatches, answered: MakeRecorded
) -> None:
    """The number always stands behind the last #, so that no other id can be the same."""
    outcomes = (answered(row, id=f"id-{row // 2}", sample=row % 2) for row in range(4))
    batches = make_batches([{"prompt": "x"}] * 2)
    material = Material(make_schema(), batches, outcomes, samples=2)
    done = export(material, tmp_path, kind_of("batch"))
    lines = [json.loads(line) for line in done.results_path.read_text("utf-8").splitlines()]
    assert [line["custom_id"] for line in lines] == ["id-0#0", "id-0#1", "id-1#0", "id-1#1"]
    assert [line["id"] for line in lines] == [
        "batcher-0-0",
        "batcher-0-1",
        "batcher-1-0",
        "batcher-1-1",
    ]


def test_a_column_of_the_input_called_sample_numbers_nothing(
    tmp_path: Path, make_schema: MakeSchema, make_batches: MakeBatches, answered: MakeRecorded
) -> None:
    columns = pa.struct([pa.field("sample", pa.int32())])
    batches = make_batches([{"sample": 7}], columns)
    material = Material(make_schema(columns), batches, iter([answered(0)]))
    done = export(material, tmp_path, kind_of("batch"))
    assert json.loads(done.results_path.read_text("utf-8"))["custom_id"] == "id-0"
