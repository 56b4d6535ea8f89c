"""The tables of a job: what they allow, and what follows from them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batcher.job import (
    EVERY_MODEL,
    JobSpec,
    OutputSpec,
    ProviderSpec,
    load_job,
)


def test_a_job_of_nothing_is_all_defaults() -> None:
    assert load_job(None, {}) == JobSpec()


def test_a_job_that_named_no_model_and_is_given_one_still_lets_batch_lines_name_any() -> None:
    assert JobSpec().with_model("glm-5").provider.allowed_models == (EVERY_MODEL,)
    listing = JobSpec(provider=ProviderSpec(allowed_models=("glm-5",)))
    assert listing.with_model("glm-4").provider.allowed_models == ("glm-5",)


@pytest.mark.parametrize(
    ("ceilings", "left"),
    [
        ({}, None),
        ({"max_duration": "1h30m"}, 5400.0),
        ({"deadline": "06:00"}, 3600.0),
        ({"deadline": "05:00"}, 86_400.0),
        ({"deadline": "06:00", "max_duration": "30m"}, 1800.0),
    ],
)
def test_the_time_left_is_the_shortest_that_the_user_sets(
    ceilings: dict[str, str], left: float | None
) -> None:
    now = datetime(2026, 7, 1, 5, 0, tzinfo=UTC)
    assert load_job(None, {"ceilings": ceilings}).ceilings.seconds_left(now) == left


def test_settings_that_are_not_set_are_not_there() -> None:
    assert set(JobSpec().request_settings()) == {
        "prompt.prompt_column",
        "prompt.messages_column",
        "sampling.samples",
    }


@given(errors=st.integers(0, 100), rows=st.integers(0, 100), allowed=st.integers(0, 100))
def test_a_number_allows_as_many_errors(errors: int, rows: int, allowed: int) -> None:
    assert OutputSpec(allow_errors=allowed).allows(errors, rows) == (errors <= allowed)


@given(rows=st.integers(0, 10**9), share=st.decimals(0, 100, places=3), more=st.integers(1, 9))
@example(rows=100_000, share=Decimal("0.009"), more=1)
def test_a_share_allows_errors_up_to_the_exact_bound(rows: int, share: Decimal, more: int) -> None:
    output = load_job(None, {"output": {"allow_errors": f"{share}%"}}).output
    bound = int(Fraction(share) * rows / 100)
    assert output.allows(bound, rows)
    assert not output.allows(bound + more, rows)


def test_without_an_allowance_one_error_is_too_many() -> None:
    assert OutputSpec().allows(0, 0)
    assert not OutputSpec().allows(1, 1_000_000)
