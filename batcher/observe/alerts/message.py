"""An alert in words, before it takes the shape of a platform."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from batcher.errors import ErrorClass
from batcher.money import amount
from batcher.observe.alerts.alert import Alert, Cause, Event, Figures
from batcher.observe.alerts.words import say
from batcher.observe.hints import name_in_chinese
from batcher.observe.language import Lang
from batcher.observe.words import Words
from batcher.wording import printable, utc

# As much of a name as a title has room for.
LONGEST_NAME = 80
_SHOWN_CLASSES = 3

Escape = Callable[[str], str]


class Tone(Enum):
    """Whether it is good news."""

    GOOD = "good"
    BAD = "bad"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Message:
    """What people read. Only `title` and `footer` hold names that are not ours.

    `fields` are labels and figures, between which stands a `colon`; `lines` say why, and the way
    on.
    """

    title: str
    tone: Tone
    fields: Sequence[tuple[str, str]]
    colon: str
    lines: Sequence[str]
    footer: str

    def text(self) -> str:
        """Return all of it as plain text."""
        figures = (f"{label}{self.colon}{figure}" for label, figure in self.fields)
        return "\n".join((self.title, *figures, *self.lines, self.footer))


def message_of(alert: Alert, lang: Lang, escaped: Escape = lambda name: name) -> Message:
    """Put an alert into words; names that are not ours as they are `escaped`."""
    return Message(
        title=_title(alert, lang, escaped),
        tone=_tone(alert),
        fields=list(_fields(alert.figures, lang)),
        colon=say(lang, "colon"),
        lines=list(_lines(alert, lang)),
        footer=say(lang, "footer", host=escaped(shortened(alert.host)), moment=utc(alert.at)),
    )


def shortened(name: str) -> str:
    """Return a name that is not ours as it may be shown: one line, and not too long."""
    shown = printable(name)
    return shown if len(shown) <= LONGEST_NAME else f"{shown[:LONGEST_NAME]}..."


def _title(alert: Alert, lang: Lang, escaped: Escape) -> str:
    marks = "".join(say(lang, mark) for mark in ("test", "simulated") if getattr(alert, mark))
    name = alert.event.value
    if alert.why is not None and alert.why.cause is Cause.TOO_MANY_ERRORS:
        name = "too_many"
    said = say(
        lang,
        name,
        run=escaped(shortened(alert.run)),
        lasted=Words(lang).lasting(alert.lasted or 0.0),
        over=alert.over,
    )
    return say(lang, "title", marks=marks, said=said)


def _tone(alert: Alert) -> Tone:
    match alert.event:
        case Event.FINISH | Event.RECOVERED:
            return Tone.GOOD
        case Event.FAILURE:
            return Tone.BAD
        case Event.OUTAGE | Event.ERROR_RATE | Event.COST:
            return Tone.WARNING


def _fields(figures: Figures, lang: Lang) -> Iterator[tuple[str, str]]:
    done = f"{figures.done:,}"
    if figures.total:
        share = f"{figures.done / figures.total:.1%}"
        done = say(lang, "of", done=done, total=f"{figures.total:,}", share=share)
    yield say(lang, "rows"), done
    yield say(lang, "results"), f"{figures.results:,}"
    yield say(lang, "errors"), _errors(figures, lang)
    if figures.currency is not None:
        cost = f"{amount(figures.cost)} {figures.currency}"
        if figures.possible_cost:
            possible = amount(figures.possible_cost)
            cost = say(lang, "possible", cost=cost, possible=possible)
        yield say(lang, "spent"), cost
    if figures.rows_per_s is not None:
        yield say(lang, "rate"), say(lang, "per_second", rate=f"{figures.rows_per_s:,.1f}")
    if figures.left_s is not None:
        yield say(lang, "left"), Words(lang).lasting(figures.left_s)


def _errors(figures: Figures, lang: Lang) -> str:
    classes = sorted(figures.errors.items(), key=lambda item: -item[1])
    shown = [
        f"{Words(lang).error(name)} {rows:,}" for name, rows in classes[:_SHOWN_CLASSES] if rows
    ]
    if rest := sum(rows for _, rows in classes[_SHOWN_CLASSES:]):
        shown.append(say(lang, "more", count=f"{rest:,}"))
    if not shown:
        return "0"
    count = f"{figures.error_rows:,}"
    return say(lang, "errors_by", count=count, classes=say(lang, "comma").join(shown))


def _lines(alert: Alert, lang: Lang) -> Iterator[str]:
    if alert.why is not None:
        detail = alert.why.detail
        if alert.why.cause is Cause.PROVIDER:
            error_class = ErrorClass(detail)
            if lang == "zh":
                detail = f"{name_in_chinese(error_class)}（{detail}）"
            yield say(lang, "why_provider", detail=detail)
            yield Words(lang).hint(error_class)
        else:
            yield say(lang, f"why_{alert.why.cause}", detail=detail)
        if alert.why.cause is not Cause.TOO_MANY_ERRORS:
            yield say(lang, "way_on")
    elif alert.event in (Event.OUTAGE, Event.ERROR_RATE, Event.COST):
        yield say(lang, f"{alert.event}_why")
    if alert.test:
        yield say(lang, "test_note")
