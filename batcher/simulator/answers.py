"""What the simulator answers: plausible, short, and always the same for the same prompt.

No model is behind it. Prompts that name labels of both kinds get one of them, prompts that want
JSON an object with the keys they quote, all others a few sentences in their own language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from batcher.providers.tokens import count_tokens, is_chinese
from batcher.simulator.chances import Chances
from batcher.simulator.tokens import cut_to_tokens
from batcher.simulator.validate import Asked

_LABEL = re.compile(
    "正面|积极|好评|负面|消极|差评|中性|中立|positive|negative|neutral", re.IGNORECASE
)
_GOOD_LABELS = frozenset({"正面", "积极", "好评", "positive"})
_BAD_LABELS = frozenset({"负面", "消极", "差评", "negative"})
_GOOD = re.compile(
    "好|棒|满意|喜欢|推荐|快|赞|值|good|great|love|excellent|perfect|nice", re.IGNORECASE
)
_BAD = re.compile(
    "差|坏|慢|失望|退|破|垃圾|贵|bad|poor|slow|broken|terrible|refund|hate", re.IGNORECASE
)
_KEY = re.compile(r"[\"“'`]([A-Za-z_\u4e00-\u9fff][\w-]{0,31})[\"”'`]\s*([:：])?")
_TOOL_SHARE = 0.5
_DEEPEST = 8

_OPENINGS = {
    True: (
        "关于“{}”，主要有以下几点。",
        "针对“{}”，简要回答如下。",
        "“{}”可以这样理解。",
        "就“{}”而言，结论比较明确。",
    ),
    False: (
        'On "{}", three points matter. ',
        'In short, about "{}": ',
        'Regarding "{}", the answer is fairly clear. ',
        'Here is a brief reply to "{}". ',
    ),
}
_BODIES = {
    True: (
        "首先要明确目标，其次选择合适的方法，最后用数据检验结果。",
        "它的优点是简单可靠，缺点是需要一定的前期投入。",
        "建议先从小范围试行，确认效果之后再逐步推广，并且定期复查。",
        "一般来说，质量、成本和时间三者需要权衡，应根据实际情况取舍。",
    ),
    False: (
        "First settle the goal, then choose the method, and check the result against data.",
        "It is simple and reliable, at the price of some preparation.",
        "Start small, confirm that it works, and only then widen the scope.",
        "Quality, cost and time have to be weighed against each other case by case.",
    ),
}
_THOUGHTS = {
    True: "用户希望得到一个简短的回答。先看清问题，再组织语言。",
    False: "The user wants a short reply. Read the question first, then put it in words.",
}
_SUBJECT_LENGTH = {True: 16, False: 40}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a function: its name, and its arguments as JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a choice says, and what it costs."""

    text: str
    reasoning: str
    tool_call: ToolCall | None
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int

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
        tool_call = ToolCall(str(pick["name"]), _arguments(pick.get("parameters"), asked.subject))
    text = "" if tool_call else _text(asked, chances, chinese=chinese)
    reasoning = _THOUGHTS[chinese] if asked.thinks else ""
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


def _text(asked: Asked, chances: Chances, *, chinese: bool) -> str:
    wants_json = asked.wants_json or "json" in asked.instructions.lower()
    label = _label(asked, chances)
    if wants_json:
        return _object(asked, chances, label, chinese=chinese)
    return label or _sentences(asked.subject, chances, chinese=chinese)


def _label(asked: Asked, chances: Chances) -> str | None:
    """Choose among the labels a prompt names, if it names both a good and a bad one."""
    labels: list[str] = list(dict.fromkeys(_LABEL.findall(asked.instructions)))
    good = [label for label in labels if label.lower() in _GOOD_LABELS]
    bad = [label for label in labels if label.lower() in _BAD_LABELS]
    if not good or not bad:
        return None
    review = _LABEL.sub("", asked.subject)
    leaning = len(_GOOD.findall(review)) - len(_BAD.findall(review))
    if leaning:
        return good[0] if leaning > 0 else bad[0]
    return labels[int(chances.wording * len(labels))]


def _sentences(subject: str, chances: Chances, *, chinese: bool) -> str:
    openings, bodies = _OPENINGS[chinese], _BODIES[chinese]
    opening = openings[int(chances.opening * len(openings))]
    topic = " ".join(subject.split())[: _SUBJECT_LENGTH[chinese]]
    start = int(chances.wording * len(bodies))
    length = 1 + int(chances.score * 3)
    chosen = [bodies[(start + step) % len(bodies)] for step in range(length)]
    return opening.format(topic) + ("" if chinese else " ").join(chosen)


def _object(asked: Asked, chances: Chances, label: str | None, *, chinese: bool) -> str:
    """Make a JSON object of the keys a prompt quotes: those before a colon, else all."""
    found = _KEY.findall(asked.instructions)
    keys = [key for key, colon in found if colon] or [key for key, _ in found]
    keys = [key for key in dict.fromkeys(keys) if not _LABEL.fullmatch(key)][:12] or ["answer"]
    answer = {key: _value(key, asked, chances, label, chinese=chinese) for key in keys}
    return msgspec.json.encode(answer).decode()


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
    return _sentences(asked.subject, chances, chinese=chinese)


def _arguments(schema: object, subject: str) -> str:
    """Make valid arguments of a function's JSON schema."""
    return msgspec.json.encode(_instance(schema, subject, depth=0)).decode()


def _instance(schema: object, subject: str, depth: int) -> object:
    if not isinstance(schema, Mapping):
        return {} if depth == 0 else None
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    match schema.get("type", "object"):
        case "array":
            return [_instance(schema.get("items", {"type": "string"}), subject, depth + 1)]
        case "object":
            properties = schema.get("properties")
            if not isinstance(properties, Mapping) or depth == _DEEPEST:
                return {}
            return {
                name: _instance(value, subject, depth + 1) for name, value in properties.items()
            }
        case kind:
            return _scalar(kind, schema, subject)


def _scalar(kind: object, schema: Mapping[str, object], subject: str) -> object:
    match kind:
        case "string":
            return subject[:20]
        case "integer":
            return schema.get("minimum", 1)
        case "number":
            return schema.get("minimum", 1.5)
        case "boolean":
            return True
        case _:
            return None
