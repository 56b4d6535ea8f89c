"""Texts for programs that take UTF-8 alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batcher.observe.metrics.texts import encodable


@given(st.text(st.characters()))
def test_any_text_can_be_encoded_and_what_could_be_stays_as_it_is(text: str) -> None:
    made = encodable(text)
    assert made.encode("utf-8").decode("utf-8") == made
    assert len(made) == len(text)
    assert all(new in (old, "?") for new, old in zip(made, text, strict=True))


def test_half_a_character_becomes_a_question_mark() -> None:
    assert encodable("好\ud83d!") == "好?!"
