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
        ({"host": "https://api.example/v1", "port": 8443}, "https://api.example:8443/v1"),
        ({"host": "api.example/v1", "port": 8443}, "https://api.example:8443/v1"),
        ({"host": "api.example:81", "schema": "HTTP", "port": 81}, "http://api.example:81"),
        ({"host": "::1", "port": 8000}, "https://[::1]:8000"),
        ({"host": "[::1]", "schema": "http", "port": 8000}, "http://[::1]:8000"),
        ({"host": "::1"}, "https://[::1]"),
        ({"schema": "v1", "extra": {"base_url": "https://b.example"}}, "https://b.example"),
    ],
)
def test_the_address_is_put_together_of_host_schema_and_port(
    values: dict[str, object], base_url: str | None
) -> None:
    account = account_of(_connection(password="a.key", **values), lambda _key: None)  # noqa: S106 # none
    assert account.options.get("base_url") == base_url


@pytest.mark.parametrize(
    ("uri", "base_url"),
    [
        ("generic://:a.key@", None),
        ("generic://:a.key@api.example", "https://api.example"),
        ("generic://:a.key@api.example:8443", "https://api.example:8443"),
        ("http://:a.key@api.example:81/http", "http://api.example:81"),
        ("generic://http://:a.key@api.example:81", "http://api.example:81"),
        ("generic://:a.key@https%3A%2F%2Fapi.example%2Fv1", "https://api.example/v1"),
        ("generic://:a.key@/?base_url=https%3A%2F%2Fapi.example%2Fv1", "https://api.example/v1"),
    ],
)
def test_a_connection_may_be_a_uri(uri: str, base_url: str | None) -> None:
    account = account_of(Connection.from_uri(uri, conn_id="glm"), lambda _key: None)
    assert account.options.get("base_url") == base_url


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"host": "api.example", "schema": "api/v1"}, "schema is neither http nor https; if it is"),
        ({"host": "https://api.example", "schema": "v1"}, "whole address into base_url of its"),
        ({"host": "api.example:80", "port": 81}, "its host has a port, 80, and its port is 81"),
        ({"host": "api.example:x"}, "its host is no address"),
        ({"host": "https://[::1"}, "its host is no address"),
        ({"port": 81}, "a port and no host"),
    ],
)
def test_what_makes_no_address_is_refused_so_that_the_key_goes_nowhere(
    values: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        account_of(_connection(password="a.key", **values), lambda _key: None)  # noqa: S106 # none


def test_the_path_of_a_uri_is_no_schema() -> None:
    uri = "https://:a.key@api.example/api/paas/v4"
    with pytest.raises(ConfigurationError, match="if it is the path of an address"):
        account_of(Connection.from_uri(uri, conn_id="glm"), lambda _key: None)


@pytest.mark.parametrize("extra", ["{'base_url': 'https://b.example'}", '["a"]', "null", "3", "{"])
def test_an_extra_that_is_no_json_object_is_refused_without_being_shown(extra: str) -> None:
    """Airflow itself reads some of these as empty: the key would go to another address."""
    connection = Connection(conn_id="glm", conn_type="generic", password="a.key", extra=extra)  # noqa: S106 # none
    with pytest.raises(ConfigurationError, match="its extra is no JSON object") as caught:
        account_of(connection, lambda _key: None)
    assert "b.example" not in str(caught.value)


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
