"""What the samples of a row agree on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.outputs.polls import Ballot, Poll, Verdict, polls, verdict
from batcher.recorded import Recorded
from batcher.structured import ListOf, Plain, StructOf

MakeRecorded = Callable[..., Recorded]
LABELLED = StructOf(
    (
        ("label", Plain.TEXT),
        ("tags", ListOf(Plain.TEXT)),
        ("stars", Plain.INTEGER),
        ("score", Plain.NUMBER),
        ("good", Plain.BOOLEAN),
        ("more", StructOf((("a", Plain.TEXT),))),
        ("any", Plain.JSON),
    )
)


@given(st.lists(st.none() | st.sampled_from(["a", "b", "c"]), min_size=1, max_size=9))
def test_the_value_with_the_most_votes_wins_and_of_equals_the_one_that_came_first(
    votes: list[str | None],
) -> None:
    won = verdict(votes)
    counts = Counter(votes)
    assert won.agreement == counts[votes[votes.index(won.value)]] / len(votes)  # type: ignore[arg-type]
    best = [value for value in votes if counts[value] == max(counts.values())]
    assert won.value == best[0]


def test_nobody_decides_nothing() -> None:
    assert verdict([]) == Verdict(None, None)


def test_fields_of_one_value_are_voted_on_in_their_order_and_the_others_are_not() -> None:
    assert Ballot.on(5, LABELLED).questions == [
        ("label", pa.string()),
        ("stars", pa.int64()),
        ("score", pa.float64()),
        ("good", pa.bool_()),
    ]


def test_each_field_is_voted_on_for_itself(answered: MakeRecorded, failed: MakeRecorded) -> None:
    """A field that is absent counts as null; errors do not vote."""
    outputs = [
        {"label": "a", "score": 1, "stars": 4},
        {"label": "b", "score": 1.0, "good": True},
        {"label": "b", "score": 2.5, "good": None},
    ]
    outcomes = [
        *(answered(n, sample=n, id="x", output=json.dumps(out)) for n, out in enumerate(outputs)),
        failed(3, sample=3, id="x"),
    ]
    assert list(polls(iter(outcomes), Ballot.on(4, LABELLED))) == [
        Poll(
            row=0,
            id="x",
            verdicts=(
                Verdict("b", 2 / 3),
                Verdict(None, 2 / 3),
                Verdict(1.0, 2 / 3),
                Verdict(None, 2 / 3),
            ),
            valid_samples=3,
            samples=4,
        )
    ]


def test_without_fields_responses_are_voted_on_whatever_space_is_around_them(
    answered: MakeRecorded,
) -> None:
    texts = ["no", " yes\n", "yes", None]
    outcomes = [answered(n, sample=n, id="x", response=text) for n, text in enumerate(texts)]
    (poll,) = polls(iter(outcomes), Ballot.on(4, None))
    assert poll.verdicts == (Verdict("yes", 0.5),)
    assert Ballot.on(4, None).questions == [("response", pa.string())]


def test_a_row_of_errors_has_a_poll_in_which_nobody_voted(failed: MakeRecorded) -> None:
    (poll,) = polls(iter([failed(2), failed(3)]), Ballot.on(2, None))
    assert poll == Poll(1, None, (Verdict(None, None),), valid_samples=0, samples=2)


@pytest.mark.parametrize("samples", [1, 3])
def test_outcomes_are_parted_by_row_and_rows_without_one_have_no_poll(
    answered: MakeRecorded, samples: int
) -> None:
    numbers = [0, 1, 5, 9, 11]
    found = polls((answered(number) for number in numbers), Ballot.on(samples, None))
    assert Counter({poll.row: poll.samples for poll in found}) == Counter(
        number // samples for number in numbers
    )
