"""Both languages say the same, with the same figures."""

from __future__ import annotations

import string

import pytest

from batcher.observe.alerts.words import TEXTS, say


@pytest.mark.parametrize("name", TEXTS)
def test_both_languages_have_each_text_with_the_same_figures(name: str) -> None:
    english, chinese = (
        {field for _, field, _, _ in string.Formatter().parse(text) if field}
        for text in TEXTS[name]
    )
    assert english == chinese
    assert all(TEXTS[name])


def test_a_text_is_said_with_its_figures() -> None:
    assert say("en", "finish", run="a.batch") == "a.batch is done"
    assert say("zh", "finish", run="a.batch") == "a.batch 已完成"
