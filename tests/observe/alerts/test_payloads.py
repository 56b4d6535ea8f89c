"""The shapes of the platforms, held to what their documents ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import batcher
from batcher.job import Shape
from batcher.observe.alerts import Alert, Event, payload_of, signature_of
from batcher.observe.alerts.payloads import markdown_escaped, slack_escaped, wecom_neutral
from batcher.observe.alerts.signing import dingtalk_signature, feishu_signature
from batcher.observe.language import Lang
from tests.observe.alerts.conftest import NOON, alert_of
from tests.webhooks import SECRET

SHAPES: tuple[Shape, ...] = get_args(Shape)


def _payload(shape: Shape, alert: Alert, lang: Lang = "en") -> dict[str, Any]:
    """Return a payload as it arrives."""
    values: dict[str, Any] = json.loads(json.dumps(payload_of(shape, alert, lang)))
    return values


def _texts(values: object) -> Iterator[str]:
    match values:
        case str():
            yield values
        case dict():
            for value in values.values():
                yield from _texts(value)
        case list():
            for value in values:
                yield from _texts(value)
        case _:
            pass


# --- generic ---


def test_programs_get_every_figure_by_its_name() -> None:
    text = _payload("generic", alert_of(Event.FAILURE)).pop("text")
    assert text.splitlines()[:2] == ["batcher: reviews.batch stopped", "Rows: 150 of 200 (75.0%)"]
    values = _payload("generic", alert_of(Event.FAILURE))
    assert {name: value for name, value in values.items() if name != "text"} == {
        "event": "failure",
        "test": False,
        "simulated": False,
        "run": "reviews.batch",
        "host": "gpu-7",
        "time": "2023-11-15T12:00:00+00:00",
        "state": "stopped",
        "cause": "provider",
        "detail": "balance",
        "exit_code": 77,
        "lasted_s": None,
        "over": None,
        "rows": {"done": 150, "total": 200, "results": 140, "errors": 10},
        "error_classes": {"content_filtered": 7, "server_error": 2, "bad_request": 1},
        "cost": 2.0,
        "possible_cost": 0.5,
        "currency": "CNY",
        "rows_per_s": 12.5,
        "left_s": 4,
        "title": "batcher: reviews.batch stopped",
        "batcher": batcher.__version__,
    }


@pytest.mark.parametrize(
    ("event", "over", "lasted"),
    [
        (Event.COST, "2.00 CNY", None),
        (Event.ERROR_RATE, "5%", None),
        (Event.OUTAGE, None, 720.0),
        (Event.RECOVERED, None, 720.0),
    ],
)
def test_programs_get_what_was_passed(event: Event, over: object, lasted: object) -> None:
    values = _payload("generic", alert_of(event))
    assert (values["over"], values["lasted_s"], values["state"]) == (over, lasted, "running")


@pytest.mark.parametrize("event", [Event.OUTAGE, Event.RECOVERED])
def test_a_mean_speed_over_an_outage_would_be_false_and_is_null(event: Event) -> None:
    values = _payload("generic", alert_of(event))
    assert (values["rows_per_s"], values["left_s"]) == (None, None)


def test_every_key_for_programs_stands_in_the_documentation() -> None:
    docs = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text("utf-8")
    assert [
        key for key in _payload("generic", alert_of(Event.COST)) if f"`{key}`" not in docs
    ] == []


# --- Slack ---


def test_slack_gets_a_text_for_notifications_and_blocks(alert: Alert) -> None:
    """https://docs.slack.dev/reference/block-kit/blocks has the largest sizes."""
    values = _payload("slack", alert)
    assert values.keys() == {"text", "blocks"}
    header, fields, *rest = values["blocks"]
    assert (header["type"], header["text"]["type"]) == ("header", "plain_text")
    assert len(header["text"]["text"]) <= 150
    assert fields["type"] == "section"
    assert 1 <= len(fields["fields"]) <= 10
    assert all(len(field["text"]) <= 2000 for field in fields["fields"])
    assert {field["type"] for field in fields["fields"]} == {"mrkdwn"}
    assert [block["type"] for block in rest] in (["context"], ["section", "context"])
    assert rest[-1]["elements"][0]["type"] == "plain_text"
    assert all(text for text in _texts(values))


def test_slack_reads_no_markup_where_names_stand() -> None:
    named = replace(alert_of(Event.FINISH), run="<!channel> & *b*", host="<@U1>")
    values = _payload("slack", named)
    assert "&lt;!channel&gt; &amp; *b*" in values["text"]
    marked = [text["text"] for block in values["blocks"][1:2] for text in block["fields"]]
    assert not any("channel" in text or "@" in text for text in marked)
    assert slack_escaped("<&>") == "&lt;&amp;&gt;"


def test_a_title_that_is_too_long_for_slack_is_cut() -> None:
    named = replace(
        alert_of(Event.ERROR_RATE), run="x" * 300, simulated=True, test=True, over="5" * 100
    )
    title = _payload("slack", named)["blocks"][0]["text"]["text"]
    assert len(title) == 150
    assert title.endswith("…")


# --- Feishu ---


@pytest.mark.parametrize(
    ("event", "color"),
    [(Event.FINISH, "green"), (Event.FAILURE, "red"), (Event.COST, "orange")],
)
def test_feishu_gets_a_card(event: Event, color: str) -> None:
    values = _payload("feishu", alert_of(event))
    assert values.keys() == {"msg_type", "card"}
    assert values["msg_type"] == "interactive"
    card = values["card"]
    assert card["header"]["template"] == color
    assert card["header"]["title"]["tag"] == "plain_text"
    assert {element["tag"] for element in card["elements"]} <= {"div", "note"}
    assert card["elements"][0]["fields"][0]["text"] == {
        "tag": "lark_md",
        "content": "**Rows**\n150 of 200 (75.0%)",
    }


def test_feishu_reads_no_markup_where_names_stand() -> None:
    named = replace(alert_of(Event.FINISH), run="<at id=all></at>", host="**host**")
    card = _payload("feishu", named)["card"]
    fields = [field["text"]["content"] for field in card["elements"][0]["fields"]]
    assert not any("<at" in text or "host" in text for text in fields)
    assert card["header"]["title"]["tag"] == "plain_text"
    assert card["elements"][-1]["elements"][0]["tag"] == "plain_text"


# --- DingTalk and WeCom ---


def test_dingtalk_gets_markdown_with_a_plain_title(alert: Alert) -> None:
    values = _payload("dingtalk", alert)
    assert values.keys() == {"msgtype", "markdown"}
    assert (values["msgtype"], values["markdown"].keys()) == ("markdown", {"title", "text"})
    assert values["markdown"]["text"].startswith(
        f"#### {values['markdown']['title']}\n\n- **Rows**"
    )


def test_wecom_gets_markdown_that_is_not_too_long(alert: Alert) -> None:
    values = _payload("wecom", replace(alert, run="你" * 300, host="好" * 300), "zh")
    assert values.keys() == {"msgtype", "markdown"}
    assert (values["msgtype"], values["markdown"].keys()) == ("markdown", {"content"})
    assert len(values["markdown"]["content"].encode()) <= 4096


def test_of_a_message_that_is_too_long_for_wecom_the_end_is_left_out() -> None:
    long = replace(alert_of(Event.ERROR_RATE), over="%" * 3800)
    content = _payload("wecom", long)["markdown"]["content"]
    assert len(content.encode()) <= 4096
    assert "Rows" in content
    assert "gpu-7" not in content


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("reviews_2024.batch", "reviews_2024.batch"),
        ("_all_", r"\_all\_"),
        ("[a](https://b)", r"\[a\](https://b)"),
        ("*a* `b` ~~c~~", r"\*a\* \`b\` \~\~c\~\~"),
        ("<@all>", "＜@all＞"),
        ('<font color="info">', '＜font color="info"＞'),
        ("\\", "\\\\"),
    ],
)
def test_names_are_no_markdown_of_dingtalk(name: str, escaped: str) -> None:
    assert markdown_escaped(name) == escaped


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("run[1]_v2.batch", "run［1］_v2.batch"),
        ("[a](https://b)", "［a］(https://b)"),
        ("**a** `b`", "＊＊a＊＊ ｀b｀"),
        ("<@all>", "＜@all＞"),
        ("&lt;@all&gt;", "＆lt;@all＆gt;"),
        ("a\\b", "a\\b"),
    ],
)
def test_names_are_no_markup_of_wecom_and_no_backslash_is_added(name: str, shown: str) -> None:
    assert wecom_neutral(name) == shown
    content = _payload("wecom", replace(alert_of(Event.FINISH), run=name))["markdown"]["content"]
    assert f"batcher: {shown} is done" in content


@given(run=st.text(), host=st.text())
def test_no_name_mentions_or_links_anybody(run: str, host: str) -> None:
    named = replace(alert_of(Event.FINISH), run=run, host=host)
    plain = alert_of(Event.FINISH)
    for shape in ("dingtalk", "wecom"):
        (text,) = [
            text
            for name, text in _payload(shape, named)["markdown"].items()
            if name in ("text", "content")
        ]
        (own,) = [
            text
            for name, text in _payload(shape, plain)["markdown"].items()
            if name in ("text", "content")
        ]
        assert text.count("<") == own.count("<")
        assert text.count("\n") == own.count("\n")
        assert len(re.findall(r"(?<!\\)(?:\\\\)*[\[`]", text)) == len(re.findall(r"[\[`]", own))


# --- all ---


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_each_shape_tells_all_of_each_event_in_each_language(
    shape: Shape, lang: Lang, alert: Alert
) -> None:
    text = "\n".join(_texts(_payload(shape, replace(alert, simulated=True), lang)))
    mark = "SIMULATED" if lang == "en" else "模拟"
    for part in ("reviews.batch", "gpu-7", "150", "content_filtered", "2.00 CNY", mark):
        assert part in text


@pytest.mark.parametrize("shape", SHAPES)
def test_only_bots_of_feishu_and_dingtalk_are_signed_for(shape: Shape) -> None:
    secret = SECRET if shape in ("feishu", "dingtalk") else None
    body, query = signature_of(shape, secret, NOON)
    match shape:
        case "feishu":
            sign = feishu_signature(1_700_049_600, SECRET)
            assert (body, query) == ({"timestamp": "1700049600", "sign": sign}, {})
        case "dingtalk":
            sign = dingtalk_signature(1_700_049_600_000, SECRET)
            assert (body, query) == ({}, {"timestamp": "1700049600000", "sign": sign})
        case _:
            assert (body, query) == ({}, {})


def test_without_a_secret_nothing_is_signed() -> None:
    assert signature_of("feishu", None, NOON) == ({}, {})
    assert signature_of("dingtalk", None, NOON) == ({}, {})
