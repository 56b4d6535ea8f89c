"""Addresses: which may be used, and that none is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ConfigurationError
from batcher.observe.alerts import Event, Webhook
from tests.webhooks import SECRET

ALL = tuple(Event)


def _webhook(address: str) -> Webhook:
    return Webhook.of("generic", address, "webhook 1 (HOOK)", secret=SECRET, on=ALL)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://hooks.slack.com/services/T/B/canary", "hooks.slack.com"),
        ("https://HOOKS.example.com:8443/canary?key=1", "hooks.example.com"),
        ("http://127.0.0.1:9000/canary", "127.0.0.1"),
        ("http://localhost/canary", "localhost"),
        ("http://[::1]:80/canary", "::1"),
    ],
)
def test_only_the_host_is_shown(address: str, host: str) -> None:
    webhook = _webhook(address)
    assert (webhook.host, webhook.address) == (host, address)
    assert "canary" not in repr(webhook)
    assert SECRET not in repr(webhook)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://hooks.example.com/canary", "plain http to hooks.example.com"),
        ("http://10.0.0.1/canary", "plain http to 10.0.0.1"),
        ("http://localhost.example.com/canary", "plain http"),
        ("ftp://hooks.example.com/canary", "begins with https://"),
        ("file:///canary", "begins with https://"),
        ("canary", "begins with https://"),
        ("https:///canary", "begins with https://"),
        ("https://user:canary@hooks.example.com/", "user name or password"),
        ("https://[canary/", "no URL"),
        ("https://hooks.example.com:canary/", "no URL"),
        ("https://hooks.example.com/canary\nX-Header: 1", "characters that no URL has"),
        ("https://hooks.example.com/canary with space", "characters that no URL has"),
        ("https://hooks.example.com/canary你", "characters that no URL has"),
    ],
)
def test_what_is_no_address_is_refused_without_showing_it(address: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        _webhook(address)
    assert said in str(raised.value)
    assert str(raised.value).startswith("webhook 1 (HOOK): ")
    assert "canary" not in str(raised.value)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        webhook = _webhook(text)
    except ConfigurationError as error:
        assert len(text) < 12 or text not in str(error)  # noqa: PT017 -- either may happen
    else:
        assert text.lower().startswith(("https://", "http://"))
        assert webhook.host


def test_the_end_of_an_outage_is_told_with_its_beginning() -> None:
    webhook = Webhook("generic", "host", "https://host/", on=("outage",))
    assert [event for event in Event if webhook.wants(event)] == [Event.OUTAGE, Event.RECOVERED]
