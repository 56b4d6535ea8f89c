"""The fold over pairs, and what a person reads of it."""

from __future__ import annotations

import json
from typing import Any

from batcher.compared import Pair, compare
from batcher.observe import Difference, Side
from batcher.recorded import Recorded


def _outcome(row: int = 0, **fields: Any) -> Recorded:  # noqa: ANN401 -- those of Recorded
    return Recorded(row, f"id-{row}", "k", 1, 0, 0.5, 2, None, **fields)


def _label(value: str, **fields: Any) -> Recorded:  # noqa: ANN401 -- those of Recorded
    output = json.dumps({"label": value, "score": 1}, ensure_ascii=False)
    return _outcome(response="prose", output=output, **fields)


def _difference(*pairs: Pair, fields: tuple[str, ...] = (), same_input: bool = True) -> Difference:
    difference = Difference(
        Side("runs/a", "glm-4-flash", simulated=False, currency="CNY"),
        Side("runs/b", "glm-4.7", simulated=True, currency="USD"),
        fields,
        same_input,
    )
    for pair in pairs:
        difference.add(compare(pair, fields))
    return difference


FAILED = _outcome(error_class="overloaded")
BAD = _outcome(error_class="invalid_row")


def test_rows_are_counted_by_what_each_run_has() -> None:
    good = _outcome(response="x")
    found = _difference(
        Pair(good, good),
        Pair(good, _outcome(response="y")),
        Pair(good, FAILED),
        Pair(FAILED, good),
        Pair(FAILED, BAD),
        Pair(good, None),
        Pair(None, FAILED),
    )
    assert found.facts()["rows"] == {
        "both": 5,
        "only_a": 1,
        "only_b": 1,
        "answered_in_both": 2,
        "changed": 1,
        "error_in_a_only": 1,
        "error_in_b_only": 1,
        "error_in_both": 1,
    }
    lines = list(found.lines())
    assert "5 rows in both, 1 only in A, 1 only in B" in lines
    assert "  2 answered in both: 1 changed (50.0%)" in lines


def test_each_side_has_its_own_sums() -> None:
    a = _outcome(response="x", cost=2_000_000_000, prompt_tokens=10, completion_tokens=4)
    b = _outcome(response="x", answered_by="cache", possible_cost=5_000_000)
    found = _difference(Pair(a, b), Pair(FAILED, None))
    sides: Any = found.facts()
    assert (sides["a"]["results"], sides["a"]["errors"], sides["a"]["cost"]) == (1, 1, 2.0)
    assert sides["a"]["error_classes"] == {"overloaded": 1}
    assert (sides["a"]["prompt_tokens"], sides["a"]["completion_tokens"]) == (10, 4)
    assert (sides["b"]["answered_by"], sides["b"]["unpriced"]) == ({"cache": 1}, 1)
    lines = list(found.lines())
    assert lines[0] == "A  runs/a  (glm-4-flash)"
    assert lines[1] == "B  runs/b  (glm-4.7, SIMULATED)"
    assert ["cost", "2.00", "CNY", "0.0000", "USD"] in [line.split() for line in lines]
    assert ["by", "cache", "0", "1"] in [line.split() for line in lines]
    assert ["overloaded", "1", "0"] in [line.split() for line in lines]
    assert ["latency", "p50", "0.50", "s", "0.50", "s"] in [line.split() for line in lines]


def test_fields_of_labels_have_an_agreement_and_a_table_of_disagreements() -> None:
    pairs = [Pair(_label("正面"), _label("正面"))] * 2 + [Pair(_label("正面"), _label("neg"))] * 2
    found = _difference(*pairs, fields=("label", "score"))
    assert list(found.lines())[-9:] == [
        "  4 answered in both: 2 changed (50.0%)",
        "",
        "field  agreement  kappa  rows",
        "label      50.0%   0.00     4",
        "score     100.0%      -     4",
        "",
        "label: most frequent disagreements",
        "  A         B    rows",
        "  正面  ->  neg     2",
    ]
    fields: Any = found.facts()["fields"]
    assert fields["label"]["disagreements"] == [{"a": "正面", "b": "neg", "rows": 2}]


def test_short_answers_without_a_schema_have_a_table_of_disagreements_too() -> None:
    found = _difference(*[Pair(_outcome(response="pos"), _outcome(response="neg\x1b"))] * 3)
    lines = list(found.lines())
    assert lines[-3:] == [
        "response: most frequent disagreements",
        "  A        B     rows",
        "  pos  ->  neg?     3",
    ]
    assert not any(line.startswith("field ") for line in lines)


def test_other_input_files_are_said() -> None:
    said = "The inputs are not the same files; rows are joined by their ids."
    assert said in _difference(same_input=False).lines()
    assert said not in _difference().lines()
