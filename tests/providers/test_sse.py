"""Server-sent events from bytes in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ErrorClass, ProviderError
from batcher.providers.sse import MAX_EVENT, Event, Parser

# Pieces that meet each other at every kind of edge, valid and not.
_PIECES = st.sampled_from(
    [
        *(b"\n", b"\r\n", b"\r", b"data:", b"data: ", b"event: error\n", b"event:", b": comment\n"),
        *(b"[DONE]", b"data: [DONE]\n\n", b"id: 7\n", b"retry\n", b" ", b"x", b'{"a":1}'),
        *("你好".encode(), "😀".encode(), "\u2028\u2029\x85\x0b\x0c".encode(), b"\xef\xbb\xbf"),
        *(b"\xff", b"\xe4\xbd"),
    ]
)


def _read(chunks: list[bytes], max_event: int = MAX_EVENT) -> list[Event] | ErrorClass:
    """Read a stream as the client does: no further than its end."""
    parser = Parser(max_event)
    events: list[Event] = []
    try:
        for chunk in chunks:
            events += parser.feed(chunk)
            if events and events[-1].done:
                return events
        return events + parser.finish()
    except ProviderError as error:
        return error.problem.error_class


def _events(stream: bytes) -> list[Event]:
    events = _read([stream])
    assert isinstance(events, list)
    return events


@given(st.lists(_PIECES), st.data())
def test_any_chunking_gives_the_same_events(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    chunks = [stream[i:j] for i, j in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert _read(chunks) == _read([stream])


@given(st.lists(st.text(), min_size=1), st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_as_data_lines_is_read_back(lines: list[str], end: str) -> None:
    lines = [line.replace("\r", "").replace("\n", "") for line in lines]
    stream = "".join(f"data: {line}{end}" for line in lines) + end
    assert _events(stream.encode()) == [Event("message", "\n".join(lines))]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"", []),
        (b"\n\n\r\n", []),
        (b": keep-alive\n\n:\n\n", []),
        (b"data: 1\n\ndata: 2\n\n", [Event("message", "1"), Event("message", "2")]),
        (b"data:1\n\ndata:  2\n\n", [Event("message", "1"), Event("message", " 2")]),
        (b"data: a: b\n\n", [Event("message", "a: b")]),
        (b"data\n\n", [Event("message", "")]),
        (b"data: 1\n: comment\ndata: 2\n\n", [Event("message", "1\n2")]),
        (b"id: 1\nretry: 9\ndata: 1\n\n", [Event("message", "1")]),
        (b"event: error\ndata: 1\n\ndata: 2\n\n", [Event("error", "1"), Event("message", "2")]),
        (b"event: error\n\ndata: 1\n\n", [Event("message", "1")]),
        (b"event:\ndata: 1\n\n", [Event("message", "1")]),
        (b"\xef\xbb\xbfdata: 1\n\n", [Event("message", "1")]),
        (b"data: \xef\xbb\xbf1\n\n", [Event("message", "\ufeff1")]),
    ],
)
def test_the_fields_of_an_event(stream: bytes, events: list[Event]) -> None:
    assert _events(stream) == events


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r"])
def test_a_last_event_without_its_blank_line_is_dispatched(end: str) -> None:
    assert _events(f"data: [DONE]{end}".encode()) == [Event("message", "[DONE]")]


@pytest.mark.parametrize("raw", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_line_breaks_other_than_newline_stay_inside_a_line(raw: str) -> None:
    assert _events(f'data: {{"a":"1{raw}2"}}\n\n'.encode()) == [
        Event("message", f'{{"a":"1{raw}2"}}')
    ]


def test_only_the_event_done_is_done() -> None:
    assert Event("message", "[DONE]").done
    assert not Event("message", " [DONE]").done


def test_nothing_after_done_is_read() -> None:
    parser = Parser(12)
    stream = b"data: [DONE]\n\ndata: 1\n\n\xff\n" + b"x" * 100
    assert parser.feed(stream) == [Event("message", "[DONE]")]
    assert parser.feed(b"data: 2\n\n") == []
    assert parser.finish() == []


def test_a_line_that_is_not_utf_8_is_a_malformed_answer() -> None:
    with pytest.raises(ProviderError, match="not UTF-8") as raised:
        Parser().feed(b"data: \xff\n\n")
    assert raised.value.problem.error_class is ErrorClass.MALFORMED_ANSWER


def test_a_line_cut_inside_a_character_at_the_end_is_an_event_like_any_other_cut() -> None:
    assert _events("data: 你".encode()[:-1]) == [Event("message", "\ufffd")]


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("size", [1, 5, 100])
def test_an_event_too_large_is_a_malformed_answer_however_it_comes(size: int, end: bytes) -> None:
    def read(stream: bytes) -> list[Event] | ErrorClass:
        return _read([stream[start : start + size] for start in range(0, len(stream), size)], 10)

    assert read(b"data: 1234" + end) == [Event("message", "1234")]
    assert read(b"data: 12345" + end) is ErrorClass.MALFORMED_ANSWER
    assert read(b"data: 1\ndata" + end) is ErrorClass.MALFORMED_ANSWER
    assert read(b": 34567\n: 01" + end) is ErrorClass.MALFORMED_ANSWER
    assert read(b"data: 1\n\n" * 3 + end) == [Event("message", "1")] * 3


def test_the_size_of_a_parser_is_that_of_the_event_that_has_begun() -> None:
    parser = Parser()
    sizes = []
    for piece in (b"data: a", b"bc\nda", b"ta: d\n", b"\n"):
        parser.feed(piece)
        sizes.append(parser.size)
    assert sizes == [7, 11, 16, 0]
