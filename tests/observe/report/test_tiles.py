"""The figures at the head of a page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batcher.errors import ErrorClass
from batcher.history import History
from batcher.observe.language import Lang
from batcher.observe.report import extents, tiles
from batcher.observe.report.tiles import attempts, share
from batcher.observe.words import Words
from batcher.recorded import NOTHING_YET, Counts
from tests.reported import COUNTS, HISTORY, NANOS

EN = Words("en")


def _told(counts: Counts, total: int | None, lang: Lang = "en") -> dict[str, tuple[str, str, str]]:
    return {
        tile["name"]: (tile["value"], tile["note"], tile["tone"])
        for tile in tiles(counts, History(), total, Words(lang))
    }


def test_they_say_how_far_a_run_is_and_what_it_took() -> None:
    assert _told(COUNTS, 20) == {
        "results": ("13", "1 cut at max_tokens, 2 duplicates, 1 from the cache", "good"),
        "errors": ("2", "13.3% of the rows done", "bad"),
        "pending": ("5", "of 20 in all", "wait"),
        "cost": ("2.00 CNY", "at most 0.1000 more", ""),
        "tokens": ("1,560", "1,300 prompt, 260 completion", ""),
        "attempts": ("18", "3 repairs, up to 5 possibly billed", ""),
    }


def test_of_a_run_that_has_not_begun_nothing_is_claimed() -> None:
    told = _told(NOTHING_YET, None)
    assert told["pending"] == ("unknown", "", "")
    assert told["cost"] == ("unknown", "no price is known", "")
    assert told["errors"] == ("0", "0% of the rows done", "")


def test_results_without_a_price_are_named_beside_the_cost() -> None:
    told = _told(replace(COUNTS, possible_cost=0, unpriced=4, cost=NANOS), 20)
    assert told["cost"] == ("1.00 CNY", "4 results without a price", "")


def test_where_prices_are_known_and_nothing_was_spent_it_cost_nothing() -> None:
    priced = replace(NOTHING_YET, currency="CNY")
    assert _told(priced, 5)["cost"] == ("0 CNY", "nothing was spent", "")
    refused = replace(priced, errors={ErrorClass.BAD_REQUEST: 2})
    assert _told(refused, 5)["cost"] == ("0 CNY", "nothing was spent", "")
    unpriced = replace(priced, results=2, unpriced=2)
    assert _told(unpriced, 5)["cost"] == ("unknown", "no price is known", "")


def test_calls_are_all_that_were_heard_of_those_of_pending_rows_among_them() -> None:
    counts = replace(NOTHING_YET, attempts=4)
    (told,) = (one for one in tiles(counts, HISTORY, 20, EN) if one["name"] == "attempts")
    assert (told["value"], told["note"]) == ("10", "4 for rows that are done")
    assert attempts(replace(counts, attempts=12), HISTORY) == 12


def test_where_each_row_has_samples_these_are_what_is_counted() -> None:
    (told,) = (
        one for one in tiles(NOTHING_YET, History(), 90, EN, samples=3) if one["name"] == "pending"
    )
    assert told["note"] == "of 90 samples in all"


def test_they_are_told_in_chinese() -> None:
    assert _told(COUNTS, 20, "zh")["pending"] == ("5", "共 20 行", "wait")


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "0%"),
        (0, 5, "0%"),
        (5, 5, "100%"),
        (1, 3, "33.3%"),
        (1, 100_000, "0.1%"),
        (99_999, 100_000, "99.9%"),
    ],
)
def test_a_share_is_nothing_or_all_only_where_it_is(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text


def test_the_bar_of_progress_never_ends_before_what_is_done() -> None:
    assert extents(COUNTS, 20) == {"results": 13, "errors": 2, "total": 20}
    assert extents(COUNTS, 3)["total"] == extents(COUNTS, None)["total"] == 15
    assert extents(NOTHING_YET, 0)["total"] == 1
