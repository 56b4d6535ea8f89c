"""The live page, and the events that keep it current; made of the report's parts."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from batcher import __version__
from batcher.errors import ErrorClass
from batcher.observe.language import Lang
from batcher.observe.live.state import Phase, State
from batcher.observe.live.words import LiveWords
from batcher.observe.report import (
    CHART_SCRIPTS,
    STYLES,
    asset,
    charts,
    cleaned,
    environment,
    extents,
    favicon,
    share,
    tiles,
)

_HERE = "batcher.observe.live"
_TEN, _HUNDRED = 10, 100


def page(nonce: str, lang: Lang, name: str) -> str:
    """Return the page of the run called `name`, before the first event has come."""
    words = LiveWords(lang)
    template = _templates().get_template("live.html")
    made: str = template.render(
        w=words,
        nonce=nonce,
        favicon=favicon(),
        version=__version__,
        styles=[*map(asset, STYLES), asset("live.css", _HERE)],
        scripts=[*map(asset, CHART_SCRIPTS), asset("live.js", _HERE)],
        said={said: words(said) for said in ("no_answer", "over")},
        **_unheard(_shown(State(name), words), words),
    )
    return made


def _unheard(shown: dict[str, Any], words: LiveWords) -> dict[str, Any]:
    """Return what a page shows before it was told anything: no figure is made up."""
    nothing = {"value": words("none"), "note": "", "tone": ""}
    return shown | {"tiles": [tile | nothing for tile in shown["tiles"]]}


def event(state: State, lang: Lang) -> str:
    """Return what is sent to an open page, as JSON in one line."""
    words = LiveWords(lang)
    shown = _shown(state, words) | {"status": cleaned(words.status(state))}
    return json.dumps(shown, allow_nan=False)


def _shown(state: State, words: LiveWords) -> dict[str, Any]:
    """Return what a page shows of a state, as plain JSON values."""
    done = share(state.counts.rows, state.total) if state.total else f"{state.counts.rows:,}"
    return {
        "name": state.name,
        "model": cleaned(state.model or ""),
        "title": cleaned(f"{done} – {state.name}"),
        "simulated": state.simulated,
        "phase": state.phase,
        "phase_said": words(f"phase_{state.phase}"),
        "tone": _TONES[state.phase],
        "moving": state.moving,
        "tiles": [
            *_now(state, words),
            *tiles(state.counts, state.history, state.total, words, samples=state.samples),
        ],
        "extents": extents(state.counts, state.total),
        "errors": [
            {"name": words.error(name), "rows": f"{rows:,}", "hint": words.hint(name)}
            for name, rows in sorted(state.counts.errors.items(), key=_most_first)
            if rows
        ],
        "data": charts(state.history, words, state.counts, state.total),
    }


def _now(state: State, words: LiveWords) -> list[dict[str, str]]:
    """Return the figures of the moment, in the form of `tiles`."""
    lately = state.lately if state.moving else None
    none, rate, left = words("none"), state.rate, state.time_left
    time = words.lasting(lately.seconds) if lately else ""
    tokens = f"{lately.tokens / lately.seconds:,.0f}" if lately and lately.seconds else ""
    return [
        {"name": name, "label": words(f"tile_{name}"), "value": value, "note": note, "tone": tone}
        for name, value, note, tone in (
            (
                "rate",
                none if rate is None else _rate(rate),
                words("rate_note", time=time, tokens=tokens) if tokens else "",
                "",
            ),
            (
                "left",
                none if left is None else words.lasting(left),
                "" if left is None else words("left_note"),
                "",
            ),
            (
                "flight",
                f"{lately.in_flight:,}" if lately else none,
                words("flight_note", limit=f"{lately.limit:,}") if lately else "",
                "",
            ),
            (
                "throttled",
                f"{lately.throttled:,}" if lately else none,
                words("throttled_note", time=time) if time else "",
                "wait" if lately and lately.throttled else "",
            ),
        )
    ]


def _rate(rate: float) -> str:
    """Return a number a second, to three places that count."""
    return f"{rate:,.{0 if rate >= _HUNDRED else 1 if rate >= _TEN else 2}f}"


def _most_first(item: tuple[ErrorClass, int]) -> tuple[int, str]:
    return -item[1], item[0]


_TONES = {
    Phase.RUNNING: "",
    Phase.WAITING: "wait",
    Phase.BUSY: "",
    Phase.FINISHED: "good",
    Phase.STOPPED: "wait",
    Phase.KILLED: "bad",
    Phase.GONE: "bad",
    Phase.UNREADABLE: "bad",
}


@cache
def _templates() -> Any:  # noqa: ANN401 -- the report's room knows its library's types
    return environment(_HERE)
