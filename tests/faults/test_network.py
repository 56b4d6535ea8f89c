"""What a network does to a run: refuse, break, fall silent, drip, swell, lead astray."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from batcher.errors import ProviderError
from tests.faults.real_run import (
    KEY,
    LAST_ONCE,
    MODEL,
    ended,
    first_failure,
    run_batcher,
    started,
    to_the_last,
    write_last,
    write_prompts,
)
from tests.one_call import COMPLETION, REQUEST, calling
from tests.ports import kept_port
from tests.toxic import (
    ANSWER,
    CHUNKED,
    DONE,
    EVENT_STREAM,
    EVENTS,
    TEXT,
    Behaviour,
    Exchange,
    bomb,
    chunked,
    drips,
    endless,
    head,
    redirects,
    refuses,
    says,
    says_and_closes,
    says_and_hangs,
    streamed,
    tls_of,
    toxic,
    whole,
)

MIB = 1024 * 1024


# --- 22: no connection ---


async def test_22_a_refused_connection_is_tried_again_until_the_server_is_there(
    tmp_path: Path,
) -> None:
    write_prompts(tmp_path, 3)
    log = tmp_path / "prompts.batch" / "log.jsonl"
    with kept_port() as port:
        async with started(tmp_path, f"http://127.0.0.1:{port}", *MODEL) as process:
            while "not_sent" not in (log.read_text() if log.exists() else ""):
                assert process.returncode is None
                await asyncio.sleep(0.02)
            async with toxic(says(whole()), port=port) as server:
                done = await ended(tmp_path, process)
    assert done.code == 0, done.err
    assert len(server.seen) == len(done.results) == 3
    assert max(row["attempts"] for row in done.results) > 1
    assert {row["ambiguous_attempts"] for row in done.results} == {0}


async def test_22_a_connection_reset_before_the_request_was_read_is_an_error_worth_another_try(
    tmp_path: Path,
) -> None:
    """Whether the reset comes before the request goes out is the kernel's choice."""
    write_prompts(tmp_path)
    async with toxic(says(whole()), listen=False) as server:
        failed = await first_failure(tmp_path, server.url)
    assert failed["error_class"] in ("ambiguous", "not_sent")
    assert server.accepted >= 1


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace injects the error")
@pytest.mark.parametrize("host", ["127.0.0.1", "llm.invalid"], ids=["connect", "DNS"])
async def test_22_a_network_that_is_unreachable_sends_nothing(tmp_path: Path, host: str) -> None:
    write_prompts(tmp_path)
    strace = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=connect")
    inject = ("-e", "inject=connect:error=ENETUNREACH")
    failed = await first_failure(tmp_path, f"https://{host}:9", before=(*strace, *inject))
    assert failed["error_class"] == "not_sent"


# --- 23, 24: silence ---


async def test_23_a_black_hole_ends_by_the_deadline_and_is_called_three_times_at_most(
    tmp_path: Path,
) -> None:
    write_prompts(tmp_path, 2)
    async with toxic(says_and_hangs()) as server:
        done = await run_batcher(tmp_path, server.url, "--timeout", "0.5")
    assert (done.code, done.classes) == (65, ["ambiguous"] * 2)
    assert Counter(seen.prompt for seen in server.seen) == {"Say 0.": 3, "Say 1.": 3}
    assert [row["ambiguous_attempts"] for row in done.errors] == [3, 3]
    assert {row["message"] for row in done.errors} == {"no whole answer within 0.5 s"}
    assert "billed" in done.out


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
async def test_24_bytes_that_drip_do_not_put_off_the_deadline(tmp_path: Path, stream: str) -> None:
    write_last(tmp_path)
    answer = streamed() if stream == "--stream" else whole()
    async with toxic(to_the_last(drips(answer, 0.05))) as server:
        limits = ("--timeout", "4", "--idle-timeout", "2")
        done = await run_batcher(tmp_path, server.url, stream, *limits, *LAST_ONCE)
    assert (done.code, done.classes) == (65, ["ambiguous"])
    assert done.errors[0]["message"] == "no whole answer within 4 s"


# --- 25: cuts ---

ZIPPED = gzip.compress(ANSWER, mtime=0)
WHOLES = {
    "length": whole(),
    "until closed": head("Content-Type: application/json", "Connection: close") + ANSWER,
    "chunked": head(CHUNKED) + chunked(ANSWER[:90], ANSWER[90:]) + b"0\r\n\r\n",
    "gzip": whole(ZIPPED, "Content-Encoding: gzip"),
    "stream until closed": head(EVENT_STREAM, "Connection: close") + EVENTS + DONE.strip(),
    "chunked stream": head(EVENT_STREAM, CHUNKED) + chunked(EVENTS, DONE),
}


@pytest.mark.parametrize("answer", WHOLES.values(), ids=WHOLES.keys())
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_25_an_answer_cut_at_any_byte_is_never_a_completion(
    answer: bytes,
    reset: bool,  # noqa: FBT001 -- a case
) -> None:
    """The whole one is, which shows that only the cut matters."""
    cut = 0

    async def behave(exchange: Exchange) -> None:
        await exchange.say(answer[:cut])
        if reset and cut < len(answer):
            exchange.reset()
        else:
            exchange.close()

    # What stands behind the end of the last event adds nothing to an answer.
    needed = len(answer.removesuffix(b"\n\r\n").removesuffix(b"\n"))
    async with toxic(behave) as server, calling(server.url, stream=True) as client:
        for cut in range(needed):  # noqa: B007 -- the server reads it
            with pytest.raises(ProviderError):
                await client.complete(REQUEST, "request-1")
        cut = len(answer)
        assert await client.complete(REQUEST, "request-1") == COMPLETION
    assert len(server.seen) == needed + 1


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
async def test_25_rows_whose_answers_were_cut_are_asked_again_and_whole(
    tmp_path: Path, stream: str
) -> None:
    rows = 24
    write_prompts(tmp_path, rows)
    answer = streamed() if stream == "--stream" else whole()
    asked: Counter[str] = Counter()

    async def behave(exchange: Exchange) -> None:
        prompt = exchange.seen.prompt
        asked[prompt] += 1
        if asked[prompt] > 1:
            await exchange.say(answer)
            return
        number = int(prompt.removeprefix("Say ").removesuffix("."))
        await exchange.say(answer[: number * (len(answer) - 6) // rows])
        exchange.close()

    async with toxic(behave) as server:
        done = await run_batcher(tmp_path, server.url, stream, "-c", "16")
    assert done.code == 0, done.err
    assert {row["response"] for row in done.results} == {TEXT}
    assert {row["ambiguous_attempts"] for row in done.results} == {1}
    assert len(server.seen) == 2 * rows


# --- 26, 27: too much ---


async def test_26_a_stream_of_comments_only_ends_by_the_deadline(tmp_path: Path) -> None:
    write_last(tmp_path)
    answer = endless(head(EVENT_STREAM, CHUNKED), chunked(b": keep-alive\n\n"), 0.01)
    async with toxic(to_the_last(answer)) as server:
        done = await run_batcher(tmp_path, server.url, "--stream", "--timeout", "1", *LAST_ONCE)
    assert (done.code, done.classes) == (65, ["ambiguous"])


@pytest.mark.parametrize(
    "piece",
    [b": keep-alive\n\n", b"data: {}\n\n", EVENTS, b"x"],
    ids=["comments", "empty events", "events", "one line"],
)
async def test_26_a_stream_without_an_end_ends_by_its_size(tmp_path: Path, piece: bytes) -> None:
    write_last(tmp_path)
    answer = endless(head(EVENT_STREAM, CHUNKED), chunked(piece * 100))
    limit = ("--max-response-bytes", str(MIB))
    async with toxic(to_the_last(answer)) as server:
        done = await run_batcher(tmp_path, server.url, "--stream", *limit, *LAST_ONCE)
    assert (done.code, done.classes) == (65, ["malformed_answer"])
    assert "larger than 1048576 bytes" in done.errors[0]["message"]


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_27_a_gzip_bomb_ends_with_flat_memory(tmp_path: Path, kind: str) -> None:
    """200 KB that swell to 200 MiB, against the default bound of 64 MiB."""
    packed = bomb(200 * MIB)
    assert len(packed) < MIB // 4
    write_last(tmp_path)
    packed_answer = says(whole(packed, "Content-Encoding: gzip", kind=kind))
    async with toxic(to_the_last(packed_answer)) as server:
        done = await run_batcher(tmp_path, server.url, *LAST_ONCE)
    assert (done.code, done.classes) == (65, ["malformed_answer"])
    assert "larger than" in done.errors[0]["message"]
    assert done.peak_bytes < 400 * MIB


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
async def test_27_other_encodings_are_not_decoded_at_all(tmp_path: Path, encoding: str) -> None:
    write_last(tmp_path)
    answer = says(whole(bomb(200 * MIB), f"Content-Encoding: {encoding}"))
    async with toxic(to_the_last(answer)) as server:
        done = await run_batcher(tmp_path, server.url, *LAST_ONCE)
    assert server.seen[-1].headers["accept-encoding"] == "gzip"
    assert (done.code, done.classes) == (65, ["malformed_answer"])
    assert f"encoded as {encoding}" in done.errors[0]["message"]


async def test_27_too_many_headers_are_refused(tmp_path: Path) -> None:
    write_last(tmp_path)
    answer = says_and_closes(head(*(f"X-{n}: {'x' * 4000}" for n in range(5000))))
    async with toxic(to_the_last(answer)) as server:
        done = await run_batcher(tmp_path, server.url, *LAST_ONCE)
    assert (done.code, done.classes) == (65, ["malformed_answer"])
    assert done.peak_bytes < 400 * MIB


# --- 28: certificates ---


_LAST_YEAR = dt.datetime.now(dt.UTC) - dt.timedelta(days=365)
_CERTIFICATES: dict[str, Callable[[trustme.CA], trustme.LeafCert]] = {
    "good": lambda authority: authority.issue_cert("127.0.0.1"),
    "expired": lambda authority: authority.issue_cert("127.0.0.1", not_after=_LAST_YEAR),
    "wrong host": lambda authority: authority.issue_cert("127.0.0.2", "localhost"),
    "other authority": lambda _: trustme.CA().issue_cert("127.0.0.1"),
}


@pytest.mark.parametrize("certificate", _CERTIFICATES)
async def test_28_without_a_valid_certificate_no_key_is_sent(
    tmp_path: Path, certificate: str
) -> None:
    """And with one it is, which shows that only the certificate matters."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    environment = {"SSL_CERT_FILE": str(tmp_path / "authority.pem")}
    write_prompts(tmp_path, 3)
    async with toxic(says(whole()), tls=tls_of(_CERTIFICATES[certificate](authority))) as server:
        done = await run_batcher(tmp_path, server.url, "--trust-env", environment=environment)
    if certificate == "good":
        assert (done.code, len(server.seen)) == (0, 3)
        return
    assert (done.code, server.seen) == (78, [])
    assert "certificate" in done.out.lower() + done.err.lower()


async def test_28_an_authority_that_only_the_environment_trusts_is_not_trusted(
    tmp_path: Path,
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    environment = {"SSL_CERT_FILE": str(tmp_path / "authority.pem")}
    write_prompts(tmp_path)
    context = tls_of(authority.issue_cert("127.0.0.1"))
    async with toxic(says(whole()), tls=context) as server:
        done = await run_batcher(tmp_path, server.url, environment=environment)
    assert (done.code, server.seen) == (78, [])


# --- 29: redirects ---


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_29_a_redirect_to_another_host_is_not_followed(tmp_path: Path, status: int) -> None:
    write_prompts(tmp_path, 3)
    async with toxic(says(whole())) as other:
        behave = redirects(f"{status} Moved", f"{other.url}/v4/chat/completions")
        async with toxic(behave) as server:
            done = await run_batcher(tmp_path, server.url)
    assert done.code == 78
    assert other.accepted == 0
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_29_a_redirect_from_https_to_http_is_not_followed(
    tmp_path: Path, status: int
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    environment = {"SSL_CERT_FILE": str(tmp_path / "authority.pem")}
    write_prompts(tmp_path)
    async with toxic(says(whole())) as other:
        behave = redirects(f"{status} Moved", f"{other.url}/v4/chat/completions")
        async with toxic(behave, tls=tls_of(authority.issue_cert("127.0.0.1"))) as server:
            done = await run_batcher(tmp_path, server.url, "--trust-env", environment=environment)
    assert done.code == 78
    assert (len(server.seen), other.accepted) == (1, 0)


# --- 30: stale connections ---


@pytest.mark.parametrize("answer", [whole(), streamed()], ids=["plain", "stream"])
async def test_30_a_server_that_closes_after_each_reply_costs_no_row_and_no_uncounted_call(
    tmp_path: Path, answer: bytes
) -> None:
    rows = 60
    write_prompts(tmp_path, rows)
    async with toxic(says_and_closes(answer)) as server:
        done = await run_batcher(tmp_path, server.url, "--stream", "-c", "4")
    assert done.code == 0, done.err
    assert {row["response"] for row in done.results} == {TEXT}
    # A call that crossed with the news of the end is one that may have been billed.
    crossed = sum(row["ambiguous_attempts"] for row in done.results)
    assert rows <= len(server.seen) <= rows + crossed
    assert sum(row["attempts"] for row in done.results) == rows + crossed


# --- 31: Retry-After ---


@pytest.mark.parametrize("value", ["-1", "NaN", "1e400", "soon", "Thu, 01 Jan 1970 00:00:00 GMT"])
async def test_31_a_wait_that_is_none_holds_up_nothing(tmp_path: Path, value: str) -> None:
    write_prompts(tmp_path)
    busy = refuses("1305", "busy", f"Retry-After: {value}", status="503 Busy")

    async def behave(exchange: Exchange) -> None:
        answer: Behaviour = busy if exchange.number == 0 else says(whole())
        await answer(exchange)

    async with toxic(behave) as server:
        done = await run_batcher(tmp_path, server.url, "--max-wait", "3")
    assert (done.code, len(server.seen)) == (0, 2)


async def test_31_a_wait_longer_than_allowed_leaves_the_rows_pending(tmp_path: Path) -> None:
    write_prompts(tmp_path, 3)
    async with toxic(refuses("1305", "busy", "Retry-After: 36000", status="503 Busy")) as server:
        done = await run_batcher(tmp_path, server.url, "-c", "1", "--max-wait", "60")
    assert done.code == 75
    assert len(server.seen) == 1
    assert done.errors == []
