"""Rows, made into the requests they ask for."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ConfigurationError, ErrorClass, RowError
from batcher.job import JobSpec, PromptSpec, ProviderSpec, ReuseSpec
from batcher.records import Prompt, Request, Source
from batcher.render import (
    BATCH_URLS,
    ROLES,
    Renderer,
    key_under,
    request_content,
    request_key,
    sampled,
)

SOURCE = Source("prompts.jsonl", 18)
USER = {"role": "user", "content": "hi"}

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_json: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=10,
)
_bodies = st.dictionaries(_text, _json, max_size=5)


def _job(*, model: str | None = "glm-4-flash", **parameters: object) -> JobSpec:
    return JobSpec(provider=ProviderSpec(model=model), parameters=parameters)


def _templated(template: str | None, *, system: str | None = None) -> JobSpec:
    prompt = PromptSpec(template=template, system_template=system)
    return JobSpec(provider=ProviderSpec(model="m"), prompt=prompt)


def _render(columns: Mapping[str, object], job: JobSpec | None = None) -> Request:
    return Renderer(job or _job())(Prompt(17, "a", columns, SOURCE))


def _messages(columns: Mapping[str, object], job: JobSpec | None = None) -> Any:  # noqa: ANN401 -- JSON
    return _render(columns, job).body["messages"]


def _printed(template: str, **columns: object) -> Any:  # noqa: ANN401 -- JSON
    (message,) = _messages(columns, _templated(template))
    return message["content"]


def _refused(
    columns: Mapping[str, object],
    job: JobSpec | None = None,
    error_class: ErrorClass = ErrorClass.INVALID_ROW,
) -> str:
    with pytest.raises(RowError) as raised:
        _render(columns, job)
    assert raised.value.problem.error_class is error_class
    return raised.value.problem.message


def _unprinted(template: str, **columns: object) -> str:
    return _refused(columns, _templated(template), ErrorClass.TEMPLATE_ERROR)


def _reversed(value: Any) -> Any:  # noqa: ANN401 -- JSON
    """Return an equal value whose keys stand in the opposite order."""
    if isinstance(value, dict):
        return {key: _reversed(item) for key, item in reversed(value.items())}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


# The key


@given(_text, _bodies)
def test_a_key_is_the_same_under_any_order_of_keys(row_id: str, body: dict[str, Any]) -> None:
    key = request_key(row_id, body)
    assert key == request_key(row_id, _reversed(body))
    assert len(key) == 32


@given(_text, _bodies, _text, _bodies)
def test_another_id_or_body_is_another_key(
    row_id: str, body: dict[str, Any], other_id: str, other: dict[str, Any]
) -> None:
    # As JSON tells them apart: for Python, 1 equals 1.0 and true.
    same = json.dumps([row_id, body], sort_keys=True) == json.dumps(
        [other_id, other], sort_keys=True
    )
    assert (request_key(row_id, body) == request_key(other_id, other)) is same


def test_a_key_is_the_same_on_every_machine_and_in_every_version() -> None:
    """A key that changes makes every user pay for every row again."""
    request = Renderer(_job(temperature=0.1, stop=["。"]))(
        Prompt(0, "r-001", {"prompt": "你好，world\n😀"}, SOURCE)
    )
    assert request.key == "b4209e235f7b419c6305eeb913ec597b"


def test_a_key_does_not_hang_on_the_hash_seed_of_the_process() -> None:
    """Nor do templates that go through the row, or through what Jinja2 makes of it."""
    script = """
from batcher.job import JobSpec, PromptSpec, ProviderSpec
from batcher.records import Prompt, Source
from batcher.render import Renderer
columns = {"prompt": "p", "tags": ["b", "a", "b"], "meta": {"z": 1, "y": {"x": 2, "w": None}}}
templates = (
    None,
    "{{ row | tojson }}",
    "{% for name in row %}{{ name }}{% endfor %}",
    "{{ tags | unique | list }} {{ meta | dictsort }} {{ row.keys() | list }}",
    "{% for tag in tags | groupby('0') %}{{ tag.grouper }}{% endfor %}",
)
for template in templates:
    job = JobSpec(
        provider=ProviderSpec(model="m"),
        parameters={"stop": ["x"], "a": {"c": 1, "b": 2}},
        prompt=PromptSpec(template=template),
    )
    print(Renderer(job)(Prompt(0, "0", columns, Source("f", 1))).key)
"""
    keys = {
        subprocess.run(  # noqa: S603 -- our own script
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    (lines,) = keys
    assert len(set(lines.split())) == 5


@given(_text, _bodies)
def test_a_row_asks_the_same_whatever_the_order_of_its_keys(
    row_id: str, fields: dict[str, Any]
) -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "hi", "extra": fields}]}]
    row = {"messages": messages, "note": fields, "id": row_id}
    job = _job(extra=fields)
    turned = _job(extra=_reversed(fields))
    one = Renderer(job)(Prompt(0, row_id, row, SOURCE))
    assert Renderer(turned)(Prompt(0, row_id, _reversed(row), SOURCE)).key == one.key


def test_a_key_knows_the_id_the_model_the_messages_and_the_parameters() -> None:
    renders = [
        (Prompt(0, "a", {"prompt": "x"}, SOURCE), _job()),
        (Prompt(0, "b", {"prompt": "x"}, SOURCE), _job()),
        (Prompt(0, "a", {"prompt": "y"}, SOURCE), _job()),
        (Prompt(0, "a", {"prompt": "x"}, SOURCE), _job(model="glm-5")),
        (Prompt(0, "a", {"prompt": "x"}, SOURCE), _job(top_p=0.5)),
    ]
    assert len({Renderer(job)(prompt).key for prompt, job in renders}) == len(renders)


def test_a_key_does_not_know_where_the_row_stands_or_what_is_not_asked() -> None:
    """A moved row, or one with another note beside its prompt, is not called again."""
    first = Renderer(_job())(Prompt(0, "a", {"prompt": "x", "note": 1}, SOURCE))
    second = Renderer(_job())(Prompt(9, "a", {"prompt": "x"}, Source("other.jsonl", 3)))
    assert first.key == second.key


# Prompts


def test_a_prompt_becomes_one_user_message_with_the_job_s_model_and_parameters() -> None:
    request = _render({"prompt": "hi", "other": 1}, _job(temperature=0.5))
    assert request.body == {"model": "glm-4-flash", "messages": [USER], "temperature": 0.5}
    assert (request.row, request.id, request.source) == (17, "a", SOURCE)
    assert request.key == request_key("a", request.body)


def test_a_system_column_stands_before_the_prompt() -> None:
    assert _messages({"prompt": "hi", "system": "brief"}) == [
        {"role": "system", "content": "brief"},
        USER,
    ]


@pytest.mark.parametrize("system", [None, ""])
def test_an_empty_system_column_makes_no_message(system: str | None) -> None:
    assert _messages({"prompt": "hi", "system": system}) == [USER]


def test_the_system_template_wins_over_the_column_even_if_it_is_empty() -> None:
    columns = {"prompt": "hi", "system": 3, "lang": "zh"}
    assert _messages(columns, _templated(None, system="用{{ lang }}"))[0]["content"] == "用zh"
    assert _messages(columns, _templated(None, system="{% if 0 %}x{% endif %}")) == [USER]


def test_the_columns_of_prompt_and_messages_can_be_named() -> None:
    prompt = PromptSpec(prompt_column="question", messages_column="dialog")
    job = JobSpec(provider=ProviderSpec(model="m"), prompt=prompt)
    assert _messages({"question": "hi", "prompt": "no", "messages": 3}, job) == [USER]
    assert _messages({"dialog": [USER], "question": "no"}, job) == [USER]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        (3, "a number, not text"),
        (0.5, "a number, not text"),
        (True, "true or false, not text"),
        ({}, "an object, not text"),
        (["a"], "a list, not text"),
        (b"a", "of type bytes, not text"),
    ],
)
def test_a_prompt_that_is_no_text_is_refused(value: object, kind: str) -> None:
    assert _refused({"prompt": value}) == f"the prompt is {kind}"


def test_a_system_column_that_is_no_text_is_refused() -> None:
    assert _refused({"prompt": "hi", "system": 3}) == "`system` is a number, not text"


def test_a_row_without_a_prompt_is_told_which_columns_it_has() -> None:
    message = _refused({"text": "hi", "prompt": None})
    assert "neither `prompt` nor `messages`; columns: prompt (null), text. Name" in message
    assert "columns: none. Name" in _refused({})
    assert "columns: promt; did you mean `promt`? Name" in _refused({"promt": "hi"})


@pytest.mark.parametrize("model", [None, ""])
def test_without_any_model_the_job_is_wrong_not_the_row(model: str | None) -> None:
    with pytest.raises(ConfigurationError, match="the job names no model; give --model"):
        _render({"prompt": "hi"}, _job(model=model))


def test_a_model_may_be_stood_in_for_where_none_is_named() -> None:
    rows: list[dict[str, object]] = [
        {"prompt": "hi"},
        {"custom_id": "a", "body": {"messages": [USER]}},
    ]
    for named, model in ((None, "MODEL"), ("glm-5", "glm-5")):
        render = Renderer(JobSpec(provider=ProviderSpec(model=named)), stand_in="MODEL")
        requests = [render(Prompt(0, "0", columns, SOURCE)) for columns in rows]
        assert [request.body["model"] for request in requests] == [model, model]


def test_a_batch_line_without_any_model_is_an_error_of_its_own() -> None:
    """Its neighbours may name theirs."""
    with pytest.raises(RowError, match=r"`body\.model` is not the name of a model"):
        _render({"custom_id": "a", "body": {"messages": [USER]}}, _job(model=None))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"prompt": "a\ud800"}, "the request is no valid JSON: "),
        ({"messages": [{"role": "user", "content": "a\ud800"}]}, "the request is no valid JSON: "),
        ({"messages": '[{"role": "a\ud800"}]'}, "`messages` is not JSON text: "),
    ],
)
def test_text_that_is_no_unicode_is_an_error_of_its_row(
    columns: dict[str, object], said: str
) -> None:
    message = _refused(columns)
    assert message.startswith(said)
    assert message.endswith("surrogates not allowed")


def test_an_id_that_is_no_unicode_is_an_error_of_its_row() -> None:
    with pytest.raises(RowError, match="surrogates"):
        Renderer(_job())(Prompt(0, "\ud800", {"prompt": "hi"}, SOURCE))


# Messages


def test_messages_are_taken_as_they_are_also_as_json_text() -> None:
    messages = [
        {"role": "system", "content": "brief"},
        {"role": "user", "content": "天气?"},
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "晴"},
    ]
    assert _messages({"messages": messages}) == messages
    assert _messages({"messages": json.dumps(messages)}) == messages


def test_nulls_that_arrow_puts_into_structs_are_left_out() -> None:
    part = {"type": "text", "text": "hi", "image_url": None}
    columns = {
        "messages": [
            {"role": "user", "content": (part,), "name": None, "tool_calls": None},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "index": None}]},
        ]
    }
    assert _messages(columns) == [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "tool_calls": [{"id": "c"}]},
    ]


def test_parts_with_images_are_kept() -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}},
    ]
    assert _messages({"messages": [{"role": "user", "content": parts}]})[0]["content"] == parts


def test_the_job_s_system_template_stands_before_the_row_s_messages() -> None:
    job = _templated(None, system="{{ tone }}")
    assert _messages({"messages": [USER], "tone": "brief", "system": "unused"}, job) == [
        {"role": "system", "content": "brief"},
        USER,
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("hello", "`messages` is not JSON text: "),
        ('[{"role": "user", "content": NaN}]', "`messages` is not JSON text: "),
        ("[" * 100_000, "`messages` is not JSON text: "),
        ("{}", "`messages` is not a list of messages"),
        ('"text"', "`messages` is not a list of messages"),
        (b"bytes", "`messages` is not a list of messages"),
        (3, "`messages` is not a list of messages"),
        ([], "`messages` is not a list of messages"),
        (["hi"], "`messages[0]` is not an object"),
        ([USER, None], "`messages[1]` is not an object"),
        ([{"content": "hi"}], "`messages[0].role` is None, not one of assistant, "),
        ([{"role": "boss", "content": "hi"}], "`messages[0].role` is 'boss', not one of "),
        ([{"role": ["user"], "content": "hi"}], "`messages[0].role` is ['user'], not one of "),
        ([{"role": "user"}], "`messages[0].content` is missing"),
        ([{"role": "tool", "content": None}], "`messages[0].content` is missing"),
        ([{"role": "user", "content": 3}], "`messages[0].content` is neither text nor parts"),
        ([{"role": "user", "content": {}}], "`messages[0].content` is neither text nor parts"),
        ([{"role": "user", "content": []}], "has a part without a type"),
        ([{"role": "user", "content": ["hi"]}], "has a part without a type"),
        ([{"role": "user", "content": [{"type": None}]}], "has a part without a type"),
        ([{"role": "user", "content": b"hi"}], "`messages[0].content` is of type bytes"),
        ([{**USER, "at": date(2026, 1, 1)}], "`messages[0].at` is of type date, which is no JSON"),
        ([{**USER, "x": {"y": [float("nan")]}}], "`messages[0].x.y` is nan, which is no JSON"),
        ([{"role": "system", "content": "x"}], "`messages` has no user message"),
        ([{"role": "assistant", "content": "x"}], "`messages` has no user message"),
    ],
)
def test_messages_of_a_wrong_shape_are_refused_with_their_place(value: object, said: str) -> None:
    assert said in _refused({"messages": value})


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_role_is_taken(role: str) -> None:
    assert _messages({"messages": [USER, {"role": role, "content": "x"}]})[1]["role"] == role


def test_what_is_nested_too_deeply_is_an_error_of_its_row() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert "recursion" in _refused({"messages": [{**USER, "x": deep}]})
    # A list of this depth is freed by recursion too.
    while deep:
        deep = deep[0]


# Batch lines


def _allowing(*models: str, job: JobSpec) -> JobSpec:
    provider = msgspec.structs.replace(job.provider, allowed_models=models)
    return msgspec.structs.replace(job, provider=provider)


def _batch(**own: object) -> dict[str, object]:
    return {
        "custom_id": "request-1",
        "method": "POST",
        "url": "/v4/chat/completions",
        "body": {"model": "glm-4-flash", "messages": [USER], **own},
    }


def test_the_body_of_a_batch_line_wins_over_model_and_parameters_of_the_job() -> None:
    line = _batch(model="glm-4-plus", temperature=0.9, user_id="u-123456")
    job = _job(temperature=0.1, top_p=0.5)
    assert _render(line, _allowing("glm-4-plus", job=job)).body == {
        "model": "glm-4-plus",
        "messages": [USER],
        "temperature": 0.9,
        "top_p": 0.5,
        "user_id": "u-123456",
    }


@pytest.mark.parametrize(
    ("model", "allowed"),
    [
        (None, ()),
        (None, ("glm-5",)),
        ("glm-5", ()),
        ("glm-4-flash", ("glm-4", "glm-5")),
        ("glm-4-flash", ("*",)),
    ],
)
def test_a_batch_line_may_name_the_model_of_the_job_and_those_it_allows(
    model: str | None, allowed: tuple[str, ...]
) -> None:
    job = _allowing(*allowed, job=_job(model=model))
    assert _render(_batch(model="glm-5"), job).body["model"] == "glm-5"


@pytest.mark.parametrize(
    ("model", "allowed"), [("glm-4", ()), (None, ("glm-4",)), ("glm-4-flash", ("glm-4",))]
)
def test_a_batch_line_that_names_another_model_is_told_both_ways_out(
    model: str | None, allowed: tuple[str, ...]
) -> None:
    """A model in the data must not spend what the job did not mean to."""
    message = _refused(_batch(model="glm-5"), _allowing(*allowed, job=_job(model=model)))
    assert "`body.model` is 'glm-5'" in message
    assert "[provider] allowed_models" in message
    assert "name no model in the job" in message


def test_a_batch_line_takes_from_the_job_what_it_leaves_open_or_null() -> None:
    line = {"custom_id": "r", "body": {"messages": [USER], "model": None, "temperature": None}}
    assert _render(line, _job(temperature=0.1)).body == {
        "model": "glm-4-flash",
        "messages": [USER],
        "temperature": 0.1,
    }


def test_the_body_of_a_batch_line_may_be_json_text() -> None:
    line = _batch(temperature=0.9)
    assert _render({**line, "body": json.dumps(line["body"])}).key == _render(line).key


def test_with_a_template_a_batch_line_is_a_row_like_any_other() -> None:
    assert _printed("{{ custom_id }}", **_batch()) == "request-1"


@pytest.mark.parametrize("url", [None, *sorted(BATCH_URLS)])
def test_the_url_of_a_batch_line_is_one_of_the_known_names(url: str | None) -> None:
    assert "url" not in _render({**_batch(), "url": url}).body


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/",
        "https://open.bigmodel.cn/v4/chat/completions",
        "//evil/v4/chat/completions",
        "/v4/chat/completions/../../files",
        "/v4/embeddings",
        "",
        3,
        ["/v4/chat/completions"],
        {},
    ],
)
def test_any_other_url_is_refused_and_shown(url: object) -> None:
    message = _refused({**_batch(), "url": url})
    assert message.startswith("`url` is ")
    assert len(message) < 200


def test_a_long_url_is_not_shown_whole() -> None:
    assert len(_refused({**_batch(), "url": "/" * 10_000})) < 200


@pytest.mark.parametrize("method", ["GET", "post", 3, ["POST"]])
def test_a_batch_line_is_posted(method: object) -> None:
    assert _refused({**_batch(), "method": method}) == f"`method` is {method!r}, not POST"
    assert _render({**_batch(), "method": None}).body["model"] == "glm-4-flash"


@pytest.mark.parametrize(
    "own",
    [
        {"n": 1},
        {"stream": False},
        {"n": None},
        {"stream_options": None},
        {"request_id": "r-123456"},
    ],
)
def test_what_the_run_decides_may_stand_in_a_batch_line_that_agrees_and_is_not_sent(
    own: dict[str, object],
) -> None:
    assert _render(_batch(**own)).body == _render(_batch()).body


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"n": 2}, "`body.n`: one answer a call is kept"),
        ({"n": "1"}, "`body.n`: "),
        ({"stream": True}, "`body.stream`: use --stream"),
        ({"stream": 1}, "`body.stream`: "),
        ({"stream_options": {"include_usage": True}}, "`body.stream_options`: "),
    ],
)
def test_a_batch_line_that_contradicts_the_run_is_refused(
    own: dict[str, object], said: str
) -> None:
    assert said in _refused(_batch(**own))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (None, "`body` is not an object"),
        ([], "`body` is not an object"),
        ("[]", "`body` is not an object"),
        ("{", "`body` is not JSON text"),
        ({}, "`body.messages` is not a list of messages"),
        ({"messages": "[]"}, "`body.messages` is not a list of messages"),
        ({"messages": [USER], "model": 3}, "`body.model` is not the name of a model"),
        ({"messages": [USER], "top_p": float("nan")}, "`body.top_p` is nan, which is no JSON"),
        ({"messages": [USER], "top_p": float("-inf")}, "`body.top_p` is -inf, which is no JSON"),
        ({"messages": [USER], "top_p": Decimal("0.5")}, "`body.top_p` is of type Decimal"),
        (
            {"messages": [USER], "at": datetime(2026, 1, 1, tzinfo=UTC)},
            "`body.at` is of type datetime",
        ),
        ({"messages": [USER], "x": b""}, "`body.x` is of type bytes"),
    ],
)
def test_a_body_of_a_wrong_shape_is_refused(body: object, said: str) -> None:
    assert said in _refused({"custom_id": "r", "body": body})


def test_integers_of_any_size_are_kept() -> None:
    assert _render(_batch(seed=2**70)).body["seed"] == 2**70


def test_the_columns_and_the_job_are_never_changed() -> None:
    """The official SDKs change their caller's messages (protocol.md section 9)."""
    columns = {
        **_batch(tools=[{"type": "function", "x": None}]),
        "prompt": "hi",
        "messages": [USER],
    }
    job = _job(thinking={"type": "disabled"})
    before = copy.deepcopy((columns, job.parameters))
    body: Any = _render(columns, job).body
    _render({"messages": columns["messages"]}, job)
    assert (columns, job.parameters) == before
    body["tools"][0]["changed"] = body["messages"][0]["changed"] = True
    assert columns == before[0]


# Templates


def test_a_template_fills_in_columns_and_the_whole_row() -> None:
    assert _printed("{{ a }} {{ row['b c'] }}\n", a=1, **{"b c": "中"}) == "1 中\n"


def test_a_column_row_leaves_the_others_within_reach() -> None:
    """The results of a run, which have one, are the input of the next."""
    assert (
        _printed("{{ row }} {{ columns['out.label'] }}", row=7, **{"out.label": "pos"}) == "7 pos"
    )


def test_with_a_template_no_column_but_those_it_names_is_looked_at() -> None:
    assert _messages(
        {"system": 3, "messages": 3, "prompt": 3, "x": "hi"}, _templated("{{ x }}")
    ) == [USER]


@pytest.mark.parametrize("text", ["{{7*7}}", "{% for %}", "{# #}", "<b>&amp;</b>", "{{ x }}"])
def test_the_text_of_a_row_is_data_and_never_a_template(text: str) -> None:
    assert _printed("{{ x }}", x=text) == text


def test_a_missing_column_is_an_error_that_names_those_there_are() -> None:
    assert _unprinted("{{ review }}", text="a", stars=None) == (
        "'review' is undefined. The row's columns: stars (null), text"
    )
    assert "'dict object' has no attribute 'y'" in _unprinted("{{ x.y }}", x={})
    assert "'review' is undefined" in _unprinted("{{ review | tojson }}", text="a")


@pytest.mark.parametrize(
    "name", ["range", "dict", "loop", "super", "caller", "context", "namespace"]
)
def test_a_column_wins_over_a_name_of_jinja(name: str) -> None:
    assert _printed(f"{{{{ {name} }}}}", **{name: "mine"}) == "mine"


@pytest.mark.parametrize("name", ["self", "true", "items", "first name"])
def test_a_column_of_any_name_is_reached_through_the_row(name: str) -> None:
    assert _printed(f"{{{{ row['{name}'] }}}}", **{name: "mine"}) == "mine"


def test_a_column_named_row_hides_the_row() -> None:
    assert _printed("{{ row }}", row="mine", x=1) == "mine"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (3, "3"),
        (0.1, "0.1"),
        (True, "True"),
        (Decimal("1.50"), "1.50"),
        (date(2026, 8, 25), "2026-08-25"),
        (datetime(2026, 8, 25, 7, 41, tzinfo=UTC), "2026-08-25 07:41:00+00:00"),
        (timedelta(seconds=5), "0:00:05"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (["a", None], "['a', None]"),
        ({"a": 1}, "{'a': 1}"),
    ],
)
def test_data_of_any_type_is_printed(value: object, text: str) -> None:
    assert _printed("{{ x }}", x=value) == text


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ empty }}", "a printed value is null; write {{ name or '' }}"),
        ("{{ none }}", "a printed value is null"),
        ("{{ raw }}", "a printed value is bytes; write {{ name.decode() }}"),
        ("{{ row.items }}", "also reached as row['its name']"),
        ("{{ words | map('upper') }}", "of type generator, no data"),
        ("{{ self }}", "of type TemplateReference, no data"),
        ("{{ range }}", "of type function, no data"),
    ],
)
def test_what_is_no_data_is_not_printed_and_the_way_out_is_said(template: str, said: str) -> None:
    """A null printed as None, or an address in memory, would be paid for and found too late."""
    assert said in _unprinted(template, empty=None, raw=b"a", words=["a"])


def test_the_ways_out_work() -> None:
    template = "{{ empty or '-' }} {{ raw.decode() }} {{ words | map('upper') | join }}"
    assert _printed(template, empty=None, raw=b"a", words=["b"]) == "- a B"


def test_json_in_a_template_is_compact_and_readable() -> None:
    """Neither escaped for HTML nor Chinese by numbers, which a model would have to decode."""
    assert _printed("{{ row | tojson }}", x="中<&>'", y=[1, None]) == '{"x":"中<&>\'","y":[1,null]}'
    assert _printed("{{ x | tojson(2) }}", x={"a": 1}) == '{\n  "a": 1\n}'
    assert _printed("{{ x | tojson }}", x=Decimal("1.5")) == '"1.5"'
    assert "no data" in _unprinted("{{ range | tojson }}")


@pytest.mark.parametrize(
    "template",
    [
        "{{ x.__class__ }}",
        "{{ x.__class__.__mro__[1].__subclasses__() }}",
        "{{ x['__class__'] }}",
        "{{ x | attr('__class__') }}",
        "{{ row.update({'a': 1}) }}",
        "{{ words.append(1) }}",
        "{{ words.clear() }}",
        "{{ fmt.format(x) }}",
        "{% include 'secret' %}",
        "{% import 'os' as os %}",
        "{{ range(100000000) | list }}",
        "{{ 'x' * 1000000000000000 }}",
        "{{ 1 / 0 }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    ],
)
def test_what_leaves_the_sandbox_or_fails_is_an_error_of_its_row(template: str) -> None:
    words = ["a"]
    _unprinted(template, x="a", words=words, fmt="{0.__class__}")
    assert words == ["a"]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("a\n{{", "the template, line 2: unexpected 'end of template'"),
        ("{% nope %}", "the template, line 1: Encountered unknown tag 'nope'"),
        ("{{ x | nope }}", "the template, line 1: No filter named 'nope'"),
        ("{{ x | random }}", "No filter named 'random'"),
        ("{% for x in y %}" * 30 + "{% endfor %}" * 30, "cannot be compiled: too many"),
        ("{{" + "(" * 5000, "cannot be compiled: maximum recursion"),
    ],
)
def test_a_template_that_is_none_is_an_error_of_the_job(template: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Renderer(_templated(template))
    assert said in str(raised.value)


@pytest.mark.parametrize("template", ["", " \n"])
def test_an_empty_template_is_an_error_of_the_job_not_of_every_row(template: str) -> None:
    with pytest.raises(ConfigurationError, match="the template is empty"):
        Renderer(_templated(template))


def test_the_system_template_is_named_when_it_is_wrong() -> None:
    with pytest.raises(ConfigurationError, match="the system_template, line 1"):
        Renderer(_templated("{{ x }}", system="{{"))


@pytest.mark.parametrize("chance", ["{{ lipsum() }}", "{{ lipsum }}"])
def test_nothing_in_a_template_is_drawn_by_chance(chance: str) -> None:
    """The prompt, and with it the key, would be another on the next run."""
    assert "'lipsum' is undefined" in _unprinted(chance)


def test_a_template_that_renders_to_nothing_is_refused() -> None:
    assert _refused({"x": ""}, _templated("{{ x }} \n")) == "the prompt is empty"


@given(st.dictionaries(_text, _json, max_size=4))
def test_any_row_becomes_a_request_of_plain_json_or_a_row_error(columns: dict[str, Any]) -> None:
    for job in (_job(), _templated("{{ row | tojson }}")):
        try:
            request = _render(columns, job)
        except RowError:
            continue
        assert json.loads(json.dumps(request.body, allow_nan=False)) == request.body
        assert request.key == _render(columns, job).key


def test_the_first_sample_has_the_key_of_an_only_one_and_each_other_its_own() -> None:
    """So that more samples can be asked for later."""
    source = Source("prompts.jsonl", 1)
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    request = Request(7, "a", request_key("a", body), body, source, size=9, content="c")
    made = [sampled(request, sample, 3) for sample in range(3)]
    assert made[0] == request._replace(row=21)
    assert [(one.row, one.sample) for one in made] == [(21, 0), (22, 1), (23, 2)]
    assert len({one.key for one in made}) == len({one.content for one in made}) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", one.key) for one in made)

    assert made == [sampled(request, sample, 3) for sample in range(3)]
    assert all(one.body is body for one in made)


def test_the_samples_of_another_row_have_other_keys_and_the_same_content() -> None:
    """So that rows that ask the same can share each of their samples."""
    source = Source("prompts.jsonl", 1)
    rows = [
        Request(n, key, key * 16, {}, source, content="c") for n, key in enumerate(("aa", "bb"))
    ]
    first, second = ([sampled(row, sample, 3) for sample in range(3)] for row in rows)
    assert not {one.key for one in first} & {one.key for one in second}
    assert [one.content for one in first] == [one.content for one in second]


def test_a_sample_of_a_row_that_nobody_shares_has_no_content() -> None:
    request = Request(0, "a", "key", {}, Source("prompts.jsonl", 1))
    assert sampled(request, 1, 2).content is None


# Tools


def _tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def _tools_of(columns: Mapping[str, object], *, job_has: bool = True) -> object:
    job = JobSpec(
        provider=ProviderSpec(model="m"),
        parameters={"tools": [_tool("jobs")]} if job_has else {},
        prompt=PromptSpec(tools_column="tools"),
    )
    return _render({"prompt": "hi", **columns}, job).body.get("tools")


@pytest.mark.parametrize("job_has", [True, False])
def test_the_tools_of_a_row_take_the_place_of_the_jobs(*, job_has: bool) -> None:
    row = [_tool("rows")]
    assert _tools_of({"tools": row}, job_has=job_has) == row
    assert _tools_of({"tools": json.dumps(row)}, job_has=job_has) == row
    assert _tools_of({"tools": []}, job_has=job_has) is None


def test_a_row_without_tools_has_those_of_the_job() -> None:
    assert _tools_of({}) == [_tool("jobs")]
    assert _tools_of({"tools": None}) == [_tool("jobs")]


def test_the_nulls_that_arrow_adds_to_structs_are_no_part_of_a_tool() -> None:
    given = [{"type": "function", "function": {"name": "a", "parameters": None}}]
    assert _tools_of({"tools": given}) == [_tool("a")]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[", "`tools` is not JSON text"),
        ("{}", "`tools`: an object in place of a list"),
        ([{"type": "x"}], "`tools`: \\[0\\] has the type 'x'"),
    ],
)
def test_a_row_with_wrong_tools_is_an_error(value: object, message: str) -> None:
    with pytest.raises(RowError, match=message):
        _tools_of({"tools": value})


def test_a_column_that_nobody_named_holds_no_tools() -> None:
    assert "tools" not in _render({"prompt": "hi", "tools": "hammer"}).body


def _content(
    parameters: dict[str, Any],
    row_id: str = "a",
    text: str = "hi",
    **reuse: Any,  # noqa: ANN401 -- keys of a table
) -> str | None:
    job = JobSpec(provider=ProviderSpec(model="m"), parameters=parameters, reuse=ReuseSpec(**reuse))
    return Renderer(job)(Prompt(17, row_id, {"prompt": text}, SOURCE)).content


@pytest.mark.parametrize(
    ("parameters", "reuse", "shared"),
    [
        ({}, {}, False),
        ({"temperature": 0.01}, {}, False),
        ({"temperature": False}, {}, False),
        ({"do_sample": True}, {}, False),
        ({"temperature": 0}, {}, True),
        ({"temperature": 0.0}, {}, True),
        ({"temperature": 1, "do_sample": False}, {}, True),
        ({}, {"dedup": True}, True),
        ({}, {"cache": "answers.cache"}, True),
        ({"temperature": 0}, {"dedup": False}, False),
    ],
)
def test_a_request_is_known_by_its_content_where_one_answer_serves_all_that_ask_it(
    parameters: dict[str, Any],
    reuse: dict[str, Any],
    shared: bool,  # noqa: FBT001 -- a case
) -> None:
    assert (_content(parameters, **reuse) is not None) is shared


@given(_text, _json)
def test_the_content_is_a_hash_of_the_body_alone(row_id: str, value: object) -> None:
    job = JobSpec(provider=ProviderSpec(model="m"), parameters={"temperature": 0, "x": value})
    request = Renderer(job)(Prompt(17, row_id, {"prompt": "hi"}, SOURCE))
    assert request.content == request_content(request.body)


def test_a_batch_line_is_judged_by_its_own_parameters() -> None:
    render = Renderer(JobSpec(provider=ProviderSpec(model="m"), parameters={"temperature": 0}))
    body = {"messages": [USER], "temperature": 1}
    row = {"custom_id": "a", "body": body}
    assert render(Prompt(17, "a", row, SOURCE)).content is None
    row["body"] = {"messages": [USER]}
    assert render(Prompt(17, "a", row, SOURCE)).content is not None


def test_the_content_is_that_of_what_is_asked_whoever_asks() -> None:
    cold = {"temperature": 0}
    assert _content(cold) == _content(cold, "b")
    contents = {
        _content(cold),
        _content(cold, text="ho"),
        _content({**cold, "max_tokens": 5}),
    }
    assert len(contents) == 3


@given(_bodies)
def test_no_order_of_keys_makes_another_content(body: dict[str, Any]) -> None:
    content = request_content(body)
    assert content == request_content(dict(reversed(body.items())))
    assert len(content) == 32


def test_a_tools_column_that_is_not_there_is_an_error_unless_the_job_has_tools() -> None:
    """Else every call would go out, and be paid, without the tools that are meant."""
    prompt = Prompt(0, "a", {"prompt": "hi", "tools": []}, SOURCE)
    job = JobSpec(provider=ProviderSpec(model="m"), prompt=PromptSpec(tools_column="tols"))
    with pytest.raises(RowError, match="no tools in `tols`; columns: prompt, tools; did you mean"):
        Renderer(job)(prompt)


def test_an_undefined_name_is_told_with_the_column_that_it_may_mean() -> None:
    assert "did you mean `review`?" in _unprinted("{{ reviw }}", review="a")
    assert 'write columns["out.label"]' in _unprinted("{{ out.label }}", **{"out.label": "a"})
    assert "did you mean" not in _unprinted("{{ zzz }}", review="a")


@given(body=_bodies, row_id=_text, other=_text, sample=st.integers(0, 2))
def test_the_key_under_another_id_is_that_of_a_row_which_has_it(
    body: dict[str, Any], row_id: str, other: str, sample: int
) -> None:
    def of(name: str) -> Request:
        key = request_key(name, body)
        return sampled(Request(4, name, key, body, SOURCE), sample, 3)

    assert key_under(of(row_id), other) == of(other).key
