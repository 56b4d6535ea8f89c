"""What the simulator has to say: labels by the words of a review, and sentences on a subject."""

from __future__ import annotations

import re
from collections.abc import Sequence

from batcher.simulator.chances import Chances

LABEL = re.compile(
    "正面|积极|好评|负面|消极|差评|中性|中立|positive|negative|neutral", re.IGNORECASE
)
_GOOD_LABELS = frozenset({"正面", "积极", "好评", "正", "positive", "pos", "good"})
_BAD_LABELS = frozenset({"负面", "消极", "差评", "负", "negative", "neg", "bad"})
_GOOD = re.compile(
    "好|棒|满意|喜欢|推荐|快|赞|值|good|great|love|excellent|perfect|nice", re.IGNORECASE
)
_BAD = re.compile(
    "差|坏|慢|失望|退|破|垃圾|贵|bad|poor|slow|broken|terrible|refund|hate", re.IGNORECASE
)

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
THOUGHTS = {
    True: "用户希望得到一个简短的回答。先看清问题，再组织语言。",
    False: "The user wants a short reply. Read the question first, then put it in words.",
}
_SUBJECT_LENGTH = {True: 16, False: 40}


def named_label(instructions: str, subject: str, chance: float) -> str | None:
    """Choose among the labels that instructions name, if both a good and a bad one is there."""
    return chosen_label(list(dict.fromkeys(LABEL.findall(instructions))), subject, chance)


def chosen_label(labels: Sequence[str], subject: str, chance: float) -> str | None:
    """Choose the good or the bad label by the words of a review, which may lean neither way.

    None where the labels are not of both kinds.
    """
    good = [label for label in labels if label.lower() in _GOOD_LABELS]
    bad = [label for label in labels if label.lower() in _BAD_LABELS]
    if not good or not bad:
        return None
    review = LABEL.sub("", subject)
    leaning = len(_GOOD.findall(review)) - len(_BAD.findall(review))
    if leaning:
        return good[0] if leaning > 0 else bad[0]
    return labels[int(chance * len(labels))]


def topic(subject: str, *, chinese: bool) -> str:
    """Return the start of a subject, on one line."""
    return " ".join(subject.split())[: _SUBJECT_LENGTH[chinese]]


def sentences(subject: str, chances: Chances, *, chinese: bool) -> str:
    """Say something on a subject, in two to four sentences."""
    openings, bodies = _OPENINGS[chinese], _BODIES[chinese]
    opening = openings[int(chances.opening * len(openings))]
    start = int(chances.wording * len(bodies))
    length = 1 + int(chances.score * 3)
    chosen = [bodies[(start + step) % len(bodies)] for step in range(length)]
    return opening.format(topic(subject, chinese=chinese)) + ("" if chinese else " ").join(chosen)
