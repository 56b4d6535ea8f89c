"""Requests as they are sent, and the way into decoding."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from batcher import __version__
from batcher.errors import ErrorClass, ProviderError
from batcher.job import OutputSpec
from batcher.providers import provider_named
from batcher.providers.sse import Event
from batcher.records import Request, Source
from batcher.structured import AnswerFormat, Structure

NOW = datetime(2026, 8, 25, tzinfo=UTC)
BODY = {"model": "glm-4.7", "messages": [{"role": "user", "content": "你好"}], "temperature": 0.2}
REQUEST = Request(3, "3", "k", BODY, Source("prompts.jsonl", 4))
ANSWER = {"finish_reason": "stop", "message": {"content": "hi"}}

STREAM = {"stream": True}
USAGE = {"stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    ("name", "always", "streaming"),
    [
        ("glm", {"request_id": "r-1"}, STREAM),
        ("zai", {"request_id": "r-1"}, STREAM),
        ("openai", {}, STREAM | USAGE),
        ("deepseek", {}, STREAM | USAGE),
    ],
)
def test_a_body_is_the_request_with_what_the_dialect_adds(
    name: str, always: dict[str, object], streaming: dict[str, object]
) -> None:
    provider = provider_named(name)
    whole = json.loads(provider.encode(REQUEST, request_id="r-1", stream=False))
    streamed = json.loads(provider.encode(REQUEST, request_id="r-1", stream=True))
    assert whole == {**BODY, **always}
    assert streamed == {**BODY, **always, **streaming}


@pytest.mark.parametrize("name", ["glm", "zai", "deepseek"])
def test_where_a_schema_is_ignored_json_is_asked_for_and_the_schema_told(name: str) -> None:
    structure = Structure.of(OutputSpec(fields={"label": ["pos", "neg"]}))
    assert structure is not None
    assert provider_named(name).answer_format(structure) == AnswerFormat(
        {"type": "json_object"}, structure.instructions, shown=False
    )


@pytest.mark.parametrize(
    ("spec", "strict"),
    [
        (OutputSpec(fields={"label": ["pos", "neg"]}), True),
        (OutputSpec(schema={"type": "object", "properties": {"label": {}}}), False),
    ],
)
def test_openai_gets_the_schema_strict_where_it_takes_it_so(
    spec: OutputSpec, *, strict: bool
) -> None:
    structure = Structure.of(spec)
    assert structure is not None
    made = provider_named("openai").answer_format(structure)
    named = {"name": "answer", "schema": structure.schema, "strict": strict}
    assert made.response_format == {"type": "json_schema", "json_schema": named}
    assert made.shown


def test_encoding_leaves_the_request_as_it_was() -> None:
    before = json.dumps(REQUEST.body)
    provider_named("glm").encode(REQUEST, request_id="r-1", stream=True)
    assert json.dumps(REQUEST.body) == before


def test_the_headers_name_the_attempt_and_ask_for_gzip_alone() -> None:
    assert provider_named("openai").headers("r-1") == {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "accept-encoding": "gzip",
        "x-client-request-id": "r-1",
        "user-agent": f"batcher/{__version__}",
    }


@pytest.mark.parametrize(
    ("model", "response_format"),
    [
        (None, {"type": "json_object"}),
        ("glm-4.7", {"type": "json_object"}),
        ("glm-4-voice", {"type": "json_object"}),
        ("glm-4.6v", None),
        ("glm-4v-plus", None),
        ("glm-4.1v-thinking-flash", None),
    ],
)
def test_glm_models_that_see_are_told_the_schema_without_a_response_format(
    model: str | None, response_format: object
) -> None:
    structure = Structure.of_schema({"type": "object", "properties": {"x": {"type": "string"}}})
    answer_format = provider_named("glm").answer_format(structure, model)
    assert answer_format.response_format == response_format
    assert not answer_format.shown


def test_a_whole_answer_and_its_stream_are_decoded() -> None:
    provider = provider_named("glm")
    whole = json.dumps({"choices": [ANSWER]}).encode()
    delta = {"finish_reason": "stop", "delta": {"content": "hi"}}
    events = [Event("message", json.dumps({"choices": [delta]})), Event("message", "[DONE]")]
    completion = provider.decode(200, {}, whole, NOW, allow_empty=False)
    assert completion.text == "hi"
    answer = provider.streamed({}, NOW)
    for event in events:
        answer.add(event)
    assert completion == answer.completion(allow_empty=False)


def test_status_headers_and_time_reach_the_error() -> None:
    headers = {"retry-after": "Tue, 25 Aug 2026 00:00:09 GMT"}
    with pytest.raises(ProviderError) as raised:
        provider_named("glm").decode(503, headers, b"busy", NOW, allow_empty=False)
    assert raised.value.problem.error_class is ErrorClass.OVERLOADED
    assert raised.value.problem.http_status == 503
    assert raised.value.retry_after == 9


def test_headers_and_time_of_a_stream_reach_the_error() -> None:
    with pytest.raises(ProviderError) as raised:
        provider_named("glm").streamed({"retry-after": "9"}, NOW).completion(allow_empty=False)
    assert raised.value.retry_after == 9


def test_what_is_counted_is_model_and_messages_alone() -> None:
    provider = provider_named("glm", "https://example.com/v4/")
    assert provider.has_tokenizer
    assert provider.tokenizer_url == "https://example.com/v4/tokenizer"
    sent = json.loads(provider.encode_count(REQUEST))
    assert sent == {"model": BODY["model"], "messages": BODY["messages"]}
    assert provider.decode_count(200, {}, b'{"usage":{"prompt_tokens":3}}', NOW) == 3


def test_only_zhipu_counts_tokens_without_a_completion() -> None:
    names = ("glm", "zai", "openai", "deepseek")
    assert [provider_named(name).has_tokenizer for name in names] == [True, True, False, False]
