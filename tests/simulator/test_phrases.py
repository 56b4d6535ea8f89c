"""What the simulator has to say."""

from __future__ import annotations

import pytest

from batcher.simulator.chances import draw_chances
from batcher.simulator.phrases import chosen_label, named_label, sentences, topic


@pytest.mark.parametrize(
    ("review", "label"), [("a great phone", "good"), ("slow, terrible", "bad"), ("a phone", "so")]
)
def test_the_words_of_a_review_choose_the_label_and_else_chance_does(
    review: str, label: str
) -> None:
    assert chosen_label(["good", "bad", "so"], review, 0.99) == label


def test_labels_of_one_kind_are_no_choice() -> None:
    assert chosen_label(["good", "great"], "a great phone", 0) is None
    assert named_label("Write a positive review", "a great phone", 0) is None


def test_the_names_of_the_labels_do_not_lean() -> None:
    assert named_label("积极或消极？", "积极或消极？一般", 0) == "积极"


def test_a_topic_is_the_start_of_its_subject_on_one_line() -> None:
    assert topic("a\n b", chinese=False) == "a b"
    assert len(topic("字" * 99, chinese=True)) == 16


def test_sentences_name_their_subject() -> None:
    assert "snow" in sentences("snow", draw_chances(0, "row"), chinese=False)
    assert "雪" in sentences("雪", draw_chances(0, "row"), chinese=True)
