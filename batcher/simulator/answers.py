"""What the simulator answers: plausible, short, and always the same for the same prompt.

No model is behind it. Prompts that name labels of both kinds get one of them, prompts with a JSON
Schema an object of it, those that want other JSON an object with the keys they quote, and all
others a few sentences in their own language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import msgspec

from batcher.providers.tokens import count_tokens, is_chinese
from batcher.simulator.breakage import broken, untidy
from batcher.simulator.chances import Chances
from batcher.simulator.instances import make_instance, to_json
from batcher.simulator.phrases import LABEL, THOUGHTS, named_label, sentences
from batcher.simulator.tokens import cut_to_tokens
from batcher.simulator.validate import Asked

_KEY = re.compile(r"[\"“'`]([A-Za-z_\u4e00-\u9fff][\w-]{0,31})[\"”'`]\s*([:：])?")
_TOOL_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a function: its name, and its arguments as JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a choice says, and what it costs; `is_json` where its text is whole JSON."""

    text: str
    reasoning: str
    tool_call: ToolCall | None
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    is_json: bool = False

    @property
    def tokens(self) -> int:
        """All tokens, those of the prompt included."""
        return self.prompt_tokens + self.completion_tokens


def compose(asked: Asked, chances: Chances) -> Answer:
    """Answer a request; `chances` are its row's own."""
    chinese = is_chinese(asked.subject or asked.instructions)
    tool_call = None
    if asked.functions and chances.tool < _TOOL_SHARE:
        pick = asked.functions[int(chances.wording * len(asked.functions))]
        arguments = make_instance(pick.get("parameters") or {}, asked.subject, chances)
        tool_call = ToolCall(str(pick["name"]), to_json(arguments))
    text = "" if tool_call else _text(asked, chances, chinese=chinese)
    reasoning = THOUGHTS[chinese] if asked.thinks else ""
    reasoning_tokens = count_tokens(reasoning)
    said = count_tokens(tool_call.arguments if tool_call else text)
    answer = Answer(
        text=text,
        reasoning=reasoning,
        tool_call=tool_call,
        finish_reason="tool_calls" if tool_call else "stop",
        prompt_tokens=asked.prompt_tokens,
        completion_tokens=reasoning_tokens + said,
        reasoning_tokens=reasoning_tokens,
        is_json=tool_call is None and _wants_json(asked),
    )
    return cut(answer, asked.max_tokens) if answer.completion_tokens > asked.max_tokens else answer


def cut(answer: Answer, tokens: int) -> Answer:
    """Stop an answer after some tokens; reasoning uses them first (section 1, `max_tokens`)."""
    reasoning = cut_to_tokens(answer.reasoning, tokens)
    reasoning_tokens = min(tokens, answer.reasoning_tokens)
    return replace(
        answer,
        text=cut_to_tokens(answer.text, tokens - reasoning_tokens),
        reasoning=reasoning,
        tool_call=None,
        finish_reason="length",
        completion_tokens=tokens,
        reasoning_tokens=reasoning_tokens,
        is_json=False,
    )


def spoil(answer: Answer, fault: str) -> Answer:
    """Give an answer the fault it was drawn (the finish reasons of section 2)."""
    match fault:
        case "length":
            return cut(answer, max(answer.completion_tokens // 2, 1))
        case "sensitive" | "network_error":
            return replace(
                answer,
                text="",
                reasoning="",
                tool_call=None,
                finish_reason=fault,
                completion_tokens=0,
                reasoning_tokens=0,
            )
        case "empty":
            return replace(
                answer,
                text="",
                tool_call=None,
                finish_reason="stop",
                completion_tokens=0,
                reasoning_tokens=0,
            )
        case _:
            return answer


def spoil_json(answer: Answer, fault: str, asked: Asked, chances: Chances) -> Answer:
    """Give an answer of JSON the fault it was drawn, of `JSON_FAULTS`; other answers stay whole."""
    if not answer.is_json:
        return answer
    if fault == "broken_json":
        text = broken(msgspec.json.decode(answer.text), asked.schema, chances.wording)
    else:
        text = untidy(answer.text, chances.wording)
    tokens = answer.reasoning_tokens + count_tokens(text)
    spoiled = replace(answer, text=text, completion_tokens=tokens, is_json=False)
    return cut(spoiled, asked.max_tokens) if tokens > asked.max_tokens else spoiled


def _wants_json(asked: Asked) -> bool:
    return asked.schema is not None or asked.wants_json or "json" in asked.instructions.lower()


def _text(asked: Asked, chances: Chances, *, chinese: bool) -> str:
    if asked.schema is not None:
        return to_json(make_instance(asked.schema, asked.subject, chances))
    label = named_label(asked.instructions, asked.subject, chances.wording)
    if _wants_json(asked):
        return _object(asked, chances, label, chinese=chinese)
    return label or sentences(asked.subject, chances, chinese=chinese)


def _object(asked: Asked, chances: Chances, label: str | None, *, chinese: bool) -> str:
    """Make a JSON object of the keys a prompt quotes: those before a colon, else all."""
    found = _KEY.findall(asked.instructions)
    keys = [key for key, colon in found if colon] or [key for key, _ in found]
    keys = [key for key in dict.fromkeys(keys) if not LABEL.fullmatch(key)][:12] or ["answer"]
    answer = {key: _value(key, asked, chances, label, chinese=chinese) for key in keys}
    return to_json(answer)


def _value(key: str, asked: Asked, chances: Chances, label: str | None, *, chinese: bool) -> object:
    name = key.lower()
    if any(part in name for part in ("label", "sentiment", "情感", "标签", "类别", "category")):
        return label or ("其他" if chinese else "other")
    if any(part in name for part in ("score", "confidence", "probability", "分", "置信")):
        return round(0.5 + chances.score / 2, 2)
    if any(part in name for part in ("count", "number", "age", "year", "数", "年")):
        return 1 + int(chances.score * 99)
    if any(part in name for part in ("list", "tags", "keywords", "items", "关键词", "列表")):
        return ["质量", "服务"] if chinese else ["quality", "service"]
    if name.startswith(("is_", "has_", "是否")):
        return chances.score < 0.5  # noqa: PLR2004 -- an even chance
    return sentences(asked.subject, chances, chinese=chinese)
