"""The key: refused where it is malformed, sent to nobody else, and written nowhere at all.

A marked key goes through whole runs with every logger at DEBUG, against a server that echoes it
into answers and errors, with faults and crashes; then every byte that was written is searched.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import re
import signal
import sqlite3
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import trustme

from tests.faults.real_run import (
    KEY,
    LAST_ONCE,
    MODEL,
    Done,
    ended,
    run_batcher,
    started,
    write_prompts,
)
from tests.toxic import ANSWER, Exchange, Toxic, says, streamed, tls_of, toxic, whole

ID, SECRET = KEY.split(".")

# --- 48: malformed keys ---

_MALFORMED = {
    "newline": f"{KEY}\n",
    "carriage return": f"{KEY}\r",
    "space before": f" {KEY}",
    "space inside": f"{ID}. {SECRET}",
    "Bearer": f"Bearer {KEY}",
    "two keys": f"{KEY}\n{KEY}",
    "control character": f"{KEY}\x7f",
    "not ASCII": f"{KEY}\u200b",
    "only space": "  ",
}


def _shows_nothing(done: Done) -> bool:
    return ID not in done.out + done.err and SECRET not in done.out + done.err


@pytest.mark.parametrize("key", _MALFORMED.values(), ids=_MALFORMED.keys())
@pytest.mark.parametrize("place", ["environment", "file", ".env"])
async def test_48_a_malformed_key_is_refused_before_any_call_and_not_shown(
    tmp_path: Path, place: str, key: str
) -> None:
    if place != "environment" and key in (f"{KEY}\n", f"{KEY}\r"):
        pytest.skip("a file of one line ends so, and its end is no part of the key")
    write_prompts(tmp_path)
    options: tuple[str, ...] = ()
    environment: dict[str, str | None] = {"ZHIPUAI_API_KEY": key}
    if place == "file":
        (tmp_path / "key").write_text(key, "utf-8")
        options, environment = ("--api-key-file", "key"), {}
    elif place == ".env":
        (tmp_path / ".env").write_text(f"ZHIPUAI_API_KEY={json.dumps(key, ensure_ascii=False)}\n")
        environment = {"ZHIPUAI_API_KEY": None}
    async with toxic(says(whole())) as server:
        done = await run_batcher(tmp_path, server.url, "--debug", *options, environment=environment)
    assert done.code == 77
    assert server.accepted == 0
    assert "API key" in done.err
    assert _shows_nothing(done)


async def test_48_a_key_that_cannot_sign_is_refused_where_it_should(tmp_path: Path) -> None:
    write_prompts(tmp_path)
    environment = {"ZHIPUAI_API_KEY": f"{ID}{SECRET}"}
    async with toxic(says(whole())) as server:
        done = await run_batcher(tmp_path, server.url, "--auth", "jwt", environment=environment)
    assert (done.code, server.accepted) == (77, 0)
    assert "--auth bearer" in done.err
    assert _shows_nothing(done)


# --- 49: an environment that means ill ---


def _logged(keys: Path) -> list[str]:
    """Return the TLS keys in a log, which aiohttp opens as it is imported, with a comment in it."""
    lines = keys.read_text().splitlines() if keys.exists() else []
    return [line for line in lines if not line.startswith("#")]


def test_49_the_key_log_would_show_itself(tmp_path: Path) -> None:
    """Python's own default context writes one, so that nothing logged means something."""
    keys = tmp_path / "keys"
    keys.write_text("# TLS secrets log file\nCLIENT_RANDOM 0 0\n")
    assert _logged(keys) == ["CLIENT_RANDOM 0 0"]


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_49_proxies_passwords_and_logs_of_the_environment_are_ignored(
    tmp_path: Path,
    tls: bool,  # noqa: FBT001 -- a case
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password else\n")
    (tmp_path / ".netrc").chmod(0o600)
    write_prompts(tmp_path, 2)
    context = tls_of(authority.issue_cert("127.0.0.1")) if tls else None
    async with toxic(says(whole())) as proxy, toxic(says(whole()), tls=context) as server:
        names = ("http_proxy", "https_proxy", "all_proxy")
        environment: dict[str, str | None] = dict.fromkeys(
            (*names, *map(str.upper, names)), proxy.url
        )
        environment["NETRC"] = str(tmp_path / ".netrc")
        environment["SSLKEYLOGFILE"] = str(tmp_path / "tls-keys")
        environment["SSL_CERT_FILE"] = str(tmp_path / "authority.pem")
        done = await run_batcher(tmp_path, server.url, environment=environment)
    assert proxy.accepted == 0
    assert not _logged(tmp_path / "tls-keys")
    # The authority of the environment is not trusted either.
    assert (done.code, len(server.seen)) == ((78, 0) if tls else (0, 2))
    assert {seen.headers["authorization"] for seen in server.seen} <= {f"Bearer {KEY}"}


async def test_49_asked_for_the_environment_is_trusted_but_for_passwords_and_logs(
    tmp_path: Path,
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password else\n")
    write_prompts(tmp_path, 2)
    context = tls_of(authority.issue_cert("127.0.0.1"))
    async with toxic(says(whole()), tls=context) as server:
        environment = {
            "NETRC": str(tmp_path / ".netrc"),
            "SSLKEYLOGFILE": str(tmp_path / "tls-keys"),
            "SSL_CERT_FILE": str(tmp_path / "authority.pem"),
        }
        done = await run_batcher(tmp_path, server.url, "--trust-env", environment=environment)
    assert (done.code, len(server.seen)) == (0, 2)
    assert {seen.headers["authorization"] for seen in server.seen} == {f"Bearer {KEY}"}
    assert not _logged(tmp_path / "tls-keys")


# --- the canary ---


@dataclass
class _Canary:
    """A key in its place, and where it must not be found."""

    folder: Path
    options: tuple[str, ...] = ()
    environment: dict[str, str | None] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    said: list[str] = field(default_factory=list)
    arguments: set[bytes] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def started(self, url: str, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start a run with every message there is, whose crash would leave a core file."""
        environment = self.environment | {
            "PYTHONFAULTHANDLER": "1",
            "PYTHONASYNCIODEBUG": "1",
            "PYTHONDEVMODE": "1",
        }
        core = ("prlimit", "--core=unlimited:unlimited")
        run = started(
            self.folder,
            url,
            *(*MODEL, "--debug", *self.options, *options),
            environment=environment,
            before=core,
        )
        async with run as process:
            watching = asyncio.create_task(self._watch())
            try:
                yield process
            finally:
                watching.cancel()

    async def finished(self, process: asyncio.subprocess.Process) -> Done:
        done = await ended(self.folder, process)
        self.said += [done.out, done.err]
        return done

    async def _watch(self) -> None:
        """Collect the arguments of every process, again and again."""
        while True:
            self.arguments |= _arguments()
            await asyncio.sleep(0.05)

    def found(self, server: Toxic) -> list[str]:
        """Return where the key, a half of it, or a token was written, and to which word."""
        tokens = {seen.headers["authorization"].removeprefix("Bearer ") for seen in server.seen}
        assert tokens
        secrets = {KEY, ID, SECRET, *tokens}
        parts = {part for token in tokens for part in token.split(".") if len(part) > 40}
        texts = [
            *written(self.folder, self.kept),
            *zip(("out", "err") * 9, self.said, strict=False),
        ]
        texts += [("argv", arguments.decode(errors="replace")) for arguments in self.arguments]
        return [
            f"{where}: {secret}"
            for where, text in texts
            for secret in secrets | parts
            if secret in text
        ]


def _arguments() -> set[bytes]:
    """Return the command line of every process."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.add(path.read_bytes())
    return found


def written(folder: Path, kept: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield every file under `folder` as bytes, and what is packed in it as text."""
    for path in folder.rglob("*"):
        if not path.is_file() or path.name in kept:
            continue
        data = path.read_bytes()
        yield str(path), data.decode("latin-1")
        if path.suffix == ".parquet":
            yield str(path), repr(pq.read_table(path).to_pylist())
        elif path.suffix == ".db":
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                yield str(path), "\n".join(database.iterdump())
        elif data.startswith(b"\x1f\x8b"):
            with contextlib.suppress(zlib.error, OSError, EOFError):
                yield str(path), gzip.decompress(data).decode("latin-1")


def test_canary_the_search_finds_a_key_in_every_kind_of_file(tmp_path: Path) -> None:
    """A canary that cannot sing proves nothing."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "log").write_text(f"... {KEY} ...")
    (tmp_path / "packed").write_bytes(gzip.compress(KEY.encode()))
    pq.write_table(pa.table({"message": [KEY] * 3}), tmp_path / "a.parquet", compression="zstd")
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as database:
        database.execute("CREATE TABLE t AS SELECT ? AS message", [KEY])
        database.commit()
    found = {Path(where).name for where, text in written(tmp_path) if KEY in text}
    assert found == {"log", "packed", "a.parquet", "a.db"}
    assert "log" not in {Path(where).name for where, _ in written(tmp_path, ("log",))}


@pytest.fixture(params=["environment", ".env", "file", "jwt", "several"])
def canary(request: pytest.FixtureRequest, tmp_path: Path) -> _Canary:
    write_prompts(tmp_path, 24)
    match request.param:
        case ".env":
            (tmp_path / ".env").write_text(f"ZHIPUAI_API_KEY={KEY}\n")
            return _Canary(tmp_path, (), {"ZHIPUAI_API_KEY": None}, (".env",))
        case "file":
            (tmp_path / "key.txt").write_text(f"{KEY}\n")
            options = ("--api-key-file", "key.txt")
            return _Canary(tmp_path, options, {"ZHIPUAI_API_KEY": None}, ("key.txt",))
        case "jwt":
            return _Canary(tmp_path, ("--auth", "jwt"))
        case "several":
            return _Canary(tmp_path, (), {"ZHIPUAI_API_KEYS": f"{KEY},other-id.other-secret"})
    return _Canary(tmp_path)


async def _echo(exchange: Exchange) -> None:
    """Put what signs in into everything that a server may say, row by row in another way."""
    token = exchange.seen.headers["authorization"]
    number = int(re.findall(r"\d+", exchange.seen.prompt)[0])
    message = f"{'x' * (number * 23)} got {exchange.seen.head} with {token}"
    refusal = json.dumps({"error": {"code": "1214", "message": message}}).encode()
    text = ANSWER.decode().replace("theirs", token).replace("stop", f"stop {token}")
    text = text.replace(json.dumps("你好"), json.dumps(f"Your key is {token}, {KEY}"))
    match number % 8:
        case 0:
            await exchange.say(whole(refusal, status="400 Bad Request"))
        case 1:
            await exchange.say(whole(text.encode(), f"X-Request-Id: {token}"))
        case 2:
            event = json.dumps({"choices": [{"delta": {"content": KEY[:20]}}]}).encode()
            other = json.dumps({"choices": [{"delta": {"content": KEY[20:]}}]}).encode()
            events = [b"data: " + piece + b"\n\n" for piece in (event, other, b"[DONE]")]
            await exchange.say(streamed(*events))
        case 3:
            await exchange.say(f"SSH-2.0 {token}\r\n\r\n".encode())
            exchange.close()
        case 4:
            await exchange.say(whole(f"<html>{token} {message}</html>".encode()))
        case 5:
            await exchange.say(streamed(f"event: error\ndata: {message[-900:]!r}\n\n".encode()))
        case 6:
            await exchange.say(whole(text.encode())[:-40])
            exchange.close()
        case _:
            body = json.dumps({"error": token}).encode()
            await exchange.say(whole(body, f"{token}: {token}", status="500 Internal Server Error"))


async def _echo_now_and_then(exchange: Exchange) -> None:
    """Echo to each third request, so that no more fail than may be their rows' own fault."""
    if exchange.number % 3 < 2:
        await exchange.say(whole())
    else:
        await _echo(replace(exchange, number=exchange.number // 3))


async def test_canary_a_key_that_a_server_echoes_is_written_nowhere(canary: _Canary) -> None:
    write_prompts(canary.folder, 72)
    async with toxic(_echo_now_and_then) as server:
        async with canary.started(server.url, *LAST_ONCE) as process:
            done = await canary.finished(process)
        assert done.code == 65, done.err
        assert len(done.results) == 48 + 6
        assert len(done.errors) == 18
        assert "[redacted]" in repr(done.results)
        assert "[redacted]" in repr(done.errors)
        assert canary.found(server) == []


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGKILL, signal.SIGTERM])
async def test_canary_a_crash_writes_no_key(canary: _Canary, number: signal.Signals) -> None:
    """Not into a core file either, though the limit would allow one."""
    halfway = asyncio.Event()

    async def behave(exchange: Exchange) -> None:
        if exchange.number < 8:
            await _echo(exchange)
        elif number == signal.SIGTERM:
            halfway.set()
            await exchange.say(whole())
        else:
            halfway.set()
            await exchange.hang()

    async with toxic(behave) as server:
        async with canary.started(server.url, "--max-attempts", "1", "-c", "2") as process:
            await asyncio.wait_for(halfway.wait(), 60)
            process.send_signal(number)
            done = await canary.finished(process)
        assert done.code in (-number, 128 + number, 65)
        assert list(canary.folder.rglob("core*")) == []
        assert canary.found(server) == []


async def test_canary_an_internal_error_writes_no_key(canary: _Canary) -> None:
    """A signal whose handler raises ends the run, with a traceback."""
    halfway = asyncio.Event()

    async def behave(exchange: Exchange) -> None:
        if exchange.number < 8:
            await _echo(exchange)
        else:
            halfway.set()
            await exchange.hang()

    async with toxic(behave) as server:
        async with canary.started(server.url, "--max-attempts", "1", "-c", "2") as process:
            await asyncio.wait_for(halfway.wait(), 60)
            process.send_signal(signal.SIGUSR1)
            done = await canary.finished(process)
        assert done.code == 70, done.err
        assert "Traceback" in done.err
        assert "ZeroDivisionError" in done.err
        assert canary.found(server) == []
