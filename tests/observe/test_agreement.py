"""How far two runs agree on a field."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.observe.agreement import Agreement

Values = Iterable[tuple[str | None, str | None]]


def _of(values: Values) -> Agreement:
    agreement = Agreement()
    for a, b in values:
        agreement.add(a, b)
    return agreement


def test_agreement_is_the_share_of_equal_values_and_kappa_what_chance_does_not_explain() -> None:
    """The worked example of Cohen (1960) as every textbook has it: 0.70 and 0.4."""
    values = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    agreement = _of(values)
    assert (agreement.compared, agreement.same) == (50, 35)
    assert agreement.share == pytest.approx(0.7)
    assert agreement.kappa == pytest.approx(0.4)
    assert list(agreement.disagreements()) == [("n", "y", 10), ("y", "n", 5)]


def test_where_all_have_one_value_chance_explains_everything() -> None:
    assert (_of([("y", "y")] * 3).share, _of([("y", "y")] * 3).kappa) == (1.0, None)


def test_a_field_of_many_or_of_long_values_has_no_labels_but_an_agreement() -> None:
    many = _of((str(number), "0") for number in range(21))
    long = _of([("y" * 61, "n")])
    assert (many.same, many.compared) == (1, 21)
    for agreement in (many, long):
        assert (agreement.kappa, list(agreement.disagreements())) == (None, [])


def test_without_rows_nothing_disagrees() -> None:
    assert (_of([]).share, _of([]).kappa) == (1.0, None)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["a", "b", None]))))
def test_disagreements_and_agreements_are_all_rows(values: list[tuple[str, str | None]]) -> None:
    agreement = _of(values)
    assert agreement.same + sum(rows for *_, rows in agreement.disagreements()) == len(values)
    assert agreement.kappa is None or agreement.kappa <= 1
