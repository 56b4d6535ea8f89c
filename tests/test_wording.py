"""Counts in words."""

from __future__ import annotations

import pytest

from batcher.wording import counted, did_you_mean, nearest


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 results"), (1, "1 result"), (2, "2 results"), (1234, "1,234 results")],
)
def test_only_a_single_one_is_in_the_singular(number: int, said: str) -> None:
    assert counted(number, "result") == said


@pytest.mark.parametrize(
    ("given", "known", "near"),
    [
        ("promt", ["prompt", "id"], "prompt"),
        ("xyz", ["prompt", "id"], None),
        ("", ["prompt"], None),
        ("prompt", [], None),
    ],
)
def test_the_nearest_word_is_told_where_one_is_near(
    given: str, known: list[str], near: str | None
) -> None:
    assert nearest(given, known) == near
    assert did_you_mean(given, known) == (f"; did you mean `{near}`?" if near else "")


def test_how_near_a_word_must_be_can_be_said() -> None:
    assert nearest("abcd", ["abxy"], 0.4) == "abxy"
    assert nearest("abcd", ["abxy"], 0.9) is None


def test_nobody_is_asked_whether_they_meant_what_they_said() -> None:
    assert did_you_mean("prompt", ["prompt", "promt"]) == "; did you mean `promt`?"
