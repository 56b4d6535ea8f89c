"""What goes out: status, type and the writes of a body."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.simulator import replies
from batcher.simulator.answers import compose
from batcher.simulator.chances import Chances
from batcher.simulator.codes import CODES, RefusedError
from batcher.simulator.faults import JSON_FAULTS, KNOWN_FAULTS
from batcher.simulator.replies import Reply
from batcher.simulator.validate import Asked
from batcher.simulator.wire import Shell

MakeAsked = Callable[..., Asked]

SHELL = Shell("id-1", "request-1", 1_735_000_000, "glm-4-flash")
EVEN = Chances(*[0.5] * 8)
# Those that a whole answer meets on its way, if at all.
OF_THE_SOCKET = {"timeout", "reset", "truncated", "drip"}


def body_of(reply: Reply) -> bytes:
    return b"".join(reply.pieces)


def answer(asked: Asked, fault: str | None = None, latency_s: float = 0.2) -> Reply:
    return replies.answer(asked, compose(asked, EVEN), SHELL, EVEN, fault, latency_s)


def test_a_plain_answer_is_one_write_with_its_length(make_asked: MakeAsked) -> None:
    reply = answer(make_asked())
    assert (reply.status, reply.content_type, reply.code) == (200, "application/json", None)
    assert len(reply.pieces) == 1
    assert reply.length == len(body_of(reply))
    assert not reply.cut
    assert json.loads(body_of(reply))["choices"][0]["finish_reason"] == "stop"


def test_a_stream_is_many_writes_without_a_length_and_takes_as_long(make_asked: MakeAsked) -> None:
    plain, stream = answer(make_asked()), answer(make_asked(stream=True))
    assert stream.content_type == "text/event-stream"
    assert stream.length is None
    assert body_of(stream).endswith(b"data: [DONE]\n\n")
    pauses = stream.latency_s + stream.pause_s * (len(stream.pieces) - 1)
    assert pauses == pytest.approx(plain.latency_s)


@pytest.mark.parametrize("fault", CODES)
def test_a_code_is_a_refusal(make_asked: MakeAsked, fault: str) -> None:
    with pytest.raises(RefusedError) as raised:
        answer(make_asked(), fault)
    assert raised.value.code == fault


@pytest.mark.parametrize("fault", ["500", "poison"])
def test_an_internal_error_is_the_code_1200(make_asked: MakeAsked, fault: str) -> None:
    with pytest.raises(RefusedError) as raised:
        answer(make_asked(), fault)
    assert (raised.value.code, raised.value.status) == ("1200", 500)


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "start"),
    [
        ("502", 502, "text/html", b"<html>"),
        ("503", 503, "text/plain", b"upstream"),
    ],
)
def test_a_gateway_answers_with_what_is_no_json(
    make_asked: MakeAsked, fault: str, status: int, content_type: str, start: bytes
) -> None:
    reply = answer(make_asked(stream=True), fault)
    assert (reply.status, reply.content_type, reply.code) == (status, content_type, None)
    assert body_of(reply).startswith(start)


@pytest.mark.parametrize("stream", [True, False])
def test_an_error_inside_of_a_200_is_an_error_object(
    make_asked: MakeAsked, *, stream: bool
) -> None:
    reply = answer(make_asked(stream=stream), "error_200")
    assert (reply.status, reply.code) == (200, "1234")
    body = body_of(reply)
    assert body.startswith(b"data: ") == stream
    assert json.loads(body.removeprefix(b"data: "))["error"]["code"] == "1234"


def test_slow_is_ten_times_the_latency_of_the_same_answer(make_asked: MakeAsked) -> None:
    usual, slow = answer(make_asked()), answer(make_asked(), "slow")
    assert slow.pieces == usual.pieces
    assert slow.latency_s == pytest.approx(usual.latency_s * 10)


@pytest.mark.parametrize("fault", ["length", "sensitive", "network_error"])
@pytest.mark.parametrize("stream", [True, False])
def test_some_faults_are_finish_reasons(make_asked: MakeAsked, fault: str, *, stream: bool) -> None:
    body = body_of(answer(make_asked(stream=stream), fault))
    assert f'"finish_reason":"{fault}"'.encode() in body


@pytest.mark.parametrize("stream", [True, False])
def test_choices_usage_and_text_can_be_missing(make_asked: MakeAsked, *, stream: bool) -> None:
    def body(fault: str | None) -> bytes:
        return body_of(answer(make_asked(stream=stream, model="glm-4.7"), fault))

    assert b'"choices":[]' in body("no_choices")
    assert b'"choices":[]' not in body(None)
    assert b'"usage"' in body(None)
    assert b'"usage"' not in body("no_usage")
    assert b'"completion_tokens":0' in body("empty")
    assert b'"reasoning_content"' in body("empty")


@pytest.mark.parametrize("fault", sorted(OF_THE_SOCKET))
def test_faults_of_the_socket_leave_the_answer_whole(make_asked: MakeAsked, fault: str) -> None:
    assert answer(make_asked(), fault) == answer(make_asked())


@pytest.mark.parametrize("fault", sorted(KNOWN_FAULTS.keys() - OF_THE_SOCKET))
def test_every_other_fault_changes_the_answer(make_asked: MakeAsked, fault: str) -> None:
    try:
        reply = answer(make_asked("Answer in JSON", model="glm-4.7"), fault)
    except RefusedError:
        return
    assert reply != answer(make_asked("Answer in JSON", model="glm-4.7"))


@pytest.mark.parametrize("fault", sorted(JSON_FAULTS))
def test_faults_of_json_leave_other_answers_whole(make_asked: MakeAsked, fault: str) -> None:
    assert answer(make_asked(), fault) == answer(make_asked())


def test_a_refusal_comes_at_once_and_in_the_language_asked_for() -> None:
    reply = replies.refusal(RefusedError("1308"), english=True, reset_at=1_800_000_000)
    assert (reply.status, reply.code, reply.latency_s) == (429, "1308", 0)
    assert reply.length == len(body_of(reply))
    message = json.loads(body_of(reply))["error"]["message"]
    assert message.endswith("Your limit will reset at 2027-01-15 16:00:00")


def test_a_wrong_address_is_refused_in_the_shape_of_all_errors() -> None:
    reply = replies.misdirected(404, "nothing here")
    assert reply.status == 404
    assert json.loads(body_of(reply)) == {"error": {"code": "404", "message": "nothing here"}}


def test_the_tokenizer_answers_with_usage() -> None:
    assert json.loads(body_of(replies.token_count(7))) == {"usage": {"prompt_tokens": 7}}


@given(st.lists(st.binary(min_size=1), min_size=1, max_size=5))
def test_half_a_reply_is_less_than_it_promises(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    half = replies.halved(Reply(200, "text/plain", pieces, len(body)))
    assert half.cut
    assert half.length == len(body)
    assert body.startswith(body_of(half))
    assert len(body_of(half)) == len(body) // 2


@given(st.lists(st.binary(min_size=1), min_size=1, max_size=5))
def test_a_dripping_reply_is_the_same_body_byte_by_byte(pieces: list[bytes]) -> None:
    whole = Reply(200, "text/plain", pieces, None, latency_s=1)
    drops = replies.dripping(whole, 0.1)
    assert body_of(drops) == body_of(whole)
    assert {len(piece) for piece in drops.pieces} == {1}
    assert (drops.latency_s, drops.pause_s, drops.length) == (1, 0.1, None)
