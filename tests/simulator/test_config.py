"""What a simulator is told before it starts."""

from __future__ import annotations

from typing import Any

import pytest

from batcher.errors import UsageError
from batcher.simulator.config import SIMULATED_MODEL, SimulatorConfig
from batcher.simulator.models import LIMITS
from batcher.simulator.schedule import Outage


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"faults": {"501": 0.1}}, "no fault is named '501'"),
        ({"fail_after": (1, "1114")}, "no fault is named '1114'"),
        ({"key_faults": {"id": (1, "1114")}}, "no fault is named '1114'"),
        ({"outages": (Outage(0, 1, "down"),)}, "no fault is named 'down'"),
        ({"rate_headers": True}, "need a limit a minute"),
        ({"faults": {"500": 0.6, "502": 0.5}}, "must add up to 1 at most"),
        ({"faults": {"500": -0.1}}, "must add up to 1 at most"),
        ({"faults": {"500": float("nan")}}, "must add up to 1 at most"),
    ],
)
def test_what_cannot_happen_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SimulatorConfig(**fields)


def test_rates_that_add_up_to_one_are_fine_however_they_are_rounded() -> None:
    assert SimulatorConfig(faults={"500": 0.7, "502": 0.2, "503": 0.1}).faults["503"] == 0.1


def test_a_model_has_its_own_limit_or_that_of_all_others() -> None:
    config = SimulatorConfig(limits={"glm-5": 5, "*": 50})
    assert [config.limit_of("glm-5"), config.limit_of("glm-4.6")] == [5, 50]


def test_without_a_limit_for_the_others_they_have_none() -> None:
    assert SimulatorConfig(limits={"glm-5": 5}).limit_of("glm-4.6") is None


def test_a_limit_of_none_at_all_is_a_limit() -> None:
    assert SimulatorConfig(limits={"glm-5": 0, "*": 50}).limit_of("glm-5") == 0


def test_two_configurations_do_not_share_their_limits() -> None:
    one, other = SimulatorConfig(), SimulatorConfig()
    assert one.limits == other.limits == LIMITS
    assert one.limits is not other.limits


def test_the_simulated_model_allows_many_requests_at_once() -> None:
    assert SimulatorConfig().limit_of(SIMULATED_MODEL) == 1000
