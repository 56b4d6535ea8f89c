"""How models spoil JSON."""

from __future__ import annotations

import json
from typing import Any

from batcher.simulator.breakage import broken, untidy

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "label": {"enum": ["pos", "neg"]},
        "score": {"type": "number"},
        "note": {"type": "string"},
    },
    "required": ["label", "score"],
}
VALUE = {"label": "pos", "score": 0.5, "note": "fine"}
TEXTS = [broken(VALUE, SCHEMA, number / 500) for number in range(500)]


def parsed() -> list[Any]:
    values = []
    for text in TEXTS:
        start, end = text.find("{"), text.rfind("}")
        if 0 <= start < end:
            try:
                values.append(json.loads(text[start : end + 1]))
            except ValueError:
                continue
    return values


def test_no_broken_text_holds_a_valid_object() -> None:
    for value in parsed():
        assert value.get("label") not in {"pos", "neg"} or not isinstance(value.get("score"), float)


def test_each_way_of_models_to_break_json_is_gone() -> None:
    values = parsed()
    assert any("label" not in value for value in values)
    assert any("score" not in value for value in values)
    assert any(value.get("label") == "unsure" for value in values)
    assert any(value.get("score") == "about seven" for value in values)
    assert any("{" not in text for text in TEXTS)
    assert any(text.startswith("{'") for text in TEXTS)
    assert any(text.endswith(",}") for text in TEXTS)
    assert any("```json" in text for text in TEXTS)
    assert any(text.startswith('{"') and "}" not in text for text in TEXTS)


def test_an_object_is_cut_off_before_the_last_key_that_must_be_there() -> None:
    cut = [text for text in TEXTS if text.startswith("{") and "}" not in text]
    assert max(map(len, cut)) <= len('{"label":"pos"') + 1


def test_an_enum_that_lists_every_doubt_gets_a_value_of_its_own() -> None:
    schema = {"properties": {"x": {"enum": ["unsure", "mixed", "n/a"]}}}
    texts = [broken({"x": "mixed"}, schema, number / 100) for number in range(100)]
    assert any("mixed or not" in text for text in texts)


def test_without_an_object_there_are_only_words() -> None:
    texts = {broken([7], None, number / 20) for number in range(20)}
    assert all("7" not in text for text in texts)


def test_untidy_text_holds_what_it_held_within_prose_and_fences_in_its_language() -> None:
    texts = {untidy('{"x":"好"}', number / 4) for number in range(4)}
    assert len(texts) == 4
    assert all('{"x":"好"}' in text for text in texts)
    assert sum("```json\n" in text for text in texts) == 3
    assert sum("结果如下" in text for text in texts) == 2
    assert "Sure" in untidy('{"x":1}', 0.3)
