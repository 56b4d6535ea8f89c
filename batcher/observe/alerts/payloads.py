"""Alerts in the shape that each platform wants, exactly by its document; pure.

Names that are not ours (a run's directory, a machine) must not become markup: a mention of
everybody, a link. Where a platform has plain text beside its markup, they stand there; elsewhere
what could be markup is escaped, or replaced by its full-width likeness.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import batcher
from batcher.job import Shape
from batcher.money import NANOS, Money
from batcher.observe.alerts.alert import Alert
from batcher.observe.alerts.message import Message, Tone, message_of
from batcher.observe.alerts.signing import dingtalk_signature, feishu_signature
from batcher.observe.language import Lang

Payload = dict[str, object]

# https://docs.slack.dev/reference/block-kit/blocks/header-block
_SLACK_TITLE = 150
# https://developer.work.weixin.qq.com/document/path/91770: "markdown", in bytes of UTF-8.
_WECOM_BYTES = 4096


def payload_of(shape: Shape, alert: Alert, lang: Lang) -> Payload:
    """Return what is sent of an alert, before it is signed."""
    message = message_of(alert, lang)
    match shape:
        case "generic":
            return _generic(alert, message)
        case "slack":
            return _slack(message)
        case "feishu":
            return _feishu(message)
        case "dingtalk":
            return _dingtalk(message.title, message_of(alert, lang, markdown_escaped))
        case "wecom":
            return _wecom(message_of(alert, lang, wecom_neutral))


def signature_of(
    shape: Shape, secret: str | None, now: float
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return what a signed bot wants beside: in the body, and in the query. `now` is Unix time."""
    if secret is None:
        return {}, {}
    if shape == "feishu":
        second = int(now)
        return {"timestamp": str(second), "sign": feishu_signature(second, secret)}, {}
    millisecond = int(now * 1000)
    return {}, {"timestamp": str(millisecond), "sign": dingtalk_signature(millisecond, secret)}


def _generic(alert: Alert, message: Message) -> Payload:
    """For programs; docs/alerts.md lists every key. `text` is for people."""
    figures = alert.figures
    over = alert.over
    return {
        "event": alert.event.value,
        "test": alert.test,
        "simulated": alert.simulated,
        "run": alert.run,
        "host": alert.host,
        "time": datetime.fromtimestamp(alert.at, UTC).isoformat(timespec="seconds"),
        "state": alert.state,
        "cause": alert.why.cause.value if alert.why else None,
        "detail": alert.why.detail or None if alert.why else None,
        "exit_code": alert.why.exit_code if alert.why else None,
        "lasted_s": None if alert.lasted is None else round(alert.lasted, 1),
        "over": str(over) if isinstance(over, Money) else over,
        "rows": {
            "done": figures.done,
            "total": figures.total,
            "results": figures.results,
            "errors": figures.error_rows,
        },
        "error_classes": {name.value: rows for name, rows in figures.errors.items() if rows},
        "cost": None if figures.currency is None else figures.cost / NANOS,
        "possible_cost": None if figures.currency is None else figures.possible_cost / NANOS,
        "currency": figures.currency,
        "rows_per_s": None if figures.rows_per_s is None else round(figures.rows_per_s, 3),
        "left_s": None if figures.left_s is None else round(figures.left_s),
        "title": message.title,
        "text": message.text(),
        "batcher": batcher.__version__,
    }


def _slack(message: Message) -> Payload:
    """https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.

    `text` is what notifications show, and read as mrkdwn.
    """
    fields = [
        {"type": "mrkdwn", "text": f"*{slack_escaped(label)}*\n{slack_escaped(figure)}"}
        for label, figure in message.fields
    ]
    blocks: list[Payload] = [
        {"type": "header", "text": _slack_plain(_cut(message.title, _SLACK_TITLE))},
        {"type": "section", "fields": fields},
    ]
    if message.lines:
        blocks.append({"type": "section", "text": _slack_plain("\n".join(message.lines))})
    blocks.append({"type": "context", "elements": [_slack_plain(message.footer)]})
    return {"text": slack_escaped(message.title), "blocks": blocks}


def _slack_plain(text: str) -> Payload:
    return {"type": "plain_text", "text": text, "emoji": False}


def slack_escaped(text: str) -> str:
    """Escape the three characters of https://docs.slack.dev/messaging/formatting-message-text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_FEISHU_COLORS = {Tone.GOOD: "green", Tone.BAD: "red", Tone.WARNING: "orange"}


def _feishu(message: Message) -> Payload:
    """https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot: an interactive card.

    Lark's bots take the same.
    """
    fields = [
        {"is_short": True, "text": {"tag": "lark_md", "content": f"**{label}**\n{figure}"}}
        for label, figure in message.fields
    ]
    elements: list[Payload] = [{"tag": "div", "fields": fields}]
    if message.lines:
        elements.append({"tag": "div", "text": _feishu_plain("\n".join(message.lines))})
    elements.append({"tag": "note", "elements": [_feishu_plain(message.footer)]})
    card = {
        "config": {"wide_screen_mode": True},
        "header": {
            "title": _feishu_plain(message.title),
            "template": _FEISHU_COLORS[message.tone],
        },
        "elements": elements,
    }
    return {"msg_type": "interactive", "card": card}


def _feishu_plain(text: str) -> Payload:
    return {"tag": "plain_text", "content": text}


def _dingtalk(title: str, message: Message) -> Payload:
    """https://open.dingtalk.com/document/robots/custom-robot-access: markdown.

    `title` is what notifications show, as plain text.
    """
    return {
        "msgtype": "markdown",
        "markdown": {"title": title, "text": "\n\n".join(_dingtalk_parts(message))},
    }


def _dingtalk_parts(message: Message) -> Iterator[str]:
    yield f"#### {message.title}"
    yield "\n".join(f"- **{label}**{message.colon}{figure}" for label, figure in message.fields)
    yield from message.lines
    yield f"> {message.footer}"


_WECOM_COLORS = {Tone.GOOD: "info", Tone.BAD: "warning", Tone.WARNING: "warning"}


def _wecom(message: Message) -> Payload:
    """https://developer.work.weixin.qq.com/document/path/91770: markdown."""
    lines = [
        f'<font color="{_WECOM_COLORS[message.tone]}">{message.title}</font>',
        *(f"> {label}{message.colon}{figure}" for label, figure in message.fields),
        *message.lines,
        f'<font color="comment">{message.footer}</font>',
    ]
    while len("\n".join(lines).encode()) > _WECOM_BYTES:
        lines.pop()
    return {"msgtype": "markdown", "markdown": {"content": "\n".join(lines)}}


_MARKUP = re.compile(r"[\\`*\[\]~]|(?<![^\W_])_|_(?![^\W_])")
# Backslashes keep it not from reading <@all>, which mentions everybody.
_TAGS = str.maketrans({"<": "＜", ">": "＞"})


def markdown_escaped(text: str) -> str:
    """Escape what DingTalk reads as markdown in a name; a _ inside of a word is none."""
    return _MARKUP.sub(r"\\\g<0>", text.translate(_TAGS))


# WeCom's document names links, bold, code, font, quotes and <@userid>, and nothing that escapes
# them: a backslash would be shown. Entities are in no document, so that they may be read as well.
_WECOM_MARKUP = str.maketrans("[]*`<>&", "［］＊｀＜＞＆")


def wecom_neutral(text: str) -> str:
    """Replace what WeCom reads as markup in a name."""
    return text.translate(_WECOM_MARKUP)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
