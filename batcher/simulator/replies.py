"""What goes out: status, type and the writes of a body, for an answer or a refusal. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from batcher.simulator.answers import Answer, spoil, spoil_json
from batcher.simulator.chances import Chances, latency_of
from batcher.simulator.codes import CODES, RefusedError, error_body
from batcher.simulator.faults import JSON_FAULTS
from batcher.simulator.validate import Asked
from batcher.simulator.wire import Shell, encode_answer, encode_events

_JSON = "application/json"
_EVENTS = "text/event-stream"
_HTML = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n"
    b"</body>\r\n</html>\r\n"
)
_TEXT = b"upstream connect error or disconnect/reset before headers"
_SLOWNESS = 10
_REFUSALS = {"500": "1200", "poison": "1200"} | {code: code for code in CODES}
# An inference that fails after the status has gone out.
_LATE_CODE = "1234"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response that is still to be sent.

    Attributes:
        pieces: The body in the writes it goes out in; at least one.
        length: The Content-Length; None sends the body in chunks.
        code: The error code in the body.
        latency_s: Seconds before the first write.
        pause_s: Seconds between two writes.
        cut: The pieces are not the whole body, and the connection closes after them.
        headers: Those that tell of limits.
    """

    status: int
    content_type: str
    pieces: Sequence[bytes]
    length: int | None
    code: str | None = None
    latency_s: float = 0.0
    pause_s: float = 0.0
    cut: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(refused: RefusedError, *, english: bool, reset_at: float) -> Reply:
    """Say no; `reset_at`, in Unix seconds, is the moment that 1308 and 1310 name."""
    body = error_body(refused.code, refused.detail, english=english, reset_at=reset_at)
    return _whole(refused.status, _JSON, body, code=refused.code)


def misdirected(status: int, message: str) -> Reply:
    """Refuse a path or a method that the service does not have."""
    body = msgspec.json.encode({"error": {"code": str(status), "message": message}})
    return _whole(status, _JSON, body, code=str(status))


def token_count(tokens: int) -> Reply:
    """Answer the tokenizer (protocol.md section 10)."""
    return _whole(200, _JSON, msgspec.json.encode({"usage": {"prompt_tokens": tokens}}))


def answer(
    asked: Asked, said: Answer, shell: Shell, chances: Chances, fault: str | None, latency_s: float
) -> Reply:
    """Answer a request with what is to be said, spoiled by its fault; `latency_s` is the median.

    Raises:
        RefusedError: the fault is an error code.
    """
    match fault:
        case None:
            return _answer(asked, said, shell, chances, None, latency_s)
        case "502":
            return _whole(502, "text/html", _HTML)
        case "503":
            return _whole(503, "text/plain", _TEXT)
        case "error_200":
            return _late_error(asked)
        case "slow":
            return _answer(asked, said, shell, chances, None, latency_s * _SLOWNESS)
        case _ if fault in _REFUSALS:
            raise RefusedError(_REFUSALS[fault])
        case _:
            return _answer(asked, said, shell, chances, fault, latency_s)


def halved(reply: Reply) -> Reply:
    """Return a reply that ends in the middle, whatever it promises."""
    body = b"".join(reply.pieces)
    return replace(reply, pieces=[body[: len(body) // 2]], cut=True)


def dripping(reply: Reply, pause_s: float) -> Reply:
    """Return a reply that comes one byte at a time."""
    body = b"".join(reply.pieces)
    return replace(reply, pieces=[bytes((byte,)) for byte in body], pause_s=pause_s)


def _whole(status: int, content_type: str, body: bytes, code: str | None = None) -> Reply:
    return Reply(status, content_type, [body], len(body), code)


def _answer(
    asked: Asked, said: Answer, shell: Shell, chances: Chances, fault: str | None, median_s: float
) -> Reply:
    if fault in JSON_FAULTS:
        said = spoil_json(said, fault, asked, chances)
    elif fault:
        said = spoil(said, fault)
    latency_s = latency_of(median_s, chances.latency, said.completion_tokens)
    if not asked.stream:
        body = encode_answer(shell, said, fault)
        return Reply(200, _JSON, [body], len(body), latency_s=latency_s)
    pieces = encode_events(shell, said, chances.split, fault)
    pause_s = latency_s / len(pieces)
    return Reply(200, _EVENTS, pieces, None, latency_s=pause_s, pause_s=pause_s)


def _late_error(asked: Asked) -> Reply:
    body = error_body(_LATE_CODE)
    if not asked.stream:
        return _whole(200, _JSON, body, code=_LATE_CODE)
    return Reply(200, _EVENTS, [b"data: " + body + b"\n\n"], None, code=_LATE_CODE)
