"""The live page, and what keeps it current."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from batcher.errors import ErrorClass
from batcher.history import Lately
from batcher.observe.language import Lang
from batcher.observe.live import State, event, page
from batcher.recorded import NOTHING_YET

COUNTS = replace(
    NOTHING_YET,
    results=1200,
    errors={ErrorClass.SERVER_ERROR: 1, ErrorClass.CONTENT_FILTERED: 49, ErrorClass.THROTTLED: 0},
)
STATE = State(
    name="prompts.batch",
    model="glm-4-flash",
    total=5000,
    writer="process 7 on node-1",
    counts=COUNTS,
    lately=Lately(30, 900, 54_000, 6, 15, 16, None),
)


def _event(state: State, lang: Lang = "en") -> dict[str, Any]:
    told: dict[str, Any] = json.loads(event(state, lang))
    return told


def _tiles(state: State) -> dict[str, tuple[str, str]]:
    return {tile["name"]: (tile["value"], tile["note"]) for tile in _event(state)["tiles"]}


def test_every_script_and_style_of_the_page_carries_the_nonce() -> None:
    """But for data, which no browser runs."""
    made = page("n0nce", "en", "prompts.batch")
    tags = re.findall(r"<(?:script|style)\b[^>]*>", made)
    data = [tag for tag in tags if 'type="application/json"' in tag]
    assert len(data) == 1
    assert len(tags) > 4
    assert all('nonce="n0nce"' in tag for tag in tags if tag not in data)
    assert not re.search(r"\son\w+=|\sstyle=|javascript:", made)


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    made = page("n0nce", "en", "prompts.batch")
    (icon,) = re.findall(r"\b(?:src|href|action)=\S*", made)
    assert icon.startswith('href="data:image/svg+xml,')


def test_a_name_of_a_directory_is_text() -> None:
    made = page("n0nce", "en", "<script>alert(1)</script>\u202e")
    assert "<script>alert" not in made
    assert "\u202e" not in made


@pytest.mark.parametrize(
    ("lang", "tag", "word"), [("en", "en", "Time left"), ("zh", "zh-CN", "剩余时间")]
)
def test_the_page_is_in_the_language_that_is_asked_for(lang: Lang, tag: str, word: str) -> None:
    made = page("n0nce", lang, "prompts.batch")
    assert f'<html lang="{tag}">' in made
    assert word in made


def test_before_it_was_told_anything_the_page_makes_up_no_figure() -> None:
    made = page("n0nce", "en", "prompts.batch")
    assert set(re.findall(r"data-value>([^<]*)<", made)) == {"–"}
    assert set(re.findall(r"data-note>([^<]*)<", made)) == {""}
    assert re.search(r'<div id="charts" hidden>', made)


def test_an_event_is_one_line_of_json_whatever_the_texts() -> None:
    """A line break would end it (server-sent events)."""
    told = event(replace(STATE, name="a\nb\r\u2028c", unreadable="x\ny"), "zh")
    assert not set(told) & set("\n\r\u2028")


def test_a_run_that_goes_on_is_told_with_its_figures_of_the_moment() -> None:
    tiles = _tiles(STATE)
    assert tiles["rate"] == ("30.0", "over 30 s, 1,800 tokens a second")
    assert tiles["left"] == ("2 min", "if it goes on like this")
    assert tiles["flight"] == ("15", "of at most 16")
    assert tiles["throttled"] == ("6", "in the last 30 s")
    assert tiles["results"][0] == "1,200"
    assert tiles["pending"][0] == "3,750"
    assert _event(STATE)["title"] == "25.0% – prompts.batch"


@pytest.mark.parametrize(
    ("rows", "shown"), [(45_000, "1,500"), (1000, "33.3"), (10, "0.33"), (0, "0.00")]
)
def test_of_a_slow_run_each_decimal_counts_and_of_a_fast_one_none(rows: int, shown: str) -> None:
    state = replace(STATE, lately=Lately(30, rows, 0, 0, 15, 16, None))
    assert _tiles(state)["rate"][0] == shown


def test_of_a_run_that_has_ended_there_is_no_moment() -> None:
    ended = replace(STATE, writer=None)
    assert (_event(STATE)["moving"], _event(ended)["moving"]) == (True, False)
    tiles = _tiles(ended)
    assert {tiles[name] for name in ("rate", "left", "flight", "throttled")} == {("–", "")}


def test_before_the_first_second_has_passed_there_is_no_rate() -> None:
    tiles = _tiles(replace(STATE, lately=Lately(0, 0, 0, 0, 3, 8, None)))
    assert tiles["rate"] == tiles["left"] == ("–", "")
    assert tiles["flight"] == ("3", "of at most 8")


def test_a_run_whose_input_nobody_has_counted_is_told_without_a_share() -> None:
    assert _event(replace(STATE, total=None))["title"] == "1,250 – prompts.batch"


def test_errors_are_told_by_class_the_most_first_with_what_to_do() -> None:
    errors = _event(STATE)["errors"]
    assert [(error["name"], error["rows"]) for error in errors] == [
        ("content_filtered", "49"),
        ("server_error", "1"),
    ]
    assert errors[1]["hint"] == ErrorClass.SERVER_ERROR.rule.hint
    assert all(error["hint"] not in json.dumps(errors) for error in _event(STATE, "zh")["errors"])


def test_the_page_has_a_place_for_each_figure_and_each_chart_of_an_event() -> None:
    made, told = page("n0nce", "en", "prompts.batch"), _event(STATE)
    for tile in told["tiles"]:
        assert made.count(f'data-tile="{tile["name"]}"') == 1
    for chart in told["data"]["charts"]:
        assert made.count(f'data-chart="{chart}"') == 1
