"""What a job wants of answers, and what is read from them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ConfigurationError
from batcher.job import OutputSpec
from batcher.structured import InvalidAnswerError, Plain, StructOf, Structure

FIELDS = {"label": ["pos", "neg"], "score": "number?", "stars": "integer?", "tags": "string[]"}


def _structure(**spec: Any) -> Structure:  # noqa: ANN401 -- those of the spec
    structure = Structure.of(OutputSpec(**spec))
    assert structure is not None
    return structure


def _refused(structure: Structure, text: str) -> str:
    with pytest.raises(InvalidAnswerError) as error:
        structure.read(text)
    return str(error.value)


def test_a_job_without_schema_and_fields_wants_none() -> None:
    assert Structure.of(OutputSpec()) is None


def test_fields_and_their_schema_are_the_same_structure() -> None:
    short = _structure(fields={"label": ["pos", "neg"]})
    assert short == _structure(schema=dict(short.schema))
    assert short.kind == StructOf((("label", Plain.TEXT),))


@pytest.mark.parametrize("spec", [{"schema": {"type": "array"}}, {"fields": {}}])
def test_a_wrong_one_is_refused_before_any_answer(spec: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Structure.of(OutputSpec(**spec))


def test_the_instructions_end_with_the_schema_as_one_line_under_its_heading() -> None:
    structure = _structure(fields={"标签": ["正面", "负面"]})
    *_, heading, schema = structure.instructions.split("\n")
    assert heading == "JSON Schema:"
    assert json.loads(schema) == structure.schema
    assert "正面" in schema


def test_a_value_is_read_compact_in_the_order_of_the_schema_and_as_it_is() -> None:
    text = 'So:\n```json\n{"tags": ["好"], "stars": 4.0, "label": "pos", "score": 1.50}\n```'
    read = _structure(fields=FIELDS).read(text)
    assert read == '{"label":"pos","score":1.5,"stars":4,"tags":["好"]}'


@given(
    st.fixed_dictionaries(
        {
            "label": st.sampled_from(["pos", "neg"]),
            "score": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "stars": st.none() | st.integers(-(2**63), 2**63 - 1),
            "tags": st.lists(st.text(st.characters(exclude_categories=["Cs"]))),
        }
    ),
    st.sampled_from(["{}", "```json\n{}\n```", "Here:\n{}\nFine?"]),
)
def test_any_valid_value_is_read_back_equal_and_reading_it_again_changes_nothing(
    value: dict[str, Any], around: str
) -> None:
    structure = _structure(fields=FIELDS)
    read = structure.read(around.replace("{}", json.dumps(value)))
    assert json.loads(read) == value
    assert structure.read(read) == read


def test_an_invalid_value_is_refused_with_what_is_wrong() -> None:
    said = _refused(_structure(fields={"label": ["pos", "neg"]}), '{"label": "neutral"}')
    assert said == '`label` must be one of "pos", "neg", not "neutral".'


def test_of_several_objects_the_only_valid_one_is_the_answer() -> None:
    structure = _structure(fields={"label": ["pos", "neg"]})
    schema = json.dumps(structure.schema)
    assert structure.read(f'By {schema} it is {{"label": "neg"}}.') == '{"label":"neg"}'
    assert structure.read('{"label": "neg"} as I said: {"label": "neg"}') == '{"label":"neg"}'


def test_two_valid_objects_are_no_answer() -> None:
    structure = _structure(fields={"label": ["pos", "neg"]})
    assert "2 different" in _refused(structure, '{"label": "pos"} or {"label": "neg"}')


def test_of_several_invalid_objects_the_last_one_is_complained_about() -> None:
    structure = _structure(fields={"label": ["pos", "neg"]})
    assert '"b"' in _refused(structure, '{"label": "a"} no: {"label": "b"}')


def test_an_integer_beyond_64_bits_is_refused_where_its_column_would_have_to_hold_it() -> None:
    structure = _structure(fields={"stars": "integer"})
    assert _refused(structure, '{"stars": 1e30}') == "`stars` must fit into 64 bits."
    assert _structure(fields={"stars": "number"}).read('{"stars": 1e30}') == '{"stars":1e+30}'


def test_a_schema_that_is_deeper_than_python_can_follow_makes_no_crash() -> None:
    """A value of few levels can still take many steps of a schema that refers to itself."""
    tree: dict[str, Any] = {"type": "array", "items": {"$ref": "#/$defs/tree"}}
    for _ in range(40):
        tree = {"allOf": [tree]}
    structure = _structure(
        schema={
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/tree"}},
            "$defs": {"tree": tree},
        }
    )
    assert "too deeply" in _refused(structure, '{"a": ' + "[" * 45 + "]" * 45 + "}")


def test_an_answer_that_the_validator_itself_stumbles_over_is_invalid_and_no_crash() -> None:
    """Else one row would stop the run, again at each start."""
    wants = {"type": "object", "properties": {"a": {"type": "string", "format": "regex"}}}
    structure = Structure.of_schema(wants)
    assert structure.read('{"a":"b+"}') == '{"a":"b+"}'
    with pytest.raises(InvalidAnswerError, match="could not be checked: OverflowError"):
        structure.read('{"a":"a{99999999999999999999}"}')


def test_what_a_model_is_told_is_short() -> None:
    structure = _structure(fields={f"field {number} {'x' * 80}": "string" for number in range(99)})
    assert len(_refused(structure, "{}")) <= 500


def test_nothing_of_the_validator_is_loaded_for_a_job_without_a_schema(tmp_path: Path) -> None:
    """`batcher --help` and a plain run stay as quick as they were."""
    program = (
        "import sys; from batcher.structured import Structure; from batcher.job import OutputSpec; "
        "Structure.of(OutputSpec()); print({'jsonschema', 'json5', 'referencing'} & {*sys.modules})"
    )
    ran = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-c", program], capture_output=True, check=True, cwd=tmp_path
    )
    assert ran.stdout == b"set()\n"
