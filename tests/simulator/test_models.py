"""What is known of the models."""

from __future__ import annotations

import pytest

from batcher.simulator.models import LIMITS, Model, find_model


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("glm-5.3-flash", Model(1_048_576, 131_072)),
        ("glm-5-turbo", Model(204_800, 131_072)),
        ("glm-4.5-air", Model(131_072, 98_304)),
        ("glm-4-plus", Model(131_072, 4_095, thinks=False)),
        ("glm-4-air-250414", Model(131_072, 16_384, thinks=False)),
        ("glm-4.7-flashx-0915", Model(204_800, 131_072)),
        ("glm-z1", Model(131_072, 16_384, thinks=False)),
        ("glm-4-flash", Model(131_072, 16_384, thinks=False)),
    ],
)
def test_a_model_has_the_bounds_of_its_family(name: str, model: Model) -> None:
    assert find_model(name) == model


@pytest.mark.parametrize("name", ["", "glm-", "gpt-4o", "GLM-4", " glm-4"])
def test_other_names_are_no_models(name: str) -> None:
    assert find_model(name) is None


def test_every_model_with_a_limit_of_its_own_exists() -> None:
    assert all(find_model(name) for name in LIMITS if name != "*")
