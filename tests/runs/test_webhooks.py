"""Addresses of webhooks, from the environment or a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from batcher.errors import ConfigurationError
from batcher.job import load_job
from batcher.observe.alerts import Webhook
from batcher.runs.webhooks import webhooks_of
from tests.webhooks import SECRET

ADDRESS = "https://hooks.example.com/canary"


def _found(webhook: Mapping[str, object], **variables: str) -> Webhook:
    alerts = load_job({"alerts": {"webhooks": [webhook]}}, {}, "job.toml").alerts
    (found,) = webhooks_of(alerts, variables)
    return found


def _refused(webhook: Mapping[str, object], **variables: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        _found(webhook, **variables)
    assert "canary" not in str(raised.value)
    return str(raised.value)


def test_an_address_and_a_secret_come_from_the_environment() -> None:
    webhook = {"shape": "feishu", "url_env": "HOOK", "secret_env": "SIGN", "on": ["cost"]}
    assert _found(webhook, HOOK=f" {ADDRESS}\n", SIGN=f"{SECRET}\n") == Webhook(
        "feishu", "hooks.example.com", ADDRESS, SECRET, ("cost",)
    )


def test_an_address_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text(f"{ADDRESS}\r\n")
    assert _found({"url_file": str(tmp_path / "hook")}).address == ADDRESS


@pytest.mark.parametrize("variables", [{}, {"HOOK": " "}])
def test_a_variable_that_is_not_set_is_named(variables: dict[str, str]) -> None:
    assert _refused({"url_env": "HOOK"}, **variables) == (
        "[[alerts.webhooks]] 1: HOOK is not set; set it in the environment or in .env"
    )
    signed = {"shape": "dingtalk", "url_env": "HOOK", "secret_env": "SIGN"}
    assert "SIGN is not set" in _refused(signed, HOOK=ADDRESS)


def test_an_address_that_cannot_be_used_is_named_by_its_variable() -> None:
    said = _refused({"url_env": "HOOK"}, HOOK="http://hooks.example.com/canary")
    assert said.startswith("[[alerts.webhooks]] 1 (HOOK): plain http to hooks.example.com")


@pytest.mark.parametrize("text", ["", "\n", f"{ADDRESS}\n{ADDRESS}\n", f"HOOK={ADDRESS} x"])
def test_a_file_holds_one_address_and_nothing_else(tmp_path: Path, text: str) -> None:
    (tmp_path / "hook").write_text(text)
    assert "must hold one address" in _refused({"url_file": str(tmp_path / "hook")})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    said = _refused({"url_file": str(tmp_path / "gone")})
    assert said.endswith(f"cannot read url_file {tmp_path / 'gone'}: No such file or directory")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert _refused({"url_file": str(tmp_path / "binary")}).endswith("it is not text")
