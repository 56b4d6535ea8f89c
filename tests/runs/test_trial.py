"""What webhooks would be told: shown without secrets, or really sent as a test."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from batcher.errors import ConfigurationError, UsageError
from batcher.job import JobSpec, Shape, load_job
from batcher.observe.alerts import Clocks, Event
from batcher.runs.trial import Trial, event_named
from tests.webhooks import SECRET, Hook, Reply, hook

NOON = 1_700_049_600.0
CLOCKS = Clocks(now=lambda: NOON)
ADDRESS = "https://hooks.example.com:8443/services/canary?key=canary"
VARIABLES = {"HOOK": ADDRESS, "SIGN": SECRET}


def _job(*webhooks: dict[str, object], **tables: object) -> JobSpec:
    alerts = {"webhooks": list(webhooks)} if webhooks else {}
    return load_job({"input": ["reviews.jsonl"], "alerts": alerts, **tables}, {}, "job.toml")


def _signed(shape: Shape, **more: object) -> dict[str, object]:
    signed = {"secret_env": "SIGN"} if shape in ("feishu", "dingtalk") else {}
    return {"shape": shape, "url_env": "HOOK", **signed, **more}


def _trial(job: JobSpec, event: Event | None = None) -> Trial:
    return Trial(job, VARIABLES, event, CLOCKS)


@pytest.mark.parametrize("shape", get_args(Shape))
@pytest.mark.parametrize("event", Event)
def test_what_would_be_sent_is_shown_without_address_signature_and_secret(
    shape: Shape, event: Event
) -> None:
    (shown,) = _trial(_job(_signed(shape)), event).payloads()
    text = json.dumps(shown)
    assert "canary" not in text
    assert SECRET not in text
    assert "TEST" in text
    assert (shown["webhook"], shown["shape"], shown["event"]) == (1, shape, event.value)
    assert shown["url"] == "https://hooks.example.com:8443/***"
    body: Any = shown["body"]
    assert (body.get("sign"), body.get("timestamp")) == (
        ("***", "***") if shape == "feishu" else (None, None)
    )
    assert shown["query"] == ({"timestamp": "***", "sign": "***"} if shape == "dingtalk" else {})


@pytest.mark.parametrize("shape", get_args(Shape))
def test_what_is_sent_is_what_is_shown(shape: Shape) -> None:
    job = _job(_signed(shape), observe={"lang": "zh"})
    (shown,) = _trial(job, Event.OUTAGE).payloads()
    with hook() as server:
        variables = {"HOOK": server.url, "SIGN": SECRET}
        (sent,) = Trial(job, variables, Event.OUTAGE, CLOCKS).send()
    assert sent == (1, "127.0.0.1", Event.OUTAGE, True, "delivered")
    (taken,) = server.taken
    told: Any = shown["body"]
    hidden = {name: "***" for name in ("timestamp", "sign") if name in told}
    assert {**taken.body, **hidden} == told
    assert taken.query.keys() == set(shown["query"])  # type: ignore[call-overload]


def test_without_an_event_each_webhook_is_told_of_the_first_that_it_wants() -> None:
    job = _job({"url_env": "HOOK"}, {"url_env": "HOOK", "on": ["cost", "failure"]})
    assert [shown["event"] for shown in _trial(job).payloads()] == ["finish", "cost"]


def test_an_event_is_shown_for_those_who_want_it() -> None:
    job = _job({"url_env": "HOOK", "on": ["cost"]}, {"url_env": "HOOK", "on": ["outage"]})
    shown = list(_trial(job, Event.RECOVERED).payloads())
    assert [(one["webhook"], one["event"]) for one in shown] == [(2, "recovered")]
    with pytest.raises(UsageError, match="no webhook of the job is told of `finish`"):
        list(_trial(job, Event.FINISH).payloads())


def test_thresholds_of_the_job_stand_in_its_examples() -> None:
    alerts = {"webhooks": [{"url_env": "HOOK"}], "cost_over": "7USD", "error_rate_over": "3%"}
    job = load_job({"alerts": alerts, "provider": {"name": "zai"}}, {}, "job.toml")
    bodies: list[Any] = [
        shown["body"]
        for event in (Event.COST, Event.ERROR_RATE)
        for shown in _trial(job, event).payloads()
    ]
    assert [body["over"] for body in bodies] == ["7.00 USD", "3%"]
    assert bodies[0]["currency"] == "USD"


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ({"name": "glm"}, "cost_over is in USD, but prices are in CNY; write it in CNY"),
        ({"name": "glm", "model": "mine"}, "no price is known for mine"),
    ],
)
def test_costs_that_a_run_would_refuse_are_refused_before_anything_is_shown_or_sent(
    provider: dict[str, object], said: str
) -> None:
    alerts = {"webhooks": [{"url_env": "HOOK"}], "cost_over": "7USD"}
    job = load_job({"alerts": alerts, "provider": provider}, {}, "job.toml")
    with pytest.raises(ConfigurationError, match=said):
        next(_trial(job).payloads())
    server: Hook
    with hook() as server, pytest.raises(ConfigurationError, match=said):
        list(Trial(job, {"HOOK": server.url}).send())
    assert server.taken == []


@pytest.mark.parametrize("event", [Event.OUTAGE, Event.RECOVERED])
def test_an_example_of_an_outage_has_no_speed_either(event: Event) -> None:
    (shown,) = _trial(_job({"url_env": "HOOK"}), event).payloads()
    body: Any = shown["body"]
    assert (body["rows_per_s"], body["left_s"]) == (None, None)


def test_what_can_be_shown_is_shown_before_a_missing_address_is_told_of() -> None:
    job = _job({"url_env": "GONE"}, {"url_env": "HOOK"})
    payloads = _trial(job).payloads()
    assert [next(payloads)["url"], next(payloads)["url"]] == [
        None,
        "https://hooks.example.com:8443/***",
    ]
    with pytest.raises(ConfigurationError, match="GONE is not set"):
        next(payloads)


def test_nothing_is_sent_where_an_address_is_missing() -> None:
    job = _job({"url_env": "HOOK"}, {"url_env": "GONE"})
    server: Hook
    with hook() as server, pytest.raises(ConfigurationError, match="GONE is not set"):
        list(Trial(job, {"HOOK": server.url}).send())
    assert server.taken == []


def test_a_refusal_of_a_test_is_told_and_not_asked_again() -> None:
    job = _job(_signed("dingtalk"))
    with hook([Reply(503)]) as server:
        (sent,) = Trial(job, {"HOOK": server.url, "SIGN": SECRET}).send()
    assert (sent.delivered, sent.said, len(server.taken)) == (False, "HTTP 503", 1)


def test_a_job_without_webhooks_is_told_where_to_find_some() -> None:
    with pytest.raises(UsageError, match=r"docs/alerts\.md"):
        list(_trial(_job()).payloads())


def test_a_misspelt_event_is_told_the_nearest() -> None:
    assert event_named("error_rate") is Event.ERROR_RATE
    with pytest.raises(UsageError, match="did you mean `outage`"):
        event_named("outages")
    with pytest.raises(UsageError, match="Known: finish, failure"):
        event_named("zzz")
