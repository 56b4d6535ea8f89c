"""Whom a job tells: what is refused, and that no address is ever shown or written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from batcher.errors import ConfigurationError
from batcher.job import JobSpec, job_with, load_job, plain_job

ADDRESS = "https://hooks.example.com/services/canary"


def _job(*webhooks: object, **alerts: object) -> JobSpec:
    return load_job({"alerts": {**alerts, "webhooks": list(webhooks)}}, {}, "job.toml")


def _refused(tables: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as raised:
        load_job(tables, {}, "job.toml")
    return str(raised.value)


def test_a_webhook_is_told_of_everything_unless_it_says_of_what() -> None:
    job = _job({"url_env": "HOOK"}, {"url_env": "HOOK", "on": ["cost"]})
    everything, one = job.alerts.webhooks
    assert everything.on == ("finish", "failure", "outage", "error_rate", "cost")
    assert one.on == ("cost",)
    assert (everything.shape, job.alerts.outage_after) == ("generic", "10m")


@pytest.mark.parametrize(
    ("given", "costs"),
    [({}, ()), ({"cost_over": "5.00CNY"}, ("5.00CNY",)), ({"cost_over": ["1CNY", "2CNY"]},) * 2],
)
def test_one_cost_or_several_may_be_told_of(given: dict[str, object], costs: object) -> None:
    wanted = tuple(costs["cost_over"]) if isinstance(costs, dict) else costs
    assert _job({"url_env": "HOOK"}, **given).alerts.costs == wanted


@pytest.mark.parametrize(
    "alerts",
    [
        {"webhooks": [{"url": ADDRESS}]},
        {"webhooks": [{"url_env": "A"}, {"secret": ADDRESS}]},
        {"webhooks": [{"url_env": ADDRESS}]},
        {"webhooks": [{"url_file": ADDRESS}]},
        {"webhooks": [{"webhook": ADDRESS}]},
        {"webhooks": [{"url_env": "hooks.example.com/canary"}]},
        {"webhooks": [{"url_env": [ADDRESS]}]},
        {"webhooks": ADDRESS},
        {"webhooks": {"url": ADDRESS}},
        {"url": ADDRESS},
        {"webhooks": [ADDRESS]},
    ],
)
@pytest.mark.parametrize("by_flag", [False, True])
def test_an_address_in_a_job_is_refused_and_not_shown(
    alerts: dict[str, object],
    by_flag: bool,  # noqa: FBT001 -- a case
) -> None:
    tables = {"alerts": alerts}
    with pytest.raises(ConfigurationError) as raised:
        load_job(*(({}, tables) if by_flag else (tables, {})), "job.toml")
    assert "canary" not in str(raised.value)
    assert "example.com" not in str(raised.value)
    assert str(raised.value).startswith("job.toml: ")


def test_who_writes_an_address_into_a_job_is_told_where_it_belongs() -> None:
    said = _refused({"alerts": {"webhooks": [{"url": ADDRESS}]}})
    assert said.startswith("job.toml: [[alerts.webhooks]] 1: `url` is a secret")
    assert "url_env" in said


@pytest.mark.parametrize(
    ("webhook", "said"),
    [
        ({}, "[[alerts.webhooks]] 1: name either url_env"),
        ({"url_env": "A", "url_file": "b"}, "[[alerts.webhooks]] 1: name either url_env"),
        ({"url_env": "A", "shape": "slak"}, "shape: not one of generic, slack, feishu"),
        ({"url_env": "A", "url_evn": "B"}, "did you mean `url_env`?"),
        ({"url_env": "A B"}, "url_env: not the name of an environment variable"),
        ({"url_env": "A", "on": ["costs"]}, "on[0]: not one of finish, failure"),
        ({"url_env": "A", "on": []}, "on = [] would tell it of nothing"),
        ({"url_env": "A", "secret_env": "B"}, "generic knows none"),
        ({"url_env": "A", "shape": "wecom", "secret_env": "B"}, "wecom knows none"),
    ],
)
def test_a_slip_in_a_webhook_is_named(webhook: dict[str, object], said: str) -> None:
    assert said in _refused({"alerts": {"webhooks": [webhook]}})


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        ({"outage_after": "10"}, "[alerts] outage_after = '10': not a time"),
        ({"error_rate_over": 5}, '[alerts] error_rate_over = 5: not a share such as "1%"'),
        ({"error_rate_over": 5}, '; write "5%"'),
        ({"error_rate_over": "101%"}, "[alerts] error_rate_over = '101%': not a share"),
        ({"cost_over": "5"}, "[alerts] cost_over = '5': not an amount"),
        ({"cost_over": ["5CNY", "x"]}, "[alerts] cost_over[1] = ['5CNY', 'x']: not an amount"),
        ({"cost_over": ["5CNY", "5USD"]}, "write all in one currency"),
        ({"webhooks": []} | {"outage_after": "1m"}, "nobody would be told"),
    ],
)
def test_a_slip_in_a_threshold_is_named(alerts: dict[str, object], said: str) -> None:
    assert said in _refused({"alerts": {"webhooks": [{"url_env": "A"}], **alerts}})


def test_the_file_of_an_address_is_looked_for_beside_the_job_also_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "job.toml").write_text('[[alerts.webhooks]]\nurl_file = "hook.txt"\n')
    monkeypatch.chdir(tmp_path)
    job = load_job(Path("job.toml"), {})
    assert job.alerts.webhooks[0].url_file == "hook.txt"
    plain = plain_job(job)
    assert plain["alerts"]["webhooks"][0]["url_file"] == str(tmp_path / "hook.txt")
    monkeypatch.chdir("/")
    again = job_with(json.loads(json.dumps(plain)), {}, "the job")
    assert again.alerts.webhooks[0].url_file == str(tmp_path / "hook.txt")
    assert plain_job(again) == plain


def test_alerts_are_no_part_of_a_request() -> None:
    assert _job({"url_env": "HOOK"}).request_settings() == JobSpec().request_settings()
