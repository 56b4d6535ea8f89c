"""Both languages say the same, with the same figures."""

from __future__ import annotations

import string

import pytest

from batcher.observe.alerts.words import TEXTS, say, say_lasting


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


@pytest.mark.parametrize(
    ("seconds", "said"), [(12.0, "12 秒"), (720.0, "12 分钟"), (7500.0, "2 小时 5 分钟")]
)
def test_durations_have_units_of_the_language(seconds: float, said: str) -> None:
    assert say_lasting("zh", seconds) == said
    assert not any(unit in say_lasting("en", seconds) for unit in "秒分时天")
