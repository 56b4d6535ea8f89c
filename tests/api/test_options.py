"""Keyword arguments become a job."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from batcher.api.options import Job, JobOptions, Options, job_of
from batcher.errors import ConfigurationError
from batcher.job import PLACES, JobSpec


def _job(job: Job | None = None, inputs: list[str] | None = None, /, **options: object) -> JobSpec:
    return job_of(inputs, job, cast("Options", options))


def test_every_key_of_a_job_has_its_keyword() -> None:
    assert JobOptions.__annotations__.keys() == {*PLACES, "parameters", "alerts", "prices"}


def test_options_say_what_a_job_file_says() -> None:
    job = _job(
        None,
        ["prompts.jsonl"],
        provider="openai",
        model="glm-4.5-air",
        parameters={"temperature": 0},
        template="{{review}}",
        concurrency=8,
        max_cost="5.00CNY",
        output=Path("labels.batch"),
        prices={"glm-4.5-air": {"input": 1, "output": 2, "currency": "CNY"}},
    )
    assert job.input == ("prompts.jsonl",)
    assert (job.provider.name, job.provider.model) == ("openai", "glm-4.5-air")
    assert job.parameters == {"temperature": 0}
    assert job.prompt.template == "{{review}}"
    assert job.limits.concurrency == 8
    assert job.ceilings.max_cost == "5.00CNY"
    assert job.output.directory == "labels.batch"
    assert job.prices["glm-4.5-air"].output == 2


def test_options_win_over_a_job_file_whose_paths_are_its_own(folder: Path) -> None:
    (folder / "jobs").mkdir()
    (folder / "jobs" / "label.toml").write_text(
        'input = ["reviews.jsonl"]\n[provider]\nmodel = "glm-4.7"\n[limits]\nrpm = 60\n'
        '[parameters]\ntemperature = 0\n[output]\ndirectory = "out"\n'
    )
    file = Path("jobs/label.toml")
    job = _job(file, model="glm-4.5-air", parameters={"top_p": 0.5}, rpm=None)
    assert job.input == ("jobs/reviews.jsonl",)
    assert job.provider.model == "glm-4.5-air"
    assert job.parameters == {"temperature": 0, "top_p": 0.5}
    assert job.limits.rpm == 60
    assert job.output.directory == "jobs/out"
    assert _job(str(file), ["mine.jsonl"]).input == ("mine.jsonl",)


def test_a_job_may_be_given_by_its_tables() -> None:
    job = _job({"provider": {"model": "glm-4.7"}, "limits": {"rpm": 60}}, rpm=30)
    assert (job.provider.model, job.limits.rpm) == ("glm-4.7", 30)


def test_a_template_is_read_from_its_file(folder: Path) -> None:
    (folder / "prompt.j2").write_text("{{review}}!")
    assert _job(template="@prompt.j2").prompt.template == "{{review}}!"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("modle", "did you mean 'model'"),
        ("outputs", "did you mean 'output'"),
        ("temperature", "goes into parameters"),
    ],
)
def test_an_option_of_no_such_name_is_refused_with_a_hint(name: str, said: str) -> None:
    with pytest.raises(TypeError, match=f"'{name}'; .*{said}"):
        _job(**{name: 1})


def test_a_wrong_value_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"the arguments: \[limits\] timeout = -1"):
        _job(timeout=-1)
    with pytest.raises(ConfigurationError, match=r"the arguments: unknown key `limit`"):
        _job({"limit": {}})
