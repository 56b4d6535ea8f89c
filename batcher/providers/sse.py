"""Server-sent events, read from bytes that arrive in pieces (protocol.md section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from batcher.errors import ErrorClass, Problem, ProviderError

MAX_EVENT = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its type, and its `data:` lines joined by newlines."""

    event: str
    data: str

    @property
    def done(self) -> bool:
        """Whether this is the event that ends an answer."""
        return self.data == "[DONE]"


class Parser:
    r"""Turns the bytes of a stream into events; how they are cut into chunks does not matter.

    Lines end in \n or \r\n as bytes, before UTF-8 is decoded: a line break that JSON may hold
    raw (U+2028, U+2029, U+0085) stays inside its line. Nothing after `[DONE]` is read.
    """

    __slots__ = ("_data", "_done", "_event", "_first", "_line", "_max_event", "_size")

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        """Read events of at most `max_event` bytes, comments among them counted."""
        self._max_event = max_event
        self._size = 0
        self._line = bytearray()
        self._first = True
        self._event = ""
        self._data: list[str] = []
        self._done = False

    @property
    def size(self) -> int:
        """Bytes of the event that has begun."""
        return self._size

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that `chunk` completes.

        Raises:
            ProviderError: MALFORMED_ANSWER; an event is too large, or a line is not UTF-8.
        """
        events: list[Event] = []
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._extend(end)
            try:
                line = self._line.decode()
            except UnicodeDecodeError as error:
                raise _malformed(f"a line of the stream is not UTF-8: {error.reason}") from None
            self._line.clear()
            events += self._take(line)
        self._extend(rest)
        return events

    def finish(self) -> list[Event]:
        """Return the last event, if the stream ended without the blank line behind it."""
        # Such a line may be cut inside a character; what it says then is judged by its reader,
        # who knows that a stream without its end was cut.
        line = self._line.decode(errors="replace")
        self._line.clear()
        return [*self._take(line), *self._take("")]

    def _extend(self, piece: bytes) -> None:
        if self._done:
            return
        self._line += piece
        self._size += len(piece)
        if self._size > self._max_event:
            raise _malformed(f"an event of the stream is larger than {self._max_event} bytes")

    def _take(self, line: str) -> list[Event]:
        """Take in one line; a blank one completes the event whose lines came before."""
        line = line.removesuffix("\r")
        if self._first:
            line = line.removeprefix("\ufeff")
            self._first = False
        if not line:
            return self._dispatch()
        # A comment is a line whose field has no name.
        field, _, value = line.partition(":")
        if field == "data":
            self._data.append(value.removeprefix(" "))
        elif field == "event":
            self._event = value.removeprefix(" ")
        return []

    def _dispatch(self) -> list[Event]:
        self._size = 0
        if self._done or not self._data:
            self._event = ""
            return []
        event = Event(self._event or "message", "\n".join(self._data))
        self._event, self._data = "", []
        self._done = event.done
        return [event]


def _malformed(message: str) -> ProviderError:
    return ProviderError(Problem(ErrorClass.MALFORMED_ANSWER, message))
