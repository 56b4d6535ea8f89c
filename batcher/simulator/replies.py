"""What goes out: status, headers and the writes of a body, for an answer or a refusal. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from batcher.simulator.answers import compose, spoil
from batcher.simulator.chances import Chances, latency_of
from batcher.simulator.codes import CODES, RefusedError, error_body
from batcher.simulator.validate import Asked
from batcher.simulator.wire import Shell, encode_answer, encode_events

JSON = "application/json; charset=UTF-8"
EVENTS = "text/event-stream;charset=UTF-8"
_HTML = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n"
    b"</body>\r\n</html>\r\n"
)
_BUSY = b"upstream connect error or disconnect/reset before headers"
_SLOWNESS = 10
# The code inside a 200: an inference that failed after the status had gone out.
_LATE_CODE = "1234"
_REFUSALS = {"500": "1200", "poison": "1200"} | {code: code for code in CODES}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer that has not been sent yet.

    Attributes:
        pieces: The body in the writes it goes out in; at least one.
        streamed: Sent in chunks, without a Content-Length.
        code: The error code in the body.
        latency_s: Seconds it takes.
    """

    status: int
    content_type: str
    pieces: Sequence[bytes]
    streamed: bool = False
    code: str | None = None
    latency_s: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.pieces)


def answer(
    asked: Asked, shell: Shell, chances: Chances, fault: str | None, median_s: float
) -> Reply:
    """Answer a request, spoiled by its fault; faults of the socket leave the answer whole.

    Raises:
        RefusedError: the fault is an error code.
    """
    if fault in _REFUSALS:
        raise RefusedError(_REFUSALS[fault])
    if fault == "502":
        return Reply(502, "text/html", [_HTML])
    if fault == "503":
        return Reply(503, "text/plain", [_BUSY])
    said = compose(asked, chances)
    if fault is not None:
        said = spoil(said, fault)
    latency_s = latency_of(median_s, chances.latency, said.completion_tokens)
    if fault == "slow":
        latency_s *= _SLOWNESS
    code = _LATE_CODE if fault == "error_200" else None
    if asked.stream:
        pieces = [b"data: " + error_body(code) + b"\n\n"] if code else encode_events(
            shell, said, chances.split, fault
        )
    else:
        pieces = [error_body(code) if code else encode_answer(shell, said, fault)]
    return Reply(
        200,
        EVENTS if asked.stream else JSON,
        pieces,
        streamed=asked.stream,
        code=code,
        latency_s=latency_s,
    )


def refusal(refused: RefusedError, *, english: bool, reset_at: float) -> Reply:
    """Say no, at once; `reset_at` in Unix seconds is the moment that 1308 and 1310 name."""
    body = error_body(refused.code, refused.detail, english=english, reset_at=reset_at)
    return Reply(refused.status, JSON, [body], code=refused.code)


def elsewhere(status: int, message: str) -> Reply:
    """Refuse a path or a method that the service does not have."""
    body = msgspec.json.encode({"error": {"code": str(status), "message": message}})
    return Reply(status, JSON, [body], code=str(status))


def tokenized(tokens: int) -> Reply:
    """Answer the tokenizer (section 10)."""
    return Reply(200, JSON, [msgspec.json.encode({"usage": {"prompt_tokens": tokens}})])
