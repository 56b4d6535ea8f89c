"""The cache of a job: whether there is one, and whose answers are in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batcher.job import load_job
from batcher.providers import provider_named
from batcher.runs.calling import Callee
from batcher.runs.reuse import open_cache, scope
from tests.simulated import AT_ONCE


def _scope(base_url: str = "https://api.example.com/v4", **provider: Any) -> str:  # noqa: ANN401 -- keys of a job
    job = load_job(None, {"provider": provider})
    return scope(job, Callee(provider_named("glm", base_url), ()))


def _unheard(text: str) -> None:
    raise AssertionError(text)


def test_without_a_directory_there_is_none() -> None:
    with open_cache(load_job(None, {}), Callee(provider_named("glm"), ()), _unheard) as cache:
        assert cache is None


def test_the_directory_of_the_job_is_made(tmp_path: Path) -> None:
    job = load_job(None, {"reuse": {"cache": str(tmp_path / "cache")}})
    with open_cache(job, Callee(provider_named("glm"), ()), _unheard) as cache:
        assert cache is not None
        assert cache.path == tmp_path / "cache" / "cache.db"
        assert cache.path.exists()


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.example.com/v4/",
        "https://API.example.com/v4",
        "https://api.example.com/v4?token=secret#secret",
    ],
)
def test_an_address_counts_without_what_may_be_secret_and_what_makes_no_difference(
    base_url: str,
) -> None:
    assert _scope(base_url) == _scope()
    assert "secret" not in _scope(base_url)


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.example.com/v4",
        "https://api.example.com:8443/v4",
        "https://api.example.com/v1",
        "https://example.com/v4",
    ],
)
def test_another_endpoint_has_answers_of_its_own(base_url: str) -> None:
    assert _scope(base_url) != _scope()


def test_other_models_that_may_answer_make_for_other_answers() -> None:
    fallback: dict[str, Any] = {"models": ["m", "n"], "fallback_on": ["overloaded"]}
    assert _scope(**fallback) != _scope(model="m")
    assert _scope(**{**fallback, "fallback_on": ["content_filtered"]}) != _scope(**fallback)
    assert _scope(model="m") == _scope(model="n")


def test_simulated_answers_are_those_of_a_seed_and_no_endpoints() -> None:
    job = load_job(None, {})
    here = Callee(provider_named("glm"), (), AT_ONCE)
    there = Callee(provider_named("zai"), (), replace(AT_ONCE, latency_s=1))
    other = replace(here, simulator=replace(AT_ONCE, seed=1))
    real = replace(here, simulator=None)
    assert scope(job, here) == scope(job, there)
    assert len({scope(job, callee) for callee in (here, other, real)}) == 3
