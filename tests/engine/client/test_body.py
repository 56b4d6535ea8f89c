"""The body of an answer: its size, its encoding, its end."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from batcher.engine.client import Receiving
from batcher.errors import ErrorClass
from batcher.providers import sse
from tests.one_call import COMPLETION, REQUEST, calling, class_of, completion_of, error_of
from tests.toxic import (
    ANSWER,
    CHUNKED,
    DONE,
    EVENT_STREAM,
    EVENTS,
    Behaviour,
    Exchange,
    bomb,
    chunked,
    endless,
    head,
    says,
    says_and_closes,
    toxic,
    whole,
)

MIB = 1024 * 1024
GZIP = "Content-Encoding: gzip"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_as_large_as_allowed_is_read_and_no_larger_one(stream: bool) -> None:  # noqa: FBT001 -- a case
    body = EVENTS + DONE if stream else ANSWER
    kind = "text/event-stream" if stream else "application/json"
    answer = says(whole(body, kind=kind))
    size = len(body)
    assert await completion_of(answer, stream=stream, receiving=Receiving(size)) == COMPLETION
    error = await error_of(answer, stream=stream, receiving=Receiving(size - 1))
    assert error.problem.error_class is ErrorClass.MALFORMED_ANSWER
    assert error.problem.message.startswith(f"the answer is larger than {size - 1} bytes; allow")


@pytest.mark.parametrize("packed", [ANSWER, EVENTS + DONE], ids=["answer", "stream"])
async def test_gzip_is_decompressed(packed: bytes) -> None:
    kind = "application/json" if packed == ANSWER else "text/event-stream"
    answer = says(whole(gzip.compress(packed), GZIP, kind=kind))
    assert await completion_of(answer, stream=packed != ANSWER) == COMPLETION


async def _peak(behave: Behaviour, limit: int) -> tuple[str, int]:
    """Return the message a call ends in, and the most bytes that Python held meanwhile."""
    async with toxic(behave) as server, calling(server.url, receiving=Receiving(limit)) as client:
        tracemalloc.start()
        try:
            completion = await asyncio.gather(
                client.complete(REQUEST, "request-1"), return_exceptions=True
            )
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    return str(completion[0]), peak


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_a_gzip_bomb_is_refused_before_it_fills_the_memory(kind: str) -> None:
    message, peak = await _peak(says(whole(bomb(64 * MIB), GZIP, kind=kind)), MIB)
    assert message.startswith(("the answer is larger", "an event of the stream is larger"))
    assert peak < 16 * MIB


async def test_a_stream_of_many_tiny_events_takes_no_more_memory_than_its_text() -> None:
    """An event as an object takes ten times the bytes it came in."""
    piece = chunked(b"data: {}\n\n" * 1000)
    message, peak = await _peak(endless(head(EVENT_STREAM, CHUNKED), piece), MIB // 4)
    assert message.startswith("the answer is larger than 262144 bytes")
    assert peak < 2 * MIB


async def test_a_stream_of_comments_without_an_end_is_refused_by_its_size() -> None:
    answer = endless(head(EVENT_STREAM, CHUNKED), chunked(b": keep-alive\n\n" * 100))
    error = await error_of(answer, stream=True, receiving=Receiving(MIB))
    assert error.problem.message.startswith("the answer is larger than 1048576 bytes")


async def test_an_event_is_never_larger_than_an_answer_may_be() -> None:
    answer = endless(head(EVENT_STREAM, CHUNKED), chunked(b"data: " + b"x" * 1000))
    error = await error_of(answer, stream=True, receiving=Receiving(2000))
    assert error.problem.error_class is ErrorClass.MALFORMED_ANSWER
    assert sse.MAX_EVENT > 2000


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "nonsense"])
async def test_an_encoding_that_nobody_asked_for_is_malformed(kind: str, encoding: str) -> None:
    packed = zlib.compress(ANSWER)
    answer = says(whole(packed, f"Content-Encoding: {encoding}", kind=kind))
    error = await error_of(answer)
    assert error.problem.error_class is ErrorClass.MALFORMED_ANSWER
    assert error.problem.message == (
        f"the answer is encoded as {encoding}, and only gzip was asked for"
    )


async def test_a_refusal_in_an_unknown_encoding_still_says_its_status() -> None:
    answer = says(whole(b"?", "Content-Encoding: br", status="401 Unauthorized"))
    assert await class_of(answer) is ErrorClass.AUTHENTICATION


async def test_what_calls_itself_gzip_and_is_none_is_malformed() -> None:
    assert await class_of(says(whole(b"not gzip", GZIP))) is ErrorClass.MALFORMED_ANSWER


async def test_a_stream_kept_open_after_its_end_is_not_waited_for() -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.say(head(EVENT_STREAM, CHUNKED) + chunked(EVENTS, DONE))
        await exchange.hang()

    async with toxic(behave) as server, calling(server.url, stream=True) as client:
        for _ in range(2):
            assert await client.complete(REQUEST, "request-1") == COMPLETION
    assert server.connections == 2


async def test_what_follows_the_end_of_a_stream_is_skipped() -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.say(head(EVENT_STREAM, CHUNKED) + chunked(EVENTS, DONE))
        # Time for the client to read so far.
        for _ in range(20):
            await asyncio.sleep(0)
        await exchange.say(chunked(b"data: not json\n\n"), b"0\r\n\r\n")

    async with toxic(behave) as server, calling(server.url, stream=True) as client:
        for _ in range(2):
            assert await client.complete(REQUEST, "request-1") == COMPLETION
    assert server.connections == 1


async def test_a_stream_cut_behind_its_end_is_whole() -> None:
    answer = says_and_closes(head(EVENT_STREAM, CHUNKED) + chunked(EVENTS, DONE))
    assert await completion_of(answer, stream=True) == COMPLETION


@pytest.mark.parametrize("packing", [bytes, gzip.compress], ids=["plain", "gzip"])
async def test_an_answer_that_only_closing_ends_is_ambiguous_where_it_was_cut(
    packing: Callable[[bytes], bytes],
) -> None:
    headers = ["Connection: close", GZIP] if packing is gzip.compress else ["Connection: close"]
    packed = packing(ANSWER)
    answer = says_and_closes(head(*headers), packed)
    assert await completion_of(answer) == COMPLETION
    cut = says_and_closes(head(*headers), packed[: len(packed) // 2])
    assert await class_of(cut) is ErrorClass.AMBIGUOUS
    page = says_and_closes(head(*headers), packing(b"<html></html>"))
    assert await class_of(page) is ErrorClass.MALFORMED_ANSWER


async def test_a_stream_that_does_not_end_its_last_line_is_whole() -> None:
    answer = says_and_closes(head(EVENT_STREAM, "Connection: close"), EVENTS + DONE.strip())
    assert await completion_of(answer, stream=True) == COMPLETION
