"""The table of words: whole in both languages, and no more than pages say."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

import batcher.observe
from batcher.history import Ended
from batcher.observe.language import Said
from batcher.observe.live.words import TEXTS as OF_LIVE
from batcher.observe.texts import TEXTS
from batcher.observe.words import Words
from batcher.records import AnsweredBy

OBSERVE = Path(batcher.observe.__file__).parent
# Names that are put together from a part and a word of the program's own.
COMPOSED = {
    "none_": ("rows", "tokens", "calls", "failures", "cost", "latency"),
    "chart_": ("rows", "tokens", "calls", "failures", "cost", "latency"),
    "tile_": ("results", "errors", "pending", "cost", "tokens", "attempts"),
    "results_": ("truncated", "duplicates", "cached"),
    "state_": ("running", "finished", "stopped", "killed"),
    "ended_": (*(ended.value for ended in Ended), "killed", "working"),
    "answered_by_": tuple(one.value for one in AnsweredBy if one is not AnsweredBy.CALL),
}
FIGURES = ("prompt_tokens", "completion_tokens")


def _used() -> set[str]:
    """Return the names that templates and modules ask for."""
    found = {prefix + name for prefix, names in COMPOSED.items() for name in names}
    found |= {prefix + name for prefix in ("none_", "chart_") for name in FIGURES}
    for file in OBSERVE.rglob("*"):
        if file.suffix == ".html":
            found |= set(re.findall(r'\bw\(\s*"(\w+)"\s*[,)]', file.read_text("utf-8")))
        elif file.suffix == ".py":
            source = file.read_text("utf-8")
            found |= set(re.findall(r"""\bwords\(\s*["'](\w+)["']\s*[,)]""", source))
            found |= set(re.findall(r'"(said_\w+)"', source))
    return found


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_has_the_same_figures_in_both_languages(name: str) -> None:
    def figures(text: str) -> set[str | None]:
        return {field for _, field, _, _ in Formatter().parse(text)} - {None}

    said = TEXTS[name]
    assert figures(said.en) == figures(said.zh)


@pytest.mark.parametrize(("name", "said"), TEXTS.items())
def test_a_text_is_there_in_both_languages(name: str, said: Said) -> None:
    assert said.en
    assert said.zh or name == "between"
    assert said.en.isascii() or "…" in said.en


def test_every_text_that_is_asked_for_is_there_and_every_other_is_gone() -> None:
    """But for those that the live page has for itself."""
    assert _used() - set(OF_LIVE) == set(TEXTS)


def test_chinese_is_told_where_it_is_asked_for() -> None:
    assert Words("zh")("no_errors") == TEXTS["no_errors"].zh
