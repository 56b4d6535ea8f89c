"""The connection pool: where it may lead, over which proxy, trusting which certificates."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping

import httpx2

from batcher.engine.client.transport import Transport
from batcher.errors import ConfigurationError

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_DIRECT = ("no_proxy", "NO_PROXY")


@contextlib.asynccontextmanager
async def open_transport(
    base_url: str, connections: int, *, environment: Mapping[str, str]
) -> AsyncIterator[Transport]:
    """Open the pool of at most `connections` for the endpoint at `base_url`.

    Proxy and certificate authorities are those that `environment` names, if any; it is empty
    unless the user trusts it. A netrc or a TLS key log is never used: the one would replace the
    key, the other lay it open. No redirects, no cookies; TLS is always verified (reliability.md
    section D).

    Raises:
        ConfigurationError: the base URL is no http(s) address, or plain http off this machine;
            or a proxy or certificates that the environment names cannot be used.
    """
    _checked(base_url)
    context, proxy = network_of(base_url, environment)
    async with Transport(context, connections, proxy) as pool:
        yield pool


def network_of(address: str, environment: Mapping[str, str]) -> tuple[ssl.SSLContext, str | None]:
    """Return whose certificates to trust, and the proxy for `address`, as `open_transport` does.

    Plain http needs neither: only a TLS tunnel leads through a proxy.

    Raises:
        ConfigurationError: those that `environment` names cannot be used.
    """
    url = httpx2.URL(address)
    if url.scheme == "http":
        # It takes longer to read authorities than to call a model on this machine: trust none.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), None
    return _tls_context(environment), _proxy(url, environment)


def _checked(base_url: str) -> httpx2.URL:
    try:
        url = httpx2.URL(base_url)
        # As the name is looked up later, where nothing translates its error.
        url.raw_host.decode().encode("idna")
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise ConfigurationError(f"--base-url {base_url!r} is no URL: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(f"--base-url {base_url!r} is no http(s) address")
    if url.scheme == "http" and url.host not in ("localhost", "127.0.0.1", "::1"):
        raise ConfigurationError(
            f"--base-url {base_url!r} would send the key unencrypted; use https"
        )
    return url


def _tls_context(environment: Mapping[str, str]) -> ssl.SSLContext:
    named = {name: environment[name] for name in _CERTIFICATES if environment.get(name)}
    if not named:
        return httpx2.create_ssl_context(trust_env=False)
    # Not by create_default_context, which would also open the key log of the environment.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(*map(named.get, _CERTIFICATES))
    except OSError as error:
        where = " and ".join(f"{name} ({value})" for name, value in named.items())
        raise ConfigurationError(f"no certificates can be read from {where}: {error}") from None
    return context


def _direct(host: str, environment: Mapping[str, str]) -> bool:
    """Whether NO_PROXY lists `host`, or a domain it belongs to, or all by `*`."""
    listed = next(filter(None, map(environment.get, _DIRECT)), "")
    domains = [domain.strip().lower().removeprefix(".") for domain in listed.split(",")]
    return "*" in domains or any(f".{host}".endswith(f".{name}") for name in domains if name)


def _proxy(url: httpx2.URL, environment: Mapping[str, str]) -> str | None:
    """Return the proxy for `url`, one that a TLS tunnel leads through."""
    name = next((name for name in _PROXIES if environment.get(name)), None)
    if name is None or _direct(url.host, environment):
        return None
    proxy = environment[name] if "://" in environment[name] else f"http://{environment[name]}"
    try:
        usable = httpx2.URL(proxy).scheme in ("http", "https") and httpx2.URL(proxy).host
    except httpx2.InvalidURL:
        usable = False
    if not usable:
        # Without its value, which may hold a password.
        raise ConfigurationError(f"{name} names no http proxy; correct it, or leave --trust-env")
    return proxy
