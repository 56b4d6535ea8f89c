"""What a report says, made up: a run with three processes, and rows of every kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from batcher.errors import ErrorClass
from batcher.history import History, Moment, Process
from batcher.magnitudes import Magnitudes
from batcher.observe.report import Content, Facts, Failed, Shown
from batcher.recorded import NOTHING_YET, Counts, Recorded

START = 1_800_000_000
NANOS = 1_000_000_000


def magnitudes(*figures: float) -> Magnitudes:
    """Count figures."""
    found = Magnitudes()
    for figure in figures:
        found.add(figure)
    return found


def moment(process: int, at: int, second: int, width: int = 2, **what: object) -> Moment:
    """Return a step in which nothing happened but `what`."""
    still: dict[str, object] = {"results": 0, "errors": 0, "prompt_tokens": 0}
    still |= {"completion_tokens": 0, "cost": 0, "attempts": 0, "in_flight": 0, "limit": 0}
    still |= {"paused": 0.0, "failures": {}} | what
    return Moment._make((process, at, second, width, *(still[n] for n in Moment._fields[4:])))


HISTORY = History(
    processes=(
        Process(1, START, START + 4, None),
        Process(2, START + 100, START + 101, "halted"),
        Process(3, START + 200, START + 201, "done"),
    ),
    moments=(
        moment(
            1, 0, START, results=6, errors=2, cost=NANOS, attempts=10, in_flight=4, limit=8
        )._replace(failures={ErrorClass.THROTTLED: 2, ErrorClass.SERVER_ERROR: 1}),
        # Its second step is missing: nothing happened; the last one is one second long.
        moment(1, 4, START + 4, results=3, in_flight=1, paused=0.5, prompt_tokens=30),
        moment(2, 5, START + 100, results=4, limit=6, in_flight=6, paused=2.0, cost=NANOS),
    ),
    latencies=magnitudes(0.5, 1.0, 1.0, 8.0),
    prompt_tokens=magnitudes(0, 20, 30),
    completion_tokens=magnitudes(7),
)

COUNTS = Counts(
    results=13,
    truncated=1,
    errors=Counter({ErrorClass.CONTENT_FILTERED: 2}),
    attempts=18,
    ambiguous_attempts=1,
    prompt_tokens=1300,
    completion_tokens=260,
    cached_tokens=100,
    reasoning_tokens=50,
    repairs=3,
    killed_calls=4,
    cost=2 * NANOS,
    possible_cost=NANOS // 10,
    currency="CNY",
    priced_by="2026-07-01",
    duplicates=2,
    cached=1,
)


def recorded(text: str = "text", **what: object) -> Recorded:
    """Return a row whose every text is `text`, but for `what`."""
    row = Recorded(
        row=0,
        id=text,
        key="key",
        attempts=2,
        ambiguous_attempts=1,
        latency_s=1.25,
        finished_at=START * 1_000_000,
        request_id=text,
        source=text,
        response=text,
        reasoning=text,
        tool_calls=text,
        finish_reason=text,
        model=text,
        prompt_tokens=20,
        completion_tokens=7,
        cost=NANOS // 1000,
        currency="CNY",
        output=text,
        repairs=1,
        sample=1,
    )
    return row._replace(**what)  # type: ignore[arg-type]


def failed(text: str = "text") -> Recorded:
    """Return a row that failed."""
    return recorded(
        text,
        error_class=ErrorClass.CONTENT_FILTERED.value,
        code=text,
        http_status=400,
        message=text,
    )


def messages(text: str = "text") -> list[Mapping[str, object]]:
    """Return messages of every shape, with `text` wherever one can be."""
    return [
        {"role": "system", "content": text},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": text},
                {"type": "image_url", "image_url": {"url": text}},
                {"type": text, "other": text},
            ],
        },
        {"role": "assistant", "content": None, "tool_calls": [{"id": text}]},
        {"role": text, "content": {"an": text}},
    ]


def content(text: str = "text") -> Content:
    """Return the content of a report with `text` in every place that others write in."""
    good, bad = Shown(recorded(text), messages(text)), Shown(failed(text), messages(text))
    return Content(
        facts=Facts(
            name=text,
            state="stopped",
            simulated=True,
            version="1.2.3",
            made_at=START + 300,
            provider=text,
            model=text,
            inputs=[text],
            total=20,
            samples=2,
            settings={"model": text, "prompt.template": text},
            limits={"limits": {"concurrency": text, "other": [text]}},
        ),
        counts=COUNTS,
        history=HISTORY,
        failed=[Failed(ErrorClass.CONTENT_FILTERED, 2, [bad])],
        slowest=[good],
        longest=[good],
        sample=[good, bad],
        note=text,
    )


def empty() -> Content:
    """Return the content of the report of a run in which nothing happened."""
    facts = Facts("new.batch", "stopped", False, "1.2.3", START, None, None, [], None, 1, {}, {})  # noqa: FBT003 -- as the fields stand
    return Content(facts, NOTHING_YET, History(), sample=())
