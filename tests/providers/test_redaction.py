"""Texts of a provider, without the secrets that it may echo."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ErrorClass, Problem
from batcher.providers.envelope import one_line
from batcher.providers.redaction import MASK, SHORTEST, SHORTEST_CUT, Redaction, redacted
from batcher.records import Completion, Usage

ID, SECRET = "4bd1a0f2c7e94d1f", "c0ffee00D00dfeed"
KEY = f"{ID}.{SECRET}"
REDACTION = Redaction([KEY, ID, SECRET])


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", ""),
        ("nothing to hide", "nothing to hide"),
        (f"key {KEY}!", f"key {MASK}!"),
        (f"{KEY}{KEY}", f"{MASK}{MASK}"),
        (f"{SECRET} signs for {ID}!", f"{MASK} signs for {MASK}!"),
        (f"{KEY[:20]}", MASK),
        (f"key {KEY[:20]}…", f"key {MASK}"),
        (f"key {SECRET[:8]}", f"key {MASK}"),
        (f"key {SECRET[:7]}", f"key {SECRET[:7]}"),
        (f"{SECRET[:8]} was cut elsewhere", f"{SECRET[:8]} was cut elsewhere"),
    ],
)
def test_a_secret_its_halves_and_one_that_was_cut_are_masked(text: str, left: str) -> None:
    assert REDACTION(text) == left


def test_a_short_secret_is_a_word_like_any_other() -> None:
    """The key of a local server may be `EMPTY`, and an answer may hold that word."""
    assert (
        Redaction(["EMPTY", "x" * (SHORTEST - 1)])("EMPTY xxxxxxxxxxxxx") == "EMPTY xxxxxxxxxxxxx"
    )


def test_a_secret_that_repeats_itself_is_found_where_it_was_cut() -> None:
    assert Redaction(["ababababababXY"])("see abababababab") == f"see {MASK}"
    assert Redaction(["abababab-abababab-Z"])("abababab abababab-ab") == f"abababab {MASK}"


def test_tokens_that_begin_alike_are_masked_to_their_end() -> None:
    redaction = Redaction([], ["eyJhbGciOi.abc1.x", "eyJhbGciOi.abc9.y"])
    assert redaction("Bearer eyJhbGciOi.abc5-_Z.sig, bad") == f"Bearer {MASK}, bad"
    assert redaction("Bearer eyJhbGciO") == f"Bearer {MASK}"


def test_a_redaction_shows_no_secret_itself() -> None:
    assert repr(REDACTION) == "Redaction(...)"


_SECRETS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=SHORTEST)


@given(_SECRETS, st.text(), st.text(), st.integers(1, 60))
def test_no_text_that_is_cut_anywhere_shows_a_secret_or_its_start(
    secret: str, before: str, after: str, limit: int
) -> None:
    told = one_line(f"{before} {secret} {after}", limit)
    left = Redaction([secret])(told).replace(MASK, "")
    assert secret not in left
    assert not left.removesuffix("…").endswith(secret[:SHORTEST_CUT])


def test_every_text_of_a_completion_and_of_a_problem_is_redacted() -> None:
    told = Completion(KEY, KEY, KEY, KEY, KEY, Usage(1, 2), KEY)
    assert redacted(told, REDACTION) == Completion(MASK, MASK, MASK, MASK, MASK, Usage(1, 2), MASK)
    problem = Problem(ErrorClass.BAD_REQUEST, KEY, KEY, 400)
    assert redacted(problem, REDACTION) == Problem(ErrorClass.BAD_REQUEST, MASK, MASK, 400)


def test_what_holds_no_secret_stays_the_same_value() -> None:
    told = Completion("hi", None, None, "stop", "m", Usage())
    assert redacted(told, REDACTION) is told
