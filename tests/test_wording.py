"""Counts in words."""

from __future__ import annotations

import pytest

from batcher.wording import counted, did_you_mean, extent, nearest, printable, table, utc, width


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 results"), (1, "1 result"), (2, "2 results"), (1234, "1,234 results")],
)
def test_only_a_single_one_is_in_the_singular(number: int, said: str) -> None:
    assert counted(number, "result") == said


def test_what_could_steer_a_terminal_is_replaced() -> None:
    assert printable("a\x1b[31m\u202eb 中") == "a?[31m?b 中"


def test_columns_are_aligned_by_what_a_terminal_shows() -> None:
    """A Chinese character takes two columns, a combining one none."""
    assert (width("中文"), width("e\u0301"), width("ab")) == (4, 1, 2)
    rows = [("label", "n"), ("正面", "1"), ("neg", "20")]
    assert list(table(rows)) == ["label   n", "正面    1", "neg    20"]
    assert list(table(rows, left=2)) == ["label  n", "正面   1", "neg    20"]


def test_notes_behind_the_figures_begin_at_one_place() -> None:
    rows = [("model", "n", ""), ("正面", "1", "up to 8"), ("neg", "20", "more")]
    assert list(table(rows, noted=True)) == ["model   n", "正面    1  up to 8", "neg    20  more"]


@pytest.mark.parametrize(
    ("records", "samples", "said"),
    [
        (5000, 1, "5,000"),
        (5000, 5, "1,000 rows x 5 samples"),
        (5, 5, "1 row x 5 samples"),
        (5001, 5, "5,001 samples"),
        (0, 5, "0 rows x 5 samples"),
    ],
)
def test_records_are_told_as_rows_and_samples(records: int, samples: int, said: str) -> None:
    assert extent(records, samples) == said


def test_a_moment_is_told_in_utc() -> None:
    assert utc(1_800_000_000.9) == "2027-01-15 08:00:00 UTC"


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
    assert did_you_mean(given, known) == (f"; did you mean `{near}`?" if near else ".")


def test_how_near_a_word_must_be_can_be_said() -> None:
    assert nearest("abcd", ["abxy"], 0.4) == "abxy"
    assert nearest("abcd", ["abxy"], 0.9) is None


def test_nobody_is_asked_whether_they_meant_what_they_said() -> None:
    assert did_you_mean("prompt", ["prompt", "promt"]) == "; did you mean `promt`?"
