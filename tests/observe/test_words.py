"""The words of pages."""

from __future__ import annotations

import pytest

from batcher.errors import ErrorClass
from batcher.observe.language import Lang
from batcher.observe.words import Words

EN, ZH = Words("en"), Words("zh")


def test_a_text_is_told_in_the_language_with_its_figures() -> None:
    assert EN("of_total", total=1000) == "of 1,000 in all"
    assert ZH("of_total", total=1000) == "共 1,000 行"


@pytest.mark.parametrize(
    ("number", "en", "zh"),
    [(1, "1 repair", "1 次修复"), (2000, "2,000 repairs", "2,000 次修复")],
)
def test_a_noun_follows_its_number_in_english(number: int, en: str, zh: str) -> None:
    told = EN("attempts_repairs", number=number), ZH("attempts_repairs", number=number)
    assert told == (en, zh)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_text_that_there_is_not_is_an_error(lang: Lang) -> None:
    with pytest.raises(KeyError):
        Words(lang)("no such text")


def test_what_others_wrote_is_no_template() -> None:
    assert EN("prompts_missing", note="{other}") == "Some prompts are missing: {other}"


def test_languages_are_named_as_in_html() -> None:
    assert (EN.tag, ZH.tag) == ("en", "zh-CN")


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (40, "40 s", "40 秒"),
        (720, "12 min", "12 分钟"),
        (7500, "2 h 5 min", "2 小时 5 分钟"),
        (100 * 3600, "4 d 4 h", "4 天 4 小时"),
    ],
)
def test_durations_are_told_in_the_same_units(seconds: float, en: str, zh: str) -> None:
    assert (EN.lasting(seconds), ZH.lasting(seconds)) == (en, zh)


def test_a_class_of_errors_keeps_its_own_name_beside_the_translation() -> None:
    assert EN.error(ErrorClass.THROTTLED) == "throttled"
    assert ZH.error(ErrorClass.THROTTLED) == "限流 throttled"
    assert EN.hint(ErrorClass.BALANCE) == ErrorClass.BALANCE.rule.hint
    assert "余额" in ZH.hint(ErrorClass.BALANCE)
