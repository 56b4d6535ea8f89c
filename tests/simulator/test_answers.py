"""What the simulator answers: plausible, short, and always the same for the same prompt."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.providers.tokens import count_tokens, is_chinese
from batcher.simulator.answers import Answer, compose, cut, spoil, spoil_json
from batcher.simulator.chances import Chances, draw_chances
from batcher.simulator.validate import Asked

MakeAsked = Callable[..., Asked]

EVEN = Chances(*[0.5] * 8)
LOW = Chances(*[0.0] * 8)
HIGH = Chances(*[0.999] * 8)


def function(**parameters: Any) -> dict[str, Any]:  # noqa: ANN401 -- a JSON schema
    return {"type": "function", "function": {"name": "look_up", "parameters": parameters}}


@given(seed=st.integers(0, 99), prompt=st.text(max_size=50))
def test_the_same_chances_give_the_same_answer(
    make_asked: MakeAsked, seed: int, prompt: str
) -> None:
    asked = make_asked(prompt)
    answer = compose(asked, draw_chances(seed, prompt))
    assert answer == compose(asked, draw_chances(seed, prompt))
    assert answer.text
    assert answer.finish_reason == "stop"
    assert answer.completion_tokens == count_tokens(answer.text)


def test_prompts_and_seeds_vary_the_wording(make_asked: MakeAsked) -> None:
    answers = {compose(make_asked("?"), draw_chances(seed, "?")).text for seed in range(50)}
    assert len(answers) > 20


@pytest.mark.parametrize(("prompt", "chinese"), [("What is snow?", False), ("什么是雪？", True)])
def test_an_answer_speaks_the_language_of_its_prompt_and_names_its_subject(
    make_asked: MakeAsked, prompt: str, *, chinese: bool
) -> None:
    answer = compose(make_asked(prompt), EVEN)
    assert is_chinese(answer.text) == chinese
    assert prompt in answer.text


def test_a_request_without_a_user_is_answered_in_the_language_of_its_instructions(
    make_asked: MakeAsked,
) -> None:
    messages = [{"role": "tool", "tool_call_id": "c", "content": "天气晴朗"}]
    assert is_chinese(compose(make_asked(messages=messages), EVEN).text)


@pytest.mark.parametrize(
    ("review", "label"), [("非常好，很满意", "正面"), ("太差了，要退货", "负面")]
)
def test_a_named_label_is_chosen_by_the_words_of_the_review(
    make_asked: MakeAsked, review: str, label: str
) -> None:
    prompt = f"判断情感，只回答正面、负面或中性：{review}"
    assert compose(make_asked(prompt), EVEN).text == label


def test_without_leaning_words_any_of_the_labels_is_chosen(make_asked: MakeAsked) -> None:
    asked = make_asked("Answer positive, negative or neutral: it is a chair")
    chosen = {compose(asked, draw_chances(seed, "row")).text for seed in range(30)}
    assert chosen == {"positive", "negative", "neutral"}


def test_labels_of_one_kind_only_are_no_choice(make_asked: MakeAsked) -> None:
    assert compose(make_asked("Write a positive review"), EVEN).text.count(" ") > 3


def test_an_object_has_the_quoted_keys_with_values_of_their_kind(make_asked: MakeAsked) -> None:
    prompt = (
        '评论：很好。请输出JSON，正面或负面： {"label": "", "score": 0, "count": 0, '
        '"keywords": [], "is_new": true, "reason": ""}'
    )
    answer = json.loads(compose(make_asked(prompt), EVEN).text)
    assert list(answer) == ["label", "score", "count", "keywords", "is_new", "reason"]
    assert answer["label"] == "正面"
    assert answer["score"] == 0.75
    assert (answer["count"], answer["keywords"]) == (50, ["质量", "服务"])
    assert answer["is_new"] is False
    assert isinstance(answer["reason"], str)


def test_without_labels_a_category_is_another_one(make_asked: MakeAsked) -> None:
    english = compose(make_asked('Reply as JSON with "category" and "tags"'), EVEN).text
    assert json.loads(english) == {"category": "other", "tags": ["quality", "service"]}
    assert json.loads(compose(make_asked('用JSON给出"类别"'), EVEN).text) == {"类别": "其他"}


def test_json_without_keys_has_one_of_its_own(make_asked: MakeAsked) -> None:
    text = compose(make_asked("Say hello", response_format={"type": "json_object"}), EVEN).text
    assert list(json.loads(text)) == ["answer"]


def test_a_function_is_called_for_one_half_of_the_rows(make_asked: MakeAsked) -> None:
    asked = make_asked("Beijing", tools=[function(type="object")])
    called = [compose(asked, LOW), compose(asked, HIGH)]
    assert [answer.finish_reason for answer in called] == ["tool_calls", "stop"]
    assert called[0].text == ""
    assert called[1].tool_call is None


def test_arguments_follow_the_schema(make_asked: MakeAsked) -> None:
    properties = {
        "city": {"type": "string"},
        "unit": {"type": "string", "enum": ["C", "F"]},
        "days": {"type": "integer", "minimum": 3, "maximum": 5},
    }
    answer = compose(
        make_asked("Beijing", tools=[function(type="object", properties=properties)]), LOW
    )
    assert answer.tool_call is not None
    assert answer.tool_call.name == "look_up"
    arguments = json.loads(answer.tool_call.arguments)
    assert list(arguments) == ["city", "unit", "days"]
    assert arguments["city"] == "Beijing"
    assert arguments["unit"] in {"C", "F"}
    assert 3 <= arguments["days"] <= 5
    assert answer.completion_tokens == count_tokens(answer.tool_call.arguments)


def test_a_function_without_parameters_is_called_with_none(make_asked: MakeAsked) -> None:
    tool = {"type": "function", "function": {"name": "now"}}
    call = compose(make_asked(tools=[tool]), LOW).tool_call
    assert call is not None
    assert call.arguments == "{}"


def test_a_model_that_thinks_says_so_and_it_costs_tokens(make_asked: MakeAsked) -> None:
    answer = compose(make_asked(model="glm-4.7"), EVEN)
    assert answer.reasoning
    assert answer.reasoning_tokens == count_tokens(answer.reasoning)
    assert answer.completion_tokens == answer.reasoning_tokens + count_tokens(answer.text)


@given(tokens=st.integers(1, 60))
def test_max_tokens_stop_an_answer_and_thinking_uses_them_first(
    make_asked: MakeAsked, tokens: int
) -> None:
    full = compose(make_asked(model="glm-4.7"), HIGH)
    answer = compose(make_asked(model="glm-4.7", max_tokens=tokens), HIGH)
    if tokens >= full.completion_tokens:
        assert answer == full
        return
    assert (answer.finish_reason, answer.completion_tokens) == ("length", tokens)
    assert answer.reasoning_tokens == min(tokens, full.reasoning_tokens)
    assert full.reasoning.startswith(answer.reasoning)
    assert full.text.startswith(answer.text)
    assert count_tokens(answer.reasoning) + count_tokens(answer.text) <= tokens


def test_a_cut_function_call_is_no_call(make_asked: MakeAsked) -> None:
    answer = compose(make_asked("Beijing", tools=[function(type="string")], max_tokens=1), LOW)
    assert (answer.tool_call, answer.finish_reason) == (None, "length")


@pytest.fixture
def whole(make_asked: MakeAsked) -> Answer:
    return compose(make_asked(model="glm-4.7"), EVEN)


def test_the_fault_length_leaves_one_half(whole: Answer) -> None:
    half = spoil(whole, "length")
    assert half == cut(whole, whole.completion_tokens // 2)
    assert half.finish_reason == "length"
    assert spoil(half, "length").completion_tokens > 0


@pytest.mark.parametrize("fault", ["sensitive", "network_error"])
def test_a_blocked_or_failed_inference_says_and_costs_nothing(whole: Answer, fault: str) -> None:
    spoiled = spoil(whole, fault)
    assert (spoiled.text, spoiled.reasoning, spoiled.finish_reason) == ("", "", fault)
    assert spoiled.completion_tokens == spoiled.reasoning_tokens == 0


def test_an_empty_answer_has_only_thought(whole: Answer) -> None:
    spoiled = spoil(whole, "empty")
    assert (spoiled.text, spoiled.finish_reason) == ("", "stop")
    assert spoiled.reasoning == whole.reasoning
    assert spoiled.completion_tokens == 0


def test_faults_of_the_wire_leave_what_is_said(whole: Answer) -> None:
    assert spoil(whole, "no_usage") == whole


LABELS = {
    "type": "object",
    "properties": {"label": {"enum": ["pos", "neg"]}, "score": {"type": "number", "maximum": 1}},
    "required": ["label", "score"],
}


@pytest.mark.parametrize(("review", "label"), [("It is great", "pos"), ("slow and bad", "neg")])
def test_a_request_with_a_schema_is_answered_by_an_object_of_it(
    make_asked: MakeAsked, review: str, label: str
) -> None:
    messages = [
        {"role": "system", "content": f"Label it.\nJSON Schema:\n{json.dumps(LABELS)}\nBe brief."},
        {"role": "user", "content": review},
    ]
    answer = compose(make_asked(messages=messages), EVEN)
    value = json.loads(answer.text)
    assert value.keys() == {"label", "score"}
    assert value["label"] == label
    assert answer.is_json


def as_json_schema(**fields: object) -> dict[str, object]:
    named = {"type": "json_schema", "json_schema": {"name": "label", "schema": LABELS}}
    return {"response_format": named, **fields}


@given(seed=st.integers(0, 200))
def test_broken_json_is_none_or_lacks_what_the_schema_wants(
    make_asked: MakeAsked, seed: int
) -> None:
    asked = make_asked("Great!", **as_json_schema())
    chances = draw_chances(seed, "row")
    spoiled = spoil_json(compose(asked, chances), "broken_json", asked, chances)
    assert spoiled.finish_reason == "stop"
    assert spoiled.completion_tokens == count_tokens(spoiled.text)
    start, end = spoiled.text.find("{"), spoiled.text.rfind("}")
    try:
        value = json.loads(spoiled.text[start : end + 1])
    except ValueError:
        return
    assert value.get("label") not in {"pos", "neg"} or not isinstance(value.get("score"), float)


def test_untidy_json_still_holds_the_object(make_asked: MakeAsked) -> None:
    asked = make_asked("Great!", **as_json_schema())
    answer = compose(asked, EVEN)
    text = spoil_json(answer, "untidy_json", asked, EVEN).text
    assert text != answer.text
    assert answer.text in text


def test_a_spoiled_answer_keeps_to_max_tokens(make_asked: MakeAsked) -> None:
    tokens = compose(make_asked("Great!", **as_json_schema()), EVEN).completion_tokens
    asked = make_asked("Great!", **as_json_schema(max_tokens=tokens))
    spoiled = spoil_json(compose(asked, EVEN), "untidy_json", asked, EVEN)
    assert (spoiled.finish_reason, spoiled.completion_tokens) == ("length", tokens)


def test_what_is_no_json_is_not_spoiled_as_json(make_asked: MakeAsked) -> None:
    asked = make_asked("Hello")
    answer = compose(asked, EVEN)
    assert not answer.is_json
    assert spoil_json(answer, "broken_json", asked, EVEN) == answer


def test_json_without_a_schema_is_broken_too(make_asked: MakeAsked) -> None:
    asked = make_asked('Reply as JSON with "category" and "tags"')
    spoiled = spoil_json(compose(asked, EVEN), "broken_json", asked, EVEN)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(spoiled.text)
