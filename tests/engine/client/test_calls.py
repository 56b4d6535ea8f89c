"""Single calls over a real loopback connection: what ends in a completion, and in which error."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from batcher.engine.client import Receiving, Timeouts
from batcher.engine.client.intake import LARGE
from batcher.engine.room import Room
from batcher.errors import ErrorClass, ProviderError
from batcher.limits import RateLimit, RateLimits
from batcher.providers import Bearer, SignedToken
from batcher.providers.redaction import MASK
from tests.one_call import (
    COMPLETION,
    KEY,
    PATIENT,
    REQUEST,
    SHORT_S,
    calling,
    class_of,
    completion_of,
    error_of,
    error_once_connected,
)
from tests.toxic import (
    ANSWER,
    CHUNKED,
    DONE,
    EVENT_STREAM,
    EVENTS,
    TEXT,
    Exchange,
    chunked,
    endless,
    head,
    redirects,
    refuses,
    says,
    says_and_closes,
    says_and_hangs,
    streamed,
    toxic,
    whole,
)

# --- what ends in a completion ---


async def test_a_whole_answer_is_a_completion() -> None:
    async with toxic(says(whole())) as server, calling(f"{server.url}/v4/") as client:
        completion = await client.complete(REQUEST, "request-1")
    assert completion == COMPLETION
    (seen,) = server.seen
    assert (seen.method, seen.target) == ("POST", "/v4/chat/completions")
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["accept-encoding"] == "gzip"
    assert json.loads(seen.body) == {**REQUEST.body, "request_id": "request-1"}


async def test_a_streamed_answer_is_the_same_completion() -> None:
    answer = says(streamed(EVENTS[:30], EVENTS[30:], DONE))
    async with toxic(answer) as server, calling(server.url, stream=True) as client:
        assert await client.complete(REQUEST, "request-1") == COMPLETION
    assert json.loads(server.seen[0].body)["stream"] is True


async def test_an_answer_without_a_stream_is_read_where_a_stream_was_asked_for() -> None:
    assert await completion_of(says(whole()), stream=True) == COMPLETION


async def test_an_interim_answer_is_none() -> None:
    hints = head("Link: </style.css>", status="103 Early Hints")
    assert await completion_of(says(hints, hints, whole())) == COMPLETION


async def test_an_empty_answer_is_a_completion_only_where_that_is_allowed() -> None:
    empty = says(whole(ANSWER.replace(json.dumps(TEXT).encode(), b'""')))
    assert await class_of(empty) is ErrorClass.EMPTY_COMPLETION
    assert (await completion_of(empty, allow_empty=True)).text is None


async def test_signing_in_goes_by_the_clock_and_a_renewal_reaches_it() -> None:
    asked: list[object] = []

    class Auth:
        def headers(self, now: float) -> dict[str, str]:
            asked.append(now)
            return {"authorization": "Bearer token"}

        def renew(self) -> None:
            asked.append("renewed")

        def redact(self, text: str) -> str:
            return text

    async with (
        toxic(says(whole())) as server,
        calling(server.url, auth=Auth(), clock=lambda: 1234.5) as client,
    ):
        await client.complete(REQUEST, "request-1")
        client.renew()
    assert asked == [1234.5, "renewed"]
    assert server.seen[0].headers["authorization"] == "Bearer token"


# --- what the server says instead ---


async def test_a_refusal_is_the_providers_error_with_its_code_and_wait() -> None:
    message = "Rate limit reached for requests"
    error = await error_of(
        refuses("1302", message, "Retry-After: 7", status="429 Too Many Requests")
    )
    problem = error.problem
    assert (problem.error_class, problem.code, problem.http_status) == (
        ErrorClass.THROTTLED,
        "1302",
        429,
    )
    assert error.retry_after == 7


async def test_a_used_up_quota_keeps_the_moment_it_resets() -> None:
    message = "resets at 2026-08-25 07:41:44"
    error = await error_of(refuses("1308", message, status="429 Too Many Requests"))
    assert error.resets_at is not None
    assert error.resets_at.isoformat() == "2026-08-25T07:41:44+08:00"


LEFT = ["x-ratelimit-limit-tokens: 1000", "x-ratelimit-remaining-tokens: 7"]
LIMITS = RateLimits(tokens=RateLimit(1000, 7))


@pytest.mark.parametrize("text", ["hi", KEY], ids=["plain", "redacted"])
async def test_limits_come_with_an_answer_and_with_a_refusal(text: str) -> None:
    body = ANSWER.replace(json.dumps(TEXT).encode(), json.dumps(text).encode())
    assert (await completion_of(says(whole(body, *LEFT)))).rate_limits == LIMITS
    refusal = refuses("1302", text, *LEFT, status="429 Too Many Requests")
    assert (await error_of(refusal)).rate_limits == LIMITS


async def test_limits_come_with_a_stream() -> None:
    answer = head(EVENT_STREAM, CHUNKED, *LEFT) + chunked(EVENTS, DONE) + b"0\r\n\r\n"
    assert (await completion_of(says(answer), stream=True)).rate_limits == LIMITS


async def test_a_refusal_that_calls_itself_a_stream_is_still_a_refusal() -> None:
    body = b'{"error": {"code": "1113", "message": "recharge"}}'
    answer = says(whole(body, status="429 Too Many Requests", kind="text/event-stream"))
    assert await class_of(answer, stream=True) is ErrorClass.BALANCE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(status: int) -> None:
    async with toxic(says(whole())) as other:
        error = await error_of(redirects(f"{status} Moved", f"{other.url}/v4"))
    assert error.problem.error_class is ErrorClass.ENDPOINT_UNKNOWN
    assert other.accepted == 0


async def test_a_refusal_that_comes_before_the_body_was_read_is_read() -> None:
    """A server need not read a large request to refuse it."""
    body = b'{"error": {"code": "1214", "message": "too large"}}'
    large = REQUEST._replace(body={**REQUEST.body, "image": "x" * 20_000_000})
    answered = asyncio.Event()

    async def refuse(exchange: Exchange) -> None:
        await exchange.say(whole(body, "Connection: close", status="413 Too Large"))
        await answered.wait()
        exchange.close()

    async with toxic(refuse, read=False) as server, calling(server.url) as client:
        with pytest.raises(ProviderError) as raised, pytest.warns(ResourceWarning, match="large"):
            await client.complete(large, "request-1")
        answered.set()
    assert raised.value.problem.error_class is ErrorClass.BAD_REQUEST


# --- what takes too long ---


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_without_an_answer_ends_by_its_total_deadline(stream: bool) -> None:  # noqa: FBT001 -- a case
    timeouts = Timeouts(30, 30, SHORT_S)
    error = await error_once_connected(says_and_hangs(), timeouts, stream=stream)
    assert error.problem.error_class is ErrorClass.AMBIGUOUS
    assert error.problem.message == "no whole answer within 0.3 s"


async def test_bytes_that_drip_do_not_put_off_the_total_deadline() -> None:
    first = head(EVENT_STREAM, CHUNKED) + chunked(EVENTS)
    answer = endless(first, chunked(b": keep-alive\n\n"))
    error = await error_of(answer, Timeouts(30, 30, SHORT_S), stream=True)
    assert error.problem.message == "no whole answer within 0.3 s"


async def test_a_stream_that_falls_silent_is_ambiguous_before_the_total_deadline() -> None:
    answer = says_and_hangs(head(EVENT_STREAM, CHUNKED) + chunked(EVENTS))
    timeouts = replace(PATIENT, idle=SHORT_S)
    error = await error_once_connected(answer, timeouts, stream=True)
    assert error.problem.error_class is ErrorClass.AMBIGUOUS
    assert error.problem.message.startswith("nothing came for too long")


async def test_an_answer_without_a_stream_may_be_long_silent() -> None:
    """It comes whole after the model has thought; only the total deadline ends its call."""
    error = await error_of(says_and_hangs(), Timeouts(30, SHORT_S / 5, SHORT_S))
    assert error.problem.message == "no whole answer within 0.3 s"


async def test_a_cancelled_call_is_no_error_of_the_provider() -> None:
    begun = asyncio.Event()

    async def hang(exchange: Exchange) -> None:
        begun.set()
        await exchange.hang()

    async with toxic(hang) as server, calling(server.url) as client:
        call = asyncio.create_task(client.complete(REQUEST, "request-1"))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


# --- the key ---


async def _echo(exchange: Exchange) -> None:
    """Put what signs in into an answer's texts."""
    key = exchange.seen.headers["authorization"]
    body = ANSWER.decode().replace(json.dumps(TEXT), json.dumps(f"You sent {key}!"))
    await exchange.say(whole(body.replace("theirs", key).encode()))


@pytest.mark.parametrize("auth", [None, SignedToken(KEY)], ids=["bearer", "jwt"])
async def test_an_answer_that_echoes_the_key_is_kept_without_it(auth: SignedToken | None) -> None:
    completion = await completion_of(_echo, auth=auth)
    assert completion.text == f"You sent Bearer {MASK}!"
    assert completion.request_id == f"Bearer {MASK}"
    assert completion.usage == COMPLETION.usage


async def test_a_streamed_answer_that_echoes_the_key_in_pieces_is_kept_without_it() -> None:
    pieces = [json.dumps("你").encode(), json.dumps("好").encode()]
    events = EVENTS.replace(pieces[0], f'"{KEY[:9]}"'.encode())
    events = events.replace(pieces[1], f'"{KEY[9:]}"'.encode())
    completion = await completion_of(says(streamed(events, DONE)), stream=True)
    assert completion.text == MASK


@pytest.mark.parametrize("length", [0, 300, 450, 470, 490])
async def test_a_refusal_that_echoes_the_key_is_told_without_it_also_where_it_is_cut(
    length: int,
) -> None:
    """A message is cut at 500 characters, and so perhaps inside the key."""
    error = await error_of(refuses("1214", f"{'x' * length}{KEY}", status="400 Bad Request"))
    message = error.problem.message
    assert message in (f"{'x' * length}{MASK}", f"{'x' * length}{KEY[:7]}…")[: 1 + (length > 490)]


async def test_an_answer_that_is_no_http_is_told_without_the_key() -> None:
    error = await error_of(says_and_closes(f"SSH-2.0 {KEY}\r\n\r\n".encode()))
    assert error.problem.error_class is ErrorClass.MALFORMED_ANSWER
    assert KEY[:8] not in error.problem.message


async def test_the_key_is_in_no_message_traceback_or_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Promise 12, for an answer, a refusal, a cut, and an answer that is none."""
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    await completion_of(says(whole()))
    junk = says_and_closes(f"SSH-2.0 {KEY}\r\n\r\n".encode())
    refusal = refuses("1000", f"bad key {KEY}", status="401 Unauthorized")
    errors = [await error_of(behave) for behave in (says_and_closes(), junk, refusal, _loop)]
    shown = "".join(line for error in errors for line in traceback.format_exception(error))
    told = "".join(repr(error.problem) + repr(error.__cause__) for error in errors)
    assert caplog.records
    assert not re.search("canary-(id|secret)-0", caplog.text + shown + told)


async def _loop(exchange: Exchange) -> None:
    key = exchange.seen.headers["authorization"].replace(" ", "/")
    await redirects("307 Temporary Redirect", f"/{key}")(exchange)


# --- large answers ---


class _Watching(Bearer):
    """Notes in which thread an answer is redacted, which is the last that is done to it."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.threads = set[str]()

    def redact(self, text: str) -> str:
        self.threads.add(threading.current_thread().name.partition("_")[0])
        return super().redact(text)


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_a_large_answer_is_decoded_and_redacted_in_the_decoders_thread(kind: str) -> None:
    text = f"{KEY} " + "x" * LARGE
    chunk = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]}
    body = b"data: " + json.dumps(chunk).encode() + b"\n\n" + DONE
    if kind == "application/json":
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = json.dumps({"id": "theirs", "model": "m", "choices": [choice]}).encode()
    auth = _Watching(KEY)
    with ThreadPoolExecutor(1, "decoder") as decoder:
        completion = await completion_of(
            says(whole(body, kind=kind)), auth=auth, receiving=Receiving(2 * LARGE, Room(), decoder)
        )
    assert completion.text == "[redacted] " + "x" * LARGE
    assert auth.threads == {"decoder"}


async def test_a_small_answer_is_decoded_at_once() -> None:
    auth = _Watching(KEY)
    await completion_of(says(whole()), auth=auth)
    assert auth.threads == {threading.current_thread().name}


async def test_a_large_answer_that_is_none_is_still_an_error_without_the_key() -> None:
    error = await error_of(says(whole(f"<html>{KEY}".encode() + b"x" * LARGE)))
    assert error.problem.error_class is ErrorClass.MALFORMED_ANSWER
    assert KEY not in error.problem.message


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_an_answer_holds_its_room_until_whoever_called_leaves_it(kind: str) -> None:
    room = Room(1)
    room.hold("another", 1)
    body = EVENTS + DONE if kind == "text/event-stream" else ANSWER
    async with (
        toxic(says(whole(body, kind=kind))) as server,
        calling(server.url, receiving=Receiving(5000, room)) as client,
    ):
        call = asyncio.create_task(client.complete(REQUEST, "request-1"))
        # Until the answer is there, and waits.
        while not room._waiting:
            await asyncio.wait({call}, timeout=0.001)
            assert not call.done()
        room.leave("another")
        assert await call == COMPLETION
    assert not room.hold("a third", 1)
    room.leave("request-1")
    assert room.hold("a third", 1)


# --- counting tokens ---


async def test_tokens_are_counted_at_the_tokenizer_with_the_key_and_no_parameter() -> None:
    answer = whole(b'{"usage":{"prompt_tokens":8}}')
    async with toxic(says(answer)) as server, calling(f"{server.url}/v4") as client:
        assert await client.count_tokens(REQUEST, "request-1") == 8
    (seen,) = server.seen
    assert (seen.method, seen.target) == ("POST", "/v4/tokenizer")
    assert json.loads(seen.body).keys() == {"model", "messages"}
    assert seen.headers["authorization"] == f"Bearer {KEY}"


async def test_a_count_that_fails_shows_no_key() -> None:
    behave = refuses("1000", f"bad key {KEY}", status="401 Unauthorized")
    async with toxic(behave) as server, calling(server.url) as client:
        with pytest.raises(ProviderError) as raised:
            await client.count_tokens(REQUEST, "request-1")
    assert raised.value.problem.error_class is ErrorClass.AUTHENTICATION
    assert KEY[:8] not in raised.value.problem.message
