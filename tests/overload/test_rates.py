"""Limits on requests and tokens a minute: used to the full, and not run into where told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from batcher.errors import ErrorClass
from tests.overload.gates import FixedMinute, Minute
from tests.overload.scenario import Ended, drive
from tests.overload.servers import Answer, Endpoint, Gate, answers
from tests.overload.service import Service

RPM, TPM = 600, 60_000
RAMP_S = 10.0


def _short(seed: int) -> list[Answer]:
    """Return the answers of a classification, for which rates matter more than concurrency."""
    return answers(seed, median_tokens=40, first_token_s=0.3)


def _share(endpoint: Endpoint, ended: Ended, *, requests: bool) -> float:
    """Return which part of its limit was used, from 10 s on until the rows became few."""
    used = sum(
        1 if requests else entry.tokens
        for entry in endpoint.ledger.entries
        if entry.arrived is not None and RAMP_S <= entry.arrived < ended.begun_s
    )
    return used / ((ended.begun_s - RAMP_S) / 60 * (RPM if requests else TPM))


def _refused(endpoint: Endpoint) -> float:
    return endpoint.ledger.share(ErrorClass.THROTTLED)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("gate", [lambda: Minute(requests=RPM), lambda: FixedMinute(RPM)])
def test_a_limit_on_requests_that_the_user_sets_is_kept_and_used(
    gate: Callable[[], Gate], seed: int
) -> None:
    endpoint = Endpoint(Service(), _short(seed), [gate()])
    ended = drive(endpoint, 900, seed=seed, rpm=RPM)
    assert _share(endpoint, ended, requests=True) >= 0.98
    assert _refused(endpoint) == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_a_limit_on_tokens_that_the_user_sets_is_kept_and_used(seed: int) -> None:
    endpoint = Endpoint(Service(), _short(seed), [Minute(tokens=TPM)])
    ended = drive(endpoint, 600, seed=seed, tpm=TPM)
    assert _share(endpoint, ended, requests=False) >= 0.98
    assert _refused(endpoint) <= 0.001


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("requests", [True, False])
def test_limits_that_headers_name_are_kept_and_used(seed: int, *, requests: bool) -> None:
    gate = Minute(requests=RPM) if requests else Minute(tokens=TPM)
    endpoint = Endpoint(Service(), _short(seed), [gate], named=gate.named)
    ended = drive(endpoint, 900 if requests else 600, seed=seed)
    assert _share(endpoint, ended, requests=requests) >= 0.98
    assert _refused(endpoint) <= 0.001


@pytest.mark.parametrize("seed", [1, 2])
def test_a_limit_that_nobody_tells_of_does_not_pin_calls_to_one_at_a_time(seed: int) -> None:
    """Each minute's share is used up at once and then refused: what is met there is not for ever.

    Of 1,800 rows the third 600 may begin after two minutes.
    """
    endpoint = Endpoint(Service(), _short(seed), [FixedMinute(RPM)])
    ended = drive(endpoint, 3 * RPM, seed=seed)
    assert ended.dead == set()
    assert ended.ended_s <= 180
    assert _refused(endpoint) <= 0.06
