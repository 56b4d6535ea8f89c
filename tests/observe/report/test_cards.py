"""Rows as a page shows them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from batcher.observe.report import Shown
from batcher.observe.report.cards import MOST_CHARACTERS, Card, card, cards, told_apart
from batcher.observe.words import Words
from tests.reported import failed, messages, recorded

EN = Words("en")


def _asked(*of: Mapping[str, object]) -> Card:
    return card(Shown(recorded(), list(of)), EN, texts=True)


def test_a_result_has_its_messages_and_all_its_answers() -> None:
    shown = card(Shown(recorded("said"), messages("said")), EN, texts=True)
    assert (shown.error, shown.asked, shown.answered) == (None, "said", "said")
    assert [title for title, _, _ in shown.answers] == ["answer", "tool calls", "output"]
    assert shown.messages is not None
    assert [message.role for message in shown.messages] == ["system", "user", "assistant", "said"]
    assert dict(shown.facts)["tokens"] == "20 + 7"
    assert dict(shown.facts)["cost"] == "0.001 CNY"


def test_an_error_says_which_and_what_the_provider_said() -> None:
    shown = card(Shown(failed("1301")), EN, texts=True)
    assert (shown.error, shown.problem) == ("content_filtered", ["HTTP 400", "1301"])
    assert shown.answered == "1301"
    assert shown.message is not None
    assert shown.messages is None


@pytest.mark.parametrize("outcome", [recorded("SECRET"), failed("SECRET")])
def test_without_texts_only_what_names_a_row_is_left(outcome: object) -> None:
    assert isinstance(outcome, type(recorded()))
    named = outcome._replace(
        id="id", source="a.jsonl:1", model="m", finish_reason="stop", code="1301"
    )
    shown = card(Shown(named, messages("SECRET")), EN, texts=False)
    assert "SECRET" not in repr(shown)


def test_images_are_told_of_and_never_shown() -> None:
    def image(url: str) -> str:
        content = [{"type": "image_url", "image_url": {"url": url}}]
        (message,) = _asked({"role": "user", "content": content}).messages or ()
        (part,) = message.parts
        assert part.kind == "image"
        return part.cut.text

    assert image("data:image/png;base64,AAAA") == "data:image/png;base64"
    assert image("(image/png, 2 x 2, 99 bytes)") == "(image/png, 2 x 2, 99 bytes)"


def test_long_texts_and_long_conversations_are_cut_with_a_count() -> None:
    long = {"role": "user", "content": "x" * (MOST_CHARACTERS + 5)}
    shown = _asked(*[long] * 23)
    assert shown.messages_left_out == 18
    assert shown.messages is not None
    assert shown.messages[0].parts[0].cut.left_out == 5
    parts = {"role": "user", "content": [{"type": "text", "text": "x"}] * 30}
    (message,) = _asked(parts).messages or ()
    assert len(message.parts) == 21
    assert message.parts[-1].cut.left_out > 0


def test_conversations_without_texts_end_as_well() -> None:
    assert _asked(*[{"role": "user"}] * 1000).messages_left_out == 800


def test_prompts_of_one_template_are_shown_from_where_they_differ() -> None:
    """Also where they are of two templates; what begins alike for a few words only stays whole."""
    english = "Classify the sentiment of this review. Review: "
    chinese = "判断下面这条评论的情感，从正面、负面、中性中选一个，只回答标签。评论："
    lines = [english + "good", chinese + "好", english + "bad", chinese + "坏", "Classify me"]
    assert told_apart(lines) == [
        *("…review. Review: good", "…一个，只回答标签。评论：好"),
        *("…review. Review: bad", "…一个，只回答标签。评论：坏"),
        "Classify me",
    ]


def test_a_few_that_are_nearly_the_same_are_shown_by_what_they_share() -> None:
    """Where many begin alike, what counts is how these begin, not how two of them do."""
    template = "Summarize this customer review in a word: "
    lines = [f"{template}{letter * 20}" for letter in "abcdefghijklmnopqrst"]
    shown = told_apart([*lines, lines[0] + " again"])
    assert shown[0] == "…review in a word: " + "a" * 20
    assert shown[-1] == shown[0] + " again"


def test_the_same_prompts_are_shown_from_their_start() -> None:
    assert (
        told_apart(["The very same prompt, again and again"] * 2)
        == ["The very same prompt, again and again"] * 2
    )


def test_the_samples_of_a_row_are_told_apart_from_other_rows() -> None:
    template = "Summarize this customer review in a word: "
    assert told_apart([f"{template}{name}" for name in ("good", "good", "bad")]) == [
        *("…review in a word: good", "…review in a word: good"),
        "…review in a word: bad",
    ]


def test_a_list_tells_its_rows_apart() -> None:
    prompts = ["What is the capital of the country " + name for name in ("Chile", "Peru")]
    rows = [
        Shown(recorded(), [{"role": "user", "content": f"{prompt}?\n" + "x" * 200}])
        for prompt in prompts
    ]
    asked = [one.asked for one in cards(rows, EN, texts=True)]
    assert [
        line.startswith("…the country " + name)
        for line, name in zip(asked, ("Chile", "Peru"), strict=True)
    ] == [True] * 2
    assert max(map(len, asked)) == 161


def test_names_of_any_length_fit_into_a_line() -> None:
    shown = card(Shown(failed("x" * 100_000), [{"role": "y" * 100_000}]), EN, texts=True)
    assert max(map(len, (shown.id, shown.source or "", *shown.problem))) == 160
    assert max(len(value) for _, value in shown.facts) == 160
    assert shown.messages is not None
    assert len(shown.messages[0].role) == 160


def test_a_row_that_was_never_called_has_few_facts() -> None:
    row = failed()._replace(
        model=None,
        finish_reason=None,
        latency_s=None,
        prompt_tokens=None,
        completion_tokens=None,
        cost=None,
        attempts=0,
        ambiguous_attempts=0,
        repairs=0,
        code=None,
        http_status=None,
    )
    shown = card(Shown(row), EN, texts=True)
    assert (shown.facts, shown.problem, shown.latency, shown.tokens) == (
        [("calls", "0")],
        [],
        "",
        "",
    )


def test_each_sample_says_which_of_its_row_it_is_where_there_are_several() -> None:
    """To people from 1; its column in the files counts from 0."""
    first = card(Shown(recorded(sample=0)), EN, texts=True, samples=3)
    assert (first.sample, dict(first.facts)["sample column"]) == ("sample 1 of 3", "0")
    assert card(Shown(recorded(sample=2)), EN, texts=True, samples=3).sample == "sample 3 of 3"
    only = card(Shown(recorded(sample=0)), EN, texts=True)
    assert (only.sample, "sample column" in dict(only.facts)) == ("", False)


def test_units_are_those_of_the_language() -> None:
    english, chinese = (card(Shown(recorded()), Words(lang), texts=True) for lang in ("en", "zh"))
    assert (english.latency, english.tokens) == ("1.25 s", "7 tok")
    assert (chinese.latency, chinese.tokens) == ("1.25 秒", "7 token")


def test_answers_of_other_calls_are_named_as_such() -> None:
    row = recorded(answered_by="cache", prompt_tokens=None)
    facts = dict(card(Shown(row), EN, texts=True).facts)
    assert facts["answered by"] == "the cache"
    assert facts["tokens"] == "? + 7"
