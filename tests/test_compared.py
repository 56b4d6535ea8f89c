"""Whether the answers of two runs differ."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batcher.compared import RESPONSE, Pair, compare
from batcher.recorded import Recorded


def _outcome(row: int = 0, **fields: Any) -> Recorded:  # noqa: ANN401 -- those of Recorded
    return Recorded(row, f"id-{row}", "k", 1, 0, 0.5, 2, None, **fields)


def _holding(**values: object) -> Recorded:
    return _outcome(response="prose", output=json.dumps(values))


def test_texts_are_compared_where_no_schema_says_what_they_hold() -> None:
    same = compare(Pair(_outcome(response="x"), _outcome(response="x")), ())
    other = compare(Pair(_outcome(response="x"), _outcome(response="y")), ())
    assert (same.changed, other.changed) == (False, True)
    assert (other.a, other.b) == ({RESPONSE: '"x"'}, {RESPONSE: '"y"'})


def test_tool_calls_are_part_of_an_answer() -> None:
    pair = Pair(_outcome(tool_calls="[1]"), _outcome(tool_calls="[2]"))
    assert compare(pair, ()).changed


def test_values_are_compared_field_by_field_whatever_their_spelling() -> None:
    a = _holding(label="pos", score=1, tags=[2.0, {"b": 1, "a": 2}], gone=3)
    b = _outcome(
        response="other prose",
        output='{"tags": [2, {"a": 2, "b": 1}], "score": 1.0, "label": "neg", "new": null}',
    )
    compared = compare(Pair(a, b), ("label", "score", "tags", "gone", "new"))
    assert (compared.changed, compared.changed_fields) == (True, ["label", "gone"])
    assert (compared.a["label"], compared.b["label"]) == ('"pos"', '"neg"')
    assert (compared.a["gone"], compared.b["gone"], compared.a["new"]) == ("3", None, None)


def test_true_is_not_one_and_a_number_not_its_text() -> None:
    compared = compare(Pair(_holding(x=True, y=1), _holding(x=1, y="1")), ("x", "y"))
    assert compared.changed_fields == ["x", "y"]


def test_values_alone_decide_where_both_hold_some() -> None:
    a, b = _outcome(response="```{}```", output='{"x": 1}'), _outcome(output='{"x": 1}')
    assert compare(Pair(a, b), ("x",)).changed is False


def test_where_only_one_run_had_a_schema_the_texts_are_compared() -> None:
    a, b = _outcome(response="{}", output="{}"), _outcome(response="{}")
    assert compare(Pair(a, b), ("x",)) == (
        Pair(a, b),
        False,
        (),
        {RESPONSE: '"{}"'},
        {RESPONSE: '"{}"'},
    )


@pytest.mark.parametrize(
    "pair",
    [
        Pair(_outcome(), None),
        Pair(None, _outcome()),
        Pair(_outcome(error_class="overloaded"), _outcome()),
        Pair(_outcome(), _outcome(error_class="overloaded", response="invalid")),
    ],
)
def test_without_two_answers_nothing_is_said_of_a_change(pair: Pair) -> None:
    compared = compare(pair, ("x",))
    assert (compared.changed, compared.a, compared.b) == (None, {}, {})
    assert compared.pair.either in pair
