"""Names of parameters that look like a slip of the pen."""

from __future__ import annotations

import pytest

from batcher.job import KNOWN_PARAMETERS, RESERVED_PARAMETERS, misspelt


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("temprature", "temperature"),
        ("max_token", "max_tokens"),
        ("topp", "top_p"),
        ("respone_format", "response_format"),
        ("reasoning_efort", "reasoning_effort"),
    ],
)
def test_a_misspelt_parameter_is_told_with_the_known_one(name: str, near: str) -> None:
    assert list(misspelt([name])) == [(name, near)]


def test_known_parameters_and_those_unlike_any_are_left_alone() -> None:
    assert list(misspelt([*KNOWN_PARAMETERS, "x", "my_own_thing", "enable_search"])) == []


def test_no_parameter_is_suggested_that_a_job_may_not_set() -> None:
    assert KNOWN_PARAMETERS.isdisjoint(RESERVED_PARAMETERS)
