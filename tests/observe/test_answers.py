"""Where answers come from, and what came in their place, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batcher.errors import ErrorClass
from batcher.observe import answer_lines, error_lines
from batcher.recorded import Counts


def _counts(results: int, duplicates: int, cached: int) -> Counts:
    return Counts(results, 0, {}, 0, 0, 0, 0, 0, 0, duplicates=duplicates, cached=cached)


@pytest.mark.parametrize(
    ("counts", "lines"),
    [
        (_counts(1000, 0, 0), []),
        (_counts(1000, 150, 0), ["  answers   850 called, 150 duplicates"]),
        (
            _counts(1000, 1, 38),
            ["  answers   961 called, 1 duplicate, 38 from the cache (hit rate 3.8 %)"],
        ),
        (
            _counts(1000, 0, 1000),
            ["  answers   0 called, 0 duplicates, 1,000 from the cache (hit rate 100.0 %)"],
        ),
    ],
)
def test_a_line_tells_of_answers_that_were_not_called(counts: Counts, lines: list[str]) -> None:
    assert list(answer_lines(counts, 12)) == lines


def test_errors_are_told_by_class_the_most_first_with_what_to_do_and_an_example() -> None:
    errors = {ErrorClass.BAD_REQUEST: 2, ErrorClass.SERVER_ERROR: 1100}
    examples = {ErrorClass.SERVER_ERROR: "in.jsonl:4: overloaded"}
    assert list(error_lines(replace(_counts(0, 0, 0), errors=errors), examples, 4)) == [
        f"    1,100 server_error: {ErrorClass.SERVER_ERROR.rule.hint}",
        "      first: in.jsonl:4: overloaded",
        f"    2 bad_request: {ErrorClass.BAD_REQUEST.rule.hint}",
    ]


def test_a_cache_that_was_of_no_use_is_told_of() -> None:
    assert list(answer_lines(_counts(0, 0, 0), 10, cache=True)) == [
        "  answers 0 called, 0 duplicates, 0 from the cache (hit rate 0.0 %)"
    ]
