"""Streamed answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ErrorClass, Problem, ProviderError
from batcher.providers import sse
from batcher.providers.answer import decode_body
from batcher.providers.envelope import Envelope
from batcher.providers.stream import MAX_CALLS, StreamedAnswer
from batcher.records import Completion, Usage

NOW = datetime(2026, 8, 25, tzinfo=UTC)
DONE = "[DONE]"
Chunk = dict[str, Any]

# The sample of protocol.md section 2.
SAMPLE = """\
data: {"id":"1","created":1677652288,"model":"glm-4.7","choices":[{"index":0,"delta":{"content":"你好"},"finish_reason":null}]}

data: {"id":"1","created":1677652289,"model":"glm-4.7","choices":[{"index":0,"finish_reason":"stop","delta":{"role":"assistant","content":""}}],"usage":{"prompt_tokens":8,"completion_tokens":2}}

data: [DONE]

"""  # noqa: E501 -- a recorded stream has the lines it has


def _answer(events: Iterable[sse.Event], *, allow_empty: bool = False) -> Completion:
    answer = StreamedAnswer(Envelope(200, {}, NOW))
    for event in events:
        answer.add(event)
    return answer.completion(allow_empty=allow_empty)


def _read(stream: bytes, *, allow_empty: bool = False) -> Completion:
    parser = sse.Parser()
    events = parser.feed(stream) + parser.finish()
    return _answer(events, allow_empty=allow_empty)


def _decode(*data: Chunk | str, event: str = "message", allow_empty: bool = False) -> Completion:
    texts = [item if isinstance(item, str) else json.dumps(item) for item in data]
    events = [sse.Event(event, text) for text in texts]
    return _answer(events, allow_empty=allow_empty)


def _problem(*data: Chunk | str, event: str = "message", allow_empty: bool = False) -> Problem:
    with pytest.raises(ProviderError) as raised:
        _decode(*data, event=event, allow_empty=allow_empty)
    return raised.value.problem


def _delta(reason: str | None = None, /, **delta: object) -> Chunk:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


HI = _delta(content="hi")
STOP = _delta("stop", content="")


def test_the_documented_stream_is_read_whole() -> None:
    assert _read(SAMPLE.encode()) == Completion(
        "你好", None, None, "stop", "glm-4.7", Usage(8, 2), "1"
    )


def test_a_stream_cut_anywhere_is_ambiguous() -> None:
    whole = SAMPLE.encode()
    for length in range(whole.index(DONE.encode()) + len(DONE)):
        with pytest.raises(ProviderError) as raised:
            _read(whole[:length], allow_empty=True)
        assert raised.value.problem.error_class is ErrorClass.AMBIGUOUS


def test_a_stream_that_ends_in_done_without_its_blank_line_is_whole() -> None:
    assert _read(SAMPLE.encode().rstrip()).text == "你好"


@pytest.mark.parametrize("events", [[], [HI], [HI, STOP], [STOP]])
def test_an_end_without_done_is_ambiguous(events: list[Chunk]) -> None:
    assert _problem(*events, allow_empty=True).error_class is ErrorClass.AMBIGUOUS


@pytest.mark.parametrize("end", [[], [DONE]])
@pytest.mark.parametrize(
    ("reason", "error_class"),
    [
        ("sensitive", ErrorClass.CONTENT_FILTERED),
        ("network_error", ErrorClass.INFERENCE_FAILED),
        ("model_context_window_exceeded", ErrorClass.PROMPT_TOO_LONG),
    ],
)
def test_a_cause_in_the_finish_reason_is_that_error_also_without_done(
    end: list[str], reason: str, error_class: ErrorClass
) -> None:
    assert _problem(HI, _delta(reason), *end, allow_empty=True).error_class is error_class


def test_done_without_a_finish_reason_is_a_success_of_unknown_reason() -> None:
    completion = _decode(HI, DONE)
    assert (completion.text, completion.finish_reason) == ("hi", "unknown")


@pytest.mark.parametrize("nothing", ["", None])
def test_a_finish_reason_stays_when_later_pieces_have_none(nothing: str | None) -> None:
    assert _decode(HI, _delta("length"), _delta(nothing), DONE).finish_reason == "length"


BUSY = {"code": "1305", "message": "busy"}


@pytest.mark.parametrize("end", [[], [DONE], [STOP, DONE]])
@pytest.mark.parametrize("chunk", [{"error": BUSY}, BUSY, {**HI, "error": BUSY}], ids=repr)
def test_an_error_in_the_midst_of_a_stream_is_that_error(
    chunk: Chunk, end: list[Chunk | str]
) -> None:
    problem = _problem(HI, chunk, *end)
    assert problem == Problem(ErrorClass.OVERLOADED, "busy", "1305", 200)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"error": BUSY}, Problem(ErrorClass.OVERLOADED, "busy", "1305", 200)),
        (BUSY, Problem(ErrorClass.OVERLOADED, "busy", "1305", 200)),
        ("broken pipe", Problem(ErrorClass.SERVER_ERROR, "broken pipe", None, 200)),
        ("[]", Problem(ErrorClass.SERVER_ERROR, "[]", None, 200)),
        ("", Problem(ErrorClass.SERVER_ERROR, "HTTP 200 without a message", None, 200)),
    ],
    ids=repr,
)
def test_an_event_of_type_error_is_an_error_whatever_it_says(
    data: Chunk | str, problem: Problem
) -> None:
    assert _problem(data, event="error") == problem


@pytest.mark.parametrize("usage_chunk", [{"choices": []}, {}, {"choices": None}])
def test_usage_may_come_in_a_chunk_without_choices(usage_chunk: Chunk) -> None:
    usage = {"usage": {"prompt_tokens": 8, "completion_tokens": 2}}
    assert _decode(HI, STOP, {**usage_chunk, **usage}, DONE).usage == Usage(8, 2)
    assert _decode(HI, {**STOP, **usage}, {**usage_chunk, "usage": None}, DONE).usage == Usage(8, 2)


def test_a_stream_without_usage_has_none() -> None:
    assert _decode(HI, STOP, DONE).usage == Usage()


@pytest.mark.parametrize("chunk", ["", '{"choices":[{"index":0}]}', '{"type":"ping"}'])
def test_an_event_that_says_nothing_is_passed_over(chunk: str) -> None:
    assert _decode(chunk, HI, chunk, STOP, DONE).text == "hi"


@pytest.mark.parametrize("broken", ["{", "hi", "NaN"])
def test_an_event_that_is_no_json_is_malformed_and_as_the_last_one_a_cut(broken: str) -> None:
    assert _problem(HI, broken, STOP, DONE).error_class is ErrorClass.MALFORMED_ANSWER
    assert _problem(HI, broken, DONE).error_class is ErrorClass.MALFORMED_ANSWER
    assert _problem(HI, broken).error_class is ErrorClass.AMBIGUOUS


@pytest.mark.parametrize("value", ["[]", "7", "null", '"hi"'])
def test_an_event_that_is_no_object_is_malformed(value: str) -> None:
    assert _problem(HI, value, DONE).error_class is ErrorClass.MALFORMED_ANSWER


def test_a_stream_without_any_choice_is_malformed() -> None:
    assert _problem(DONE).error_class is ErrorClass.MALFORMED_ANSWER
    assert _problem({"choices": []}, DONE).error_class is ErrorClass.MALFORMED_ANSWER


def test_more_tool_calls_than_any_answer_has_are_malformed() -> None:
    calls = [_delta(tool_calls=[{"index": n}]) for n in range(MAX_CALLS + 1)]
    assert _decode(*calls[:-1], STOP, DONE).tool_calls is not None
    assert _problem(*calls, STOP, DONE).error_class is ErrorClass.MALFORMED_ANSWER


def test_a_stream_without_text_is_empty_unless_allowed() -> None:
    assert _problem(STOP, DONE).error_class is ErrorClass.EMPTY_COMPLETION
    assert _decode(STOP, DONE, allow_empty=True).text is None


def _call(index: object = None, arguments: object = None, **fields: object) -> Chunk:
    """Make a piece of a tool call; None stands for a field that was not sent."""
    function = {"name": fields.pop("name", None), "arguments": arguments}
    piece = {"index": index, **fields, "function": function}
    return _delta(tool_calls=[{name: value for name, value in piece.items() if value is not None}])


def _f(index: int | None, arguments: str, id_: str | None = "a") -> Chunk:
    return _call(index, arguments, id=id_, name=id_ and "f")


def _g(index: int | None, arguments: str = "[]") -> Chunk:
    return _call(index, arguments, id="b", name="g")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([_f(0, ""), _f(0, "{", None), _g(1), _f(0, "}", None)], id="by index"),
        pytest.param([_g(1), _f(0, "{}")], id="indices out of order"),
        pytest.param([_f(0, "{"), _f(0, "}"), _g(1)], id="id and name repeated"),
        pytest.param([_f(0, "{}"), _f(0, "", ""), _g(1)], id="id and name empty later"),
        pytest.param([_f(None, "{"), _g(None), _f(None, "}")], id="by id without indices"),
        pytest.param([_f(None, "{"), _f(None, "}", None), _g(None)], id="by order alone"),
    ],
)
def test_tool_calls_are_put_together_from_their_pieces(pieces: list[Chunk]) -> None:
    completion = _decode(*pieces, _delta("tool_calls"), DONE)
    assert completion.tool_calls == (
        '[{"id":"a","function":{"name":"f","arguments":"{}"}},'
        '{"id":"b","function":{"name":"g","arguments":"[]"}}]'
    )


def test_a_first_piece_without_index_and_id_begins_a_call() -> None:
    pieces = [_call(None, "{", name="f"), _call(None, "}")]
    assert _decode(*pieces, DONE).tool_calls == '[{"function":{"name":"f","arguments":"{}"}}]'


def test_a_call_of_another_kind_is_kept_as_it_is() -> None:
    piece = _delta(tool_calls=[{"index": 0, "type": "web_search", "web_search": {"a": 1}}, "stray"])
    assert _decode(piece, DONE).tool_calls == '[{"type":"web_search","web_search":{"a":1}}]'


def test_arguments_that_come_as_an_object_are_kept_as_one() -> None:
    piece = _call(0, {"a": 1}, name="f")
    assert _decode(piece, DONE).tool_calls == '[{"function":{"name":"f","arguments":{"a":1}}}]'


def test_the_older_function_call_is_put_together_too() -> None:
    first = _delta(function_call={"name": "f", "arguments": "{"})
    completion = _decode(first, _delta(function_call={"arguments": "}"}), DONE)
    assert completion.tool_calls == (
        '[{"type":"function","function":{"name":"f","arguments":"{}"}}]'
    )


@dataclass(frozen=True)
class Said:
    """An answer, to be sent in either way."""

    text: str
    reasoning: str
    calls: Sequence[tuple[str, str]]
    reason: str | None
    usage: dict[str, int] | None
    reasoning_name: str

    def whole(self) -> bytes:
        message: Chunk = {"role": "assistant", "content": self.text or None}
        message[self.reasoning_name] = self.reasoning
        if self.calls:
            message["tool_calls"] = [
                _function(n, name, text) for n, (name, text) in enumerate(self.calls)
            ]
        choice = {"index": 0, "message": message, "finish_reason": self.reason}
        body = {"id": "1", "model": "m", "choices": [choice], "usage": self.usage}
        return json.dumps(body).encode()

    def deltas(self, size: int) -> Iterator[Chunk]:
        yield {"role": "assistant"}
        for piece in _cut(self.reasoning, size):
            yield {self.reasoning_name: piece}
        for piece in _cut(self.text, size):
            yield {"content": piece}
        for n, (name, text) in enumerate(self.calls):
            yield {"tool_calls": [{"index": n, **_function(n, name, "")}]}
            for piece in _cut(text, size):
                yield {"tool_calls": [{"index": n, "function": {"arguments": piece}}]}

    def stream(self, size: int, *, usage_apart: bool) -> bytes:
        chunks: list[Chunk] = [_delta(None, **delta) for delta in self.deltas(size)]
        chunks.append(_delta(self.reason, content=""))
        if usage_apart:
            chunks.append({"choices": [], "usage": self.usage})
        else:
            chunks[-1]["usage"] = self.usage
        texts = [json.dumps({"id": "1", "model": "m", **chunk}) for chunk in chunks]
        return "".join(f"data: {text}\n\n" for text in [*texts, DONE]).encode()


def _function(n: int, name: str, arguments: str) -> Chunk:
    return {
        "id": f"c{n}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


_TEXTS = st.text(st.characters())
_SAID = st.builds(
    Said,
    text=_TEXTS,
    reasoning=_TEXTS,
    calls=st.lists(st.tuples(st.text(min_size=1), _TEXTS), max_size=3),
    reason=st.sampled_from(["stop", "length", "tool_calls", "sensitive", "network_error", None]),
    usage=st.none()
    | st.dictionaries(
        st.sampled_from(["prompt_tokens", "completion_tokens", "prompt_cache_hit_tokens"]),
        st.integers(),
    ),
    reasoning_name=st.sampled_from(["reasoning", "reasoning_content"]),
)


@given(_SAID, st.integers(1, 5), st.booleans(), st.booleans())
def test_an_answer_means_the_same_whole_and_streamed(
    said: Said,
    size: int,
    usage_apart: bool,  # noqa: FBT001 -- hypothesis passes by position
    allow_empty: bool,  # noqa: FBT001 -- the same
) -> None:
    def outcome(streamed: bool) -> Completion | Problem:  # noqa: FBT001 -- two lines above its use
        try:
            if streamed:
                stream = said.stream(size, usage_apart=usage_apart)
                return _read(stream, allow_empty=allow_empty)
            return decode_body(said.whole(), Envelope(200, {}, NOW), allow_empty=allow_empty)
        except ProviderError as error:
            return error.problem

    assert outcome(streamed=True) == outcome(streamed=False)


_NAMES = st.sampled_from(
    [
        *("error", "code", "choices", "delta", "finish_reason", "content", "usage", "index", "id"),
        *("tool_calls", "function_call", "function", "arguments", "name", "reasoning", "model"),
    ]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner),
    max_leaves=12,
)
_CHUNKS = _JSON | _JSON.map(lambda delta: {"choices": [{"delta": delta}]})


@given(
    st.lists(st.tuples(st.sampled_from(["message", "error"]), _CHUNKS), max_size=4), st.booleans()
)
def test_no_stream_whatever_ends_otherwise_than_as_completion_or_typed_error(
    chunks: list[tuple[str, object]],
    done: bool,  # noqa: FBT001 -- hypothesis passes by position
) -> None:
    events = [sse.Event(event, json.dumps(chunk)) for event, chunk in chunks]
    try:
        completion = _answer([*events, *[sse.Event("message", DONE)] * done])
    except ProviderError as error:
        assert error.problem.message.isprintable()  # noqa: PT017
    else:
        assert done
        assert completion.text or completion.tool_calls or completion.finish_reason == "length"


def test_the_size_of_a_stream_is_that_of_its_texts() -> None:
    """Not of the events they came in."""
    answer = StreamedAnswer(Envelope(200, {}, NOW))
    call = {"index": 0, "id": "call_x", "function": {"name": "f", "arguments": '{"a":'}}
    pieces = [
        _delta(content="你好"),
        _delta(reasoning_content="hm"),
        _delta(tool_calls=[call]),
        _delta(function_call={"name": "g", "arguments": "[1]"}),
    ]
    sizes = []
    for piece in pieces:
        answer.add(sse.Event("message", json.dumps(piece)))
        sizes.append(answer.size)
    assert sizes == [2, 4, 9, 12]
