"""Rows as a page shows them: who they are, what was asked, what came, and where texts were cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import NamedTuple

from batcher.errors import ErrorClass
from batcher.money import exact
from batcher.observe.report.bars import figure
from batcher.observe.report.content import Shown
from batcher.observe.report.foreign import Cut, as_json, cut, first_line, tidy_json
from batcher.observe.words import Words
from batcher.recorded import Recorded
from batcher.records import AnsweredBy

# Characters of a text, those of all messages of a row, and parts of a message that a page shows; a
# report of some hundred rows stays a file that can be sent.
MOST_CHARACTERS = 4000
_MOST_OF_A_ROW = 20_000
_MOST_PARTS = 20

# Of a prompt so much is compared with others; where it begins like one for longer than a few words,
# it is shown from a little before they differ: from where a word begins, if one does so near by.
_COMPARED = 2000
_ALIKE, _BEFORE, _WORD = 24, 12, 24


class Part(NamedTuple):
    """A part of a message: a `text`, an `image` (told of, never shown), or `json`."""

    kind: str
    cut: Cut


class Spoken(NamedTuple):
    """A message: who speaks, and its parts."""

    role: str
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Card:
    """A row as it is shown. `asked` and `answered` are one line each, for the list.

    `answers` have a title each, and whether they are JSON. `sample` says which of its row it is,
    where each row has several.
    """

    id: str
    source: str | None
    sample: str
    error: str | None
    problem: Sequence[str]
    message: Cut | None
    messages: Sequence[Spoken] | None
    messages_left_out: int
    answers: Sequence[tuple[str, Cut, bool]]
    reasoning: Cut | None
    facts: Sequence[tuple[str, str]]
    latency: str
    tokens: str
    asked: str
    answered: str


def cards(shown: Sequence[Shown], words: Words, *, texts: bool, samples: int = 1) -> list[Card]:
    """Return the rows of a list; their prompts are shown from about where they differ."""
    made = [card(one, words, texts=texts, samples=samples) for one in shown]
    lines = told_apart([one.asked for one in made])
    return [replace(one, asked=line) for one, line in zip(made, lines, strict=True)]


def told_apart(lines: Sequence[str]) -> list[str]:
    """Return each line from about where it differs from a tenth of the others, or from one.

    Prompts of one template begin alike, and nobody could tell them apart by that. Those that are
    the same, as the samples of a row are, count once.
    """
    order = sorted(set(lines))
    apart = max(1, len(order) // 10)
    shared = dict.fromkeys(order, 0)
    # In their order, all lines between two begin with what these have in common.
    for one, other in zip(order, order[apart:], strict=False):
        alike = _alike(one, other)
        shared[one], shared[other] = max(shared[one], alike), max(shared[other], alike)
    return [
        first_line(line)
        if shared[line] < _ALIKE
        else f"…{first_line(_from_a_word(line, shared[line]))}"
        for line in lines
    ]


def _from_a_word(line: str, alike: int) -> str:
    """Return a line from a little before where it differs, and from the start of a word."""
    start = alike - _BEFORE
    space = line.rfind(" ", max(0, start - _WORD), start)
    return line[start if space < 0 else space + 1 :]


def _alike(one: str, other: str) -> int:
    """Return for how many characters both begin alike."""
    both = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))


def card(shown: Shown, words: Words, *, texts: bool, samples: int = 1) -> Card:
    """Return one of so many `samples` of a row for the page.

    Without `texts` there is nothing of what was asked and answered in it; nor what the provider
    said of an error, which may quote both.
    """
    row = shown.outcome
    messages = shown.messages if texts else None
    # Files count samples from 0, people from 1.
    numbered = [(words("fact_sample"), f"{row.sample}")] if samples > 1 else []
    spoken = None if messages is None else list(_spoken(messages))
    return Card(
        id=first_line(row.id),
        source=row.source and first_line(row.source),
        sample="" if samples == 1 else words("sample_of", one=row.sample + 1, all=samples),
        error=None if row.error_class is None else words.error(ErrorClass(row.error_class)),
        problem=list(_problem(row)),
        message=cut(row.message, MOST_CHARACTERS) if texts and row.message else None,
        messages=spoken,
        messages_left_out=len(messages or ()) - len(spoken or ()),
        answers=list(_answers(row, words)) if texts else (),
        reasoning=cut(row.reasoning, MOST_CHARACTERS) if texts and row.reasoning else None,
        facts=[*numbered, *_facts(row, words)],
        latency="" if row.latency_s is None else words("seconds", number=figure(row.latency_s)),
        tokens=(
            ""
            if row.completion_tokens is None
            else words("tokens_of", number=row.completion_tokens)
        ),
        asked=_asked(messages),
        answered=_answered(row) if texts else "",
    )


def _answered(row: Recorded) -> str:
    """Return how the answer begins, or what is said of the error."""
    if row.error_class is not None:
        return first_line(row.message)
    return first_line(row.response or row.output or row.tool_calls)


def _problem(row: Recorded) -> Iterator[str]:
    if row.http_status is not None:
        yield f"HTTP {row.http_status}"
    if row.code is not None:
        yield first_line(row.code)


def _answers(row: Recorded, words: Words) -> Iterator[tuple[str, Cut, bool]]:
    if row.response:
        yield words("answer"), cut(row.response, MOST_CHARACTERS), False
    if row.tool_calls:
        yield words("tool_calls"), cut(tidy_json(row.tool_calls), MOST_CHARACTERS), True
    if row.output:
        yield words("output"), cut(tidy_json(row.output), MOST_CHARACTERS), True


def _facts(row: Recorded, words: Words) -> Iterator[tuple[str, str]]:
    if row.model:
        yield words("model"), first_line(row.model)
    if row.finish_reason:
        yield words("finish_reason"), first_line(row.finish_reason)
    if row.latency_s is not None:
        yield words("latency"), words("seconds", number=figure(row.latency_s))
    if row.prompt_tokens is not None or row.completion_tokens is not None:
        yield words("tokens"), f"{_count(row.prompt_tokens)} + {_count(row.completion_tokens)}"
    if row.reasoning_tokens:
        yield words("fact_reasoning"), f"{row.reasoning_tokens:,}"
    if row.cost is not None and row.currency:
        yield words("cost"), f"{exact(row.cost)} {row.currency}"
    yield words("fact_attempts"), f"{row.attempts:,}"
    if row.ambiguous_attempts:
        yield words("fact_unanswered"), f"{row.ambiguous_attempts:,}"
    if row.repairs:
        yield words("fact_repairs"), f"{row.repairs:,}"
    if row.answered_by != AnsweredBy.CALL.value:
        yield words("answered_by"), words(f"answered_by_{row.answered_by}")


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else f"{tokens:,}"


def _spoken(messages: Sequence[Mapping[str, object]]) -> Iterator[Spoken]:
    shown = 0
    for message in messages:
        if shown >= _MOST_OF_A_ROW:
            return
        parts = list(_parts(message.get("content")))
        rest = {name: value for name, value in message.items() if name not in ("role", "content")}
        if rest:
            parts.append(Part("json", cut(as_json(rest), MOST_CHARACTERS)))
        # A message without a text takes room as well.
        shown += 100 + sum(len(part.cut.text) for part in parts)
        yield Spoken(first_line(str(message.get("role", ""))), parts)


def _parts(content: object) -> Iterator[Part]:
    match content:
        case None:
            return
        case str():
            yield Part("text", cut(content, MOST_CHARACTERS))
        case list() | tuple():
            yield from map(_part, content[:_MOST_PARTS])
            if rest := content[_MOST_PARTS:]:
                yield Part("json", Cut("", len(as_json(rest))))
        case _:
            yield Part("json", cut(as_json(content), MOST_CHARACTERS))


def _part(part: object) -> Part:
    match part:
        case {"type": "text", "text": str(text)}:
            return Part("text", cut(text, MOST_CHARACTERS))
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            # An image is no text, so of one that is given whole only the kind is told.
            told = url.partition(",")[0] if url.startswith("data:") else url
            return Part("image", cut(told, 200))
        case _:
            return Part("json", cut(as_json(part), MOST_CHARACTERS))


def _asked(messages: Sequence[Mapping[str, object]] | None) -> str:
    """Return how the last message of the user begins."""
    for message in reversed(messages or ()):
        if message.get("role") == "user":
            texts = [
                part.cut.text for part in _parts(message.get("content")) if part.kind == "text"
            ]
            return first_line(" ".join(texts), _COMPARED)
    return ""
