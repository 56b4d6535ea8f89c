"""A streamed answer: its pieces are put together to the body it would have been as a whole.

events -> chunks -> one body -> answer.completion
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from io import StringIO

from batcher.errors import ErrorClass, ProviderError
from batcher.providers.answer import (
    check_reason,
    completion,
    first_choice,
    malformed,
    reason_of,
    reasoning_of,
    text_of,
)
from batcher.providers.classify import ErrorObject, error_object, refusal
from batcher.providers.envelope import Envelope
from batcher.providers.sse import Event
from batcher.providers.strict_json import parse
from batcher.records import Completion

# Each costs many times the memory of the bytes it came in.
MAX_CALLS = 4096


class StreamedAnswer:
    """A streamed answer, put together as its events come: no event is kept."""

    __slots__ = ("_assembly", "_broken", "_done", "_envelope")

    def __init__(self, envelope: Envelope) -> None:
        """Begin the answer that came in `envelope`."""
        self._envelope = envelope
        self._assembly = _Assembly(envelope)
        self._broken: ProviderError | None = None
        self._done = False

    def add(self, event: Event) -> None:
        """Take in the next event.

        Raises:
            ProviderError: it is an error in the midst of the stream, or no chat completion's.
        """
        if self._broken is not None:
            raise self._broken
        if event.done:
            self._done = True
            return
        try:
            self._assembly.add(_chunk(event, self._envelope))
        except ValueError as error:
            # As the last event this is a stream cut in the middle, not one of another kind.
            self._broken = malformed(f"an event is no JSON ({error})", self._envelope)

    @property
    def size(self) -> int:
        """About how many characters are kept."""
        return self._assembly.size

    def completion(self, *, allow_empty: bool) -> Completion:
        """Return what all the events amount to.

        Raises:
            ProviderError: it is no completion; AMBIGUOUS where `[DONE]` has not come.
        """
        if self._done:
            return completion(self._assembly.body(), self._envelope, allow_empty=allow_empty)
        # A cause may stand in the finish reason even of a stream that just ends.
        check_reason(self._assembly.choice, self._envelope)
        raise self._envelope.error(ErrorClass.AMBIGUOUS, "the stream ended before [DONE]")


def _chunk(event: Event, envelope: Envelope) -> Mapping[str, object]:
    """Return the JSON object of an event.

    Raises:
        ProviderError: it is an error in the midst of the stream (section 2).
        ValueError: it is no JSON.
    """
    if event.event == "error":
        try:
            stated = error_object(parse(event.data))
        except ValueError:
            stated = None
        raise refusal(stated or ErrorObject(None, None, event.data), envelope)
    chunk = parse(event.data) if event.data else {}
    if not isinstance(chunk, Mapping):
        raise malformed("an event is no JSON object", envelope)
    if chunk.get("error") or "choices" not in chunk:
        stated = error_object(chunk)
        if stated:
            raise refusal(stated, envelope)
    return chunk


class _Assembly:
    """The pieces of one answer, and the body they make."""

    __slots__ = (
        *("_calls", "_chosen", "_envelope", "_function", "_reasoning", "_shell", "_text"),
        *("choice", "size"),
    )

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self.choice: dict[str, object] = {}
        self._chosen = False
        self._shell: dict[str, object] = {}
        # No lists: a token is a few characters, and 50 bytes as a string of its own.
        self._text = StringIO()
        self._reasoning = StringIO()
        self.size = 0
        self._calls: dict[int | str, _Call] = {}
        self._function = _Call()

    def add(self, chunk: Mapping[str, object]) -> None:
        # Usage comes with the finish reason, or in a chunk of its own without choices.
        for name in ("id", "request_id", "model", "usage"):
            if chunk.get(name):
                self._shell[name] = chunk[name]
        choice = first_choice(chunk)
        if choice is None:
            return
        self._chosen = True
        if reason := reason_of(choice):
            self.choice["finish_reason"] = reason
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            self._add_delta(delta)

    def body(self) -> dict[str, object]:
        if not self._chosen:
            return self._shell
        calls = sorted(self._calls.items(), key=_place)
        message = {
            "content": self._text.getvalue(),
            "reasoning_content": self._reasoning.getvalue(),
            "tool_calls": [call.value() for _, call in calls],
            "function_call": self._function.value().get("function"),
        }
        return {**self._shell, "choices": [{**self.choice, "message": message}]}

    def _add_delta(self, delta: Mapping[str, object]) -> None:
        self.size += self._text.write(text_of(delta.get("content")))
        self.size += self._reasoning.write(reasoning_of(delta))
        calls = delta.get("tool_calls")
        for piece in calls if isinstance(calls, list) else ():
            if isinstance(piece, Mapping):
                self.size += self._calls.setdefault(self._key(piece), _Call()).add(piece)
        if len(self._calls) > MAX_CALLS:
            raise malformed(f"more than {MAX_CALLS} tool calls", self._envelope)
        if delta.get("function_call"):
            self.size += self._function.add({"function": delta["function_call"]})

    def _key(self, piece: Mapping[str, object]) -> int | str:
        """Return what tells the calls of an answer apart: the index, else the id, if sent."""
        index, id_ = piece.get("index"), piece.get("id")
        if type(index) is int:
            return index
        if id_ and isinstance(id_, str):
            return id_
        return next(reversed(self._calls), 0)


class _Call:
    """One tool call: its arguments come in pieces, everything else whole, perhaps repeatedly."""

    __slots__ = ("_arguments", "_fields", "_function")

    def __init__(self) -> None:
        self._fields: dict[str, object] = {}
        self._function: dict[str, object] = {}
        self._arguments = StringIO()

    def add(self, piece: Mapping[str, object]) -> int:
        """Take in a piece; return how many characters of arguments it brought."""
        size = 0
        self._fields |= {name: value for name, value in piece.items() if value}
        function = piece.get("function")
        for name, value in function.items() if isinstance(function, Mapping) else ():
            if name == "arguments" and isinstance(value, str):
                size += self._arguments.write(value)
                self._function.setdefault(name, "")
            elif value:
                self._function[name] = value
        return size

    def value(self) -> dict[str, object]:
        if not self._function:
            return self._fields
        function = dict(self._function)
        if arguments := self._arguments.getvalue():
            function["arguments"] = arguments
        return {**self._fields, "function": function}


def _place(item: tuple[int | str, _Call]) -> float:
    return item[0] if isinstance(item[0], int) else math.inf
