"""Where the key may go: addresses, certificates, proxies; and what the environment has to say."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
import trustme

from batcher.engine.client import network_of, open_transport
from batcher.engine.client.connections import _direct
from batcher.errors import ConfigurationError, ErrorClass
from tests.one_call import COMPLETION, KEY, REQUEST, calling, error_at
from tests.toxic import ANSWER, says, tls_of, toxic, whole


async def test_cookies_are_not_kept() -> None:
    answer = says(whole(ANSWER, "Set-Cookie: session=1; Path=/"))
    async with toxic(answer) as server, calling(server.url) as client:
        for _ in range(2):
            await client.complete(REQUEST, "request-1")
    assert [seen.headers.get("cookie") for seen in server.seen] == [None, None]


# --- the environment ---

EVIL = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


async def test_proxies_and_passwords_of_the_environment_are_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with toxic(says(whole())) as proxy, toxic(says(whole())) as server:
        for name in EVIL:
            monkeypatch.setenv(name, proxy.url)
        async with calling(server.url) as client:
            await client.complete(REQUEST, "request-1")
    assert proxy.accepted == 0
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"


def test_plain_http_reads_no_authorities() -> None:
    """They would take longer than a short run on this machine; no other is called by plain http."""
    context, _ = network_of("http://127.0.0.1:9", {"SSL_CERT_FILE": "/nowhere"})
    assert context.cert_store_stats()["x509_ca"] == 0
    context, _ = network_of("https://127.0.0.1:9", {})
    assert context.cert_store_stats()["x509_ca"] > 0


async def test_plain_http_never_goes_by_a_proxy_which_would_read_the_key() -> None:
    async with toxic(says(whole())) as proxy, toxic(says(whole())) as server:
        environment = dict.fromkeys(EVIL, proxy.url)
        async with calling(server.url, environment=environment) as client:
            await client.complete(REQUEST, "request-1")
    assert proxy.accepted == 0
    assert len(server.seen) == 1


@dataclass
class _Tunnel:
    """A proxy that leads on whatever it is asked for."""

    port: int = 0
    heads: list[str] = field(default_factory=list)
    status: str = "200 Connection established"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        writer.write(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
        await writer.drain()
        if self.status.startswith("200"):
            host, port = head.split(" ")[1].split(":")
            there, back = await asyncio.open_connection(host, int(port))
            await asyncio.gather(_pipe(reader, back), _pipe(there, writer))
        writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def _tunnel(status: str = _Tunnel.status) -> AsyncIterator[_Tunnel]:
    tunnel = _Tunnel(status=status)
    server = await asyncio.start_server(tunnel.talk, "127.0.0.1", 0)
    tunnel.port = server.sockets[0].getsockname()[1]
    async with server:
        yield tunnel


async def test_a_trusted_proxy_tunnels_tls_and_reads_no_key(authority: trustme.CA) -> None:
    with authority.cert_pem.tempfile() as file:
        async with (
            toxic(says(whole()), tls=tls_of(authority.issue_cert("127.0.0.1"))) as server,
            _tunnel() as proxy,
        ):
            environment = {
                "SSL_CERT_FILE": file,
                "HTTPS_PROXY": f"user:word@127.0.0.1:{proxy.port}",
            }
            async with calling(server.url, environment=environment) as client:
                for _ in range(2):
                    assert await client.complete(REQUEST, "request-1") == COMPLETION
    (head,) = proxy.heads
    assert head.startswith("CONNECT 127.0.0.1:")
    assert "Proxy-Authorization: Basic dXNlcjp3b3Jk" in head
    assert KEY not in head
    assert len(server.seen) == 2


async def test_a_proxy_that_refuses_has_sent_nothing() -> None:
    async with _tunnel("407 Proxy Authentication Required") as proxy:
        environment = {"ALL_PROXY": f"http://127.0.0.1:{proxy.port}"}
        error = await error_at("https://llm.invalid", environment=environment)
    assert error.problem.error_class is ErrorClass.NOT_SENT


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "http://user:s3cret@:1", "http://[::1"])
async def test_a_proxy_of_another_kind_is_refused_without_its_password(proxy: str) -> None:
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY names no http proxy") as raised:
        async with open_transport("https://a.example", 1, environment={"HTTPS_PROXY": proxy}):
            pass
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("listed", "direct"),
    [
        ("", False),
        ("*", True),
        ("a.example", True),
        ("other, .EXAMPLE", True),
        ("b.a.example,ample", False),
    ],
)
def test_no_proxy_lists_hosts_and_domains(listed: str, *, direct: bool) -> None:
    assert _direct("a.example", {"NO_PROXY": listed}) == direct
    assert not _direct("a.example", {})


async def test_a_host_that_no_proxy_lists_is_called_directly(authority: trustme.CA) -> None:
    with authority.cert_pem.tempfile() as file:
        async with toxic(says(whole()), tls=tls_of(authority.issue_cert("127.0.0.1"))) as server:
            environment = {
                "SSL_CERT_FILE": file,
                "https_proxy": "http://127.0.0.1:9",
                "no_proxy": "127.0.0.1",
            }
            async with calling(server.url, environment=environment) as client:
                assert await client.complete(REQUEST, "request-1") == COMPLETION


# --- certificates ---


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority of our own."""
    return trustme.CA()


_LAST_YEAR = dt.datetime.now(dt.UTC) - dt.timedelta(days=365)


@pytest.mark.parametrize("fault", ["expired", "wrong host", "other authority", "nobody asked"])
async def test_without_a_valid_certificate_nothing_is_sent(
    authority: trustme.CA, tmp_path: Path, fault: str
) -> None:
    certificates = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(certificates)
    certificate = {
        "expired": lambda: authority.issue_cert("127.0.0.1", not_after=_LAST_YEAR),
        "wrong host": lambda: authority.issue_cert("127.0.0.2", "localhost"),
        "other authority": lambda: trustme.CA().issue_cert("127.0.0.1"),
        "nobody asked": lambda: authority.issue_cert("127.0.0.1"),
    }[fault]()
    environment = {} if fault == "nobody asked" else {"SSL_CERT_FILE": str(certificates)}
    async with toxic(says(whole()), tls=tls_of(certificate)) as server:
        error = await error_at(server.url, environment=environment)
    assert error.problem.error_class is ErrorClass.ENDPOINT_UNKNOWN
    assert server.seen == []


async def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(ConfigurationError, match=re.escape(f"SSL_CERT_FILE ({missing})")):
        async with open_transport("https://a.example", 1, environment={"SSL_CERT_FILE": missing}):
            pass


async def test_no_key_log_is_written_also_where_the_environment_is_trusted(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    certificates = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(certificates)
    environment = {"SSL_CERT_FILE": str(certificates), "SSLKEYLOGFILE": str(tmp_path / "keys")}
    context = tls_of(authority.issue_cert("127.0.0.1"))
    async with (
        toxic(says(whole()), tls=context) as server,
        calling(server.url, environment=environment) as client,
    ):
        assert await client.complete(REQUEST, "request-1") == COMPLETION
    assert not (tmp_path / "keys").exists()


# --- addresses ---


@pytest.mark.parametrize(
    ("base_url", "message"),
    [
        ("http://example.com/v4", "'http://example.com/v4' would send the key unencrypted"),
        ("http://127.0.0.1.example.com", "would send the key unencrypted"),
        ("ftp://example.com", "'ftp://example.com' is no http"),
        ("example.com/v4", "is no http"),
        ("https:///v4", "is no http"),
        ("", "is no http"),
        ("https://example.com:port", "is no URL"),
        ("https://[::1", "is no URL"),
        ("https://example..com", "is no URL"),
    ],
)
async def test_an_address_the_key_must_not_go_to_is_refused(base_url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        async with open_transport(base_url, 1, environment={}):
            pass


@pytest.mark.parametrize(
    "base_url",
    [
        "https://open.bigmodel.cn/api/paas/v4",
        "http://localhost:8000/v1",
        "http://127.0.0.1:8000",
        "http://[::1]:8000/",
        "HTTPS://EXAMPLE.COM",
        "https://例子.测试/v1",
    ],
)
async def test_https_and_this_machine_are_fine(base_url: str) -> None:
    async with open_transport(base_url, 1, environment={}) as transport:
        assert isinstance(transport, httpx2.AsyncBaseTransport)
