"""What an Airflow connection says of whom to call, and with which keys."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import Connection

from batcher.airflow.account import account_of
from batcher.errors import ConfigurationError, CredentialsError


def _connection(**values: object) -> Connection:
    return Connection.from_json(json.dumps({"conn_type": "generic", **values}), conn_id="glm")


def test_the_password_is_the_key_and_shows_itself_nowhere() -> None:
    masked: list[str] = []
    account = account_of(_connection(password="one.key, two.key"), masked.append)  # noqa: S106 # none
    assert account.keys is not None
    assert [key.get_secret_value() for key in account.keys] == ["one.key", "two.key"]
    assert masked == ["one.key", "two.key"]
    assert "one.key" not in repr(account)


@pytest.mark.parametrize(
    ("values", "base_url"),
    [
        ({}, None),
        ({"host": "api.example"}, "https://api.example"),
        ({"host": "api.example", "schema": "http", "port": 81}, "http://api.example:81"),
        ({"host": "https://api.example/v1/"}, "https://api.example/v1"),
        ({"host": "a.example", "extra": {"base_url": "https://b.example"}}, "https://b.example"),
    ],
)
def test_the_address_is_put_together_as_airflow_does_it(
    values: dict[str, object], base_url: str | None
) -> None:
    account = account_of(_connection(password="a.key", **values), lambda _key: None)  # noqa: S106 # none
    assert account.options.get("base_url") == base_url


def test_the_extra_names_provider_and_way_to_sign_in() -> None:
    connection = _connection(password="a.key", extra={"provider": "zai", "auth": "jwt"})  # noqa: S106 # none
    account = account_of(connection, lambda _key: None)
    assert account.options == {"provider": "zai", "auth": "jwt"}


def test_a_connection_without_a_key_is_named() -> None:
    with pytest.raises(CredentialsError, match="the connection glm holds no API key"):
        account_of(_connection(host="api.example"), lambda _key: None)


@pytest.mark.parametrize(
    ("extra", "said"),
    [({"model": "glm-5"}, "its extra says 'model'"), ({"auth": 3}, "auth in its extra is no text")],
)
def test_an_extra_that_cannot_be_is_named(extra: dict[str, object], said: str) -> None:
    connection = _connection(password="a.key", extra=extra)  # noqa: S106 # none
    with pytest.raises(ConfigurationError, match=said):
        account_of(connection, lambda _key: None)
