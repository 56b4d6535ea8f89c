"""What only the live page says."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from batcher.errors import ErrorClass
from batcher.history import Ended, Lately
from batcher.observe.language import Lang
from batcher.observe.live import Phase, State
from batcher.observe.live.words import TEXTS, LiveWords

LATELY = Lately(30, 15, 900, 0, 4, 8, None)
STATE = State("prompts.batch", total=1500, writer="process 7 on node-1")


@pytest.mark.parametrize("name", TEXTS)
def test_each_text_has_the_same_figures_in_both_languages(name: str) -> None:
    en, zh = TEXTS[name]
    assert sorted(re.findall(r"{(\w+)", en)) == sorted(re.findall(r"{(\w+)", zh))
    assert bool(en) == bool(zh)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_each_phase_and_each_end_has_its_words(lang: Lang) -> None:
    words = LiveWords(lang)
    assert all(words(f"phase_{phase}") for phase in Phase)
    assert all(isinstance(words(f"why_{ended}"), str) for ended in Ended)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (STATE, "The run goes on: process 7 on node-1."),
        (
            replace(STATE, lately=LATELY._replace(waiting="the endpoint is down")),
            "No call can be made for now: the endpoint is down.",
        ),
        (replace(STATE, total=0), "process 7 on node-1 reads the input, or writes the files"),
        (replace(STATE, writer=None, total=0), "every row has an outcome"),
        (replace(STATE, writer=None), "1,500 rows pending. The same command goes on"),
        (replace(STATE, writer=None, total=None), "some rows pending"),
        (replace(STATE, writer=None, total=1), "with 1 row pending"),
        (
            replace(STATE, writer=None, lately=LATELY._replace(ended=Ended.DISK_FULL)),
            "1,500 rows pending. The disk was full; free space first. The same command goes on",
        ),
        (replace(STATE, writer=None, lately=LATELY), "was killed"),
        (replace(STATE, gone=True), "was moved or deleted"),
        (replace(STATE, unreadable="the disk failed."), "cannot be read: the disk failed. Below"),
    ],
)
def test_what_a_run_is_doing_is_told_in_a_sentence(state: State, said: str) -> None:
    assert said in LiveWords("en").status(state)
    assert LiveWords("zh").status(state) != LiveWords("en").status(state)


def test_all_other_words_are_those_of_the_report() -> None:
    assert LiveWords("en")("tile_results") == "Results"


def test_a_run_that_stopped_itself_says_why_but_never_in_a_provider_s_words() -> None:
    def status(error_class: ErrorClass | None, reason: str | None) -> str:
        ended = LATELY._replace(ended=Ended.HALTED, error_class=error_class, reason=reason)
        return LiveWords("en").status(State("run", total=5, lately=ended))

    assert "The cost reached 5 CNY. " in status(None, "The cost reached 5 CNY.")
    told = status(ErrorClass.BALANCE, "quoted prompt")
    assert ErrorClass.BALANCE.rule.hint in told
    assert "quoted" not in told
    assert "a ceiling of the job was met" in status(None, None)
