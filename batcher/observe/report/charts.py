"""What the charts of a run show: its history as plain JSON values, for `assets/charts.js`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import NamedTuple

from batcher.errors import ErrorClass
from batcher.history import History, Moment, Process
from batcher.magnitudes import BUCKETS_PER_E
from batcher.money import NANOS, amount
from batcher.observe.report.bars import bars, figure, quantiles
from batcher.observe.report.tiles import attempts, is_priced
from batcher.observe.words import Words
from batcher.recorded import NOTHING_YET, Counts


class Series(NamedTuple):
    """A line or an area: a figure for each step; `color` is the name of a colour of the style."""

    label: str
    color: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart. `said` tells in a sentence what it shows, or that there is nothing to show.

    Those over time share their axis, `Charts.at`, and where they are `stacked` their series add up;
    a histogram has bars at `at` (natural logarithms), `width` wide, and its quantiles as `marks`.
    """

    name: str
    kind: str
    title: str
    said: str
    series: Sequence[Series] = ()
    stacked: bool = False
    at: Sequence[float] = ()
    width: float = 0.0
    marks: Mapping[str, float] = field(default_factory=dict)


class _Step(NamedTuple):
    """A step of the axis, with what happened in it."""

    at: int
    second: int
    seconds: int
    moment: Moment | None


def charts(
    history: History, words: Words, counts: Counts = NOTHING_YET, total: int | None = None
) -> dict[str, object]:
    """Return all charts of a run, whose sums are `counts` and whose input has `total` records.

    Each is there at any time, without series where it has nothing to show, so that a page can be
    told again as the run goes on. `at` are the starts of the steps and the end, in seconds of the
    run, `wall` the same as Unix seconds; `resumed` and `paused` (from, to) are in those of the run.
    """
    steps = list(_steps(history))
    ends = steps[-1:]
    drawn = (*_over_time(history, steps, words, counts, total), *_histograms(history, words))
    return {
        "lang": words.tag,
        "time": words("time"),
        "at": [step.at for step in steps] + [last.at + last.seconds for last in ends],
        "wall": [step.second for step in steps] + [last.second + last.seconds for last in ends],
        "resumed": _resumed(history.processes),
        "paused": _paused(steps),
        "charts": {
            chart.name: asdict(chart) | {"series": [line._asdict() for line in chart.series]}
            for chart in drawn
        },
    }


def _steps(history: History) -> Iterator[_Step]:
    """Yield the axis without a gap: steps in which nothing happened as well."""
    found: dict[int, list[Moment]] = {}
    for moment in history.moments:
        found.setdefault(moment.process, []).append(moment)
    width = max((moment.width for moment in history.moments), default=0)
    before = 0
    for process in history.processes if width else ():
        # What was recorded after the process was last seen falls into its last step.
        last = (process.seconds - 1) // width
        moments: dict[int, Moment] = {}
        for moment in found.get(process.number, ()):
            step = min(last, (moment.second - process.started_at) // width)
            moments[step] = _joined(moments[step], moment) if step in moments else moment
        for step in range(last + 1):
            start = step * width
            seconds = min(width, process.seconds - start)
            yield _Step(before + start, process.started_at + start, seconds, moments.get(step))
        before += process.seconds


def _joined(one: Moment, other: Moment) -> Moment:
    return one._replace(
        results=one.results + other.results,
        errors=one.errors + other.errors,
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        cost=one.cost + other.cost,
        attempts=one.attempts + other.attempts,
        in_flight=max(one.in_flight, other.in_flight),
        limit=other.limit or one.limit,
        paused=one.paused + other.paused,
        failures=Counter(one.failures) + Counter(other.failures),
    )


def _resumed(processes: Sequence[Process]) -> list[int]:
    ends = list(accumulate(process.seconds for process in processes))
    return ends[:-1]


def _paused(steps: Sequence[_Step]) -> list[list[float]]:
    """Return the pauses, each as long as it was; where it began is known to a step."""
    found: list[list[float]] = []
    for at, _, seconds, moment in steps:
        if moment is None or moment.paused <= 0:
            continue
        end = at + min(float(seconds), moment.paused)
        if found and found[-1][1] >= at:
            found[-1][1] = end
        else:
            found.append([at, end])
    return found


@dataclass(frozen=True, slots=True)
class _Axis:
    """What charts over time share: their steps, what happened in each, the seconds of the run."""

    steps: Sequence[_Step]
    moments: Sequence[Moment]
    seconds: int
    words: Words

    def chart(
        self, name: str, said: str, *series: Series, stacked: bool = False, nothing: str = ""
    ) -> Chart:
        """Return a chart; where its series show nothing it says so, by the text `nothing`."""
        shown = [line for line in series if any(line.values)]
        said = said if shown else self.words(nothing or f"none_{name}")
        return Chart(name, "time", self.words(f"chart_{name}"), said, shown, stacked)

    def rate(self, label: str, color: str, amounts: Sequence[float]) -> Series:
        """Return what there was of something in each step, a second."""
        figures = zip(amounts, self.steps, strict=True)
        return Series(label, color, [round(n / step.seconds, 3) for n, step in figures])


def _over_time(
    history: History, steps: Sequence[_Step], words: Words, counts: Counts, total: int | None
) -> tuple[Chart, ...]:
    moments = [step.moment or _NOTHING for step in steps]
    axis = _Axis(steps, moments, max(1, history.seconds), words)
    calls = attempts(counts, history)
    return (
        _rows(axis, nothing="no_input" if total == 0 else ""),
        _tokens(axis),
        _calls(axis, nothing="said_unseen" if calls else ""),
        _failures(axis, calls),
        _cost(axis, counts),
    )


def _rows(axis: _Axis, nothing: str) -> Chart:
    words, moments = axis.words, axis.moments
    rows = [moment.results + moment.errors for moment in moments]
    said = words(
        "said_rows",
        mean=figure(sum(rows) / axis.seconds),
        time=words.lasting(axis.seconds),
        peak=figure(max(axis.rate("", "", rows).values, default=0)),
    )
    return axis.chart(
        "rows",
        said,
        axis.rate(words("results"), "good", [moment.results for moment in moments]),
        axis.rate(words("errors"), "bad", [moment.errors for moment in moments]),
        stacked=True,
        nothing=nothing,
    )


def _tokens(axis: _Axis) -> Chart:
    words = axis.words
    sent = [moment.prompt_tokens for moment in axis.moments]
    came = [moment.completion_tokens for moment in axis.moments]
    means = {"sent": figure(sum(sent) / axis.seconds), "came": figure(sum(came) / axis.seconds)}
    return axis.chart(
        "tokens",
        words("said_tokens", **means),
        axis.rate(words("tokens_in"), "first", sent),
        axis.rate(words("tokens_out"), "second", came),
    )


def _calls(axis: _Axis, nothing: str) -> Chart:
    words, moments = axis.words, axis.moments
    limits: list[int] = []
    for moment in moments:
        # While nothing was heard of it, it stayed.
        limits.append(moment.limit or (limits[-1] if limits else 0))
    flying = [moment.in_flight for moment in moments]
    paused = sum(moment.paused for moment in moments)
    said = words("said_calls", peak=max(flying, default=0), limit=[0, *limits][-1])
    if paused >= 1:
        said += words("between") + words("said_paused", time=words.lasting(paused))
    series = [Series(words("in_flight"), "first", flying)]
    if any(flying):
        series.insert(0, Series(words("limit"), "faint", limits))
    return axis.chart("calls", said, *series, nothing=nothing)


def _failures(axis: _Axis, calls: int) -> Chart:
    words, moments = axis.words, axis.moments
    failed: Counter[ErrorClass] = Counter()
    for moment in moments:
        failed.update(moment.failures)
    classes = failed.most_common()
    named = words("comma").join(f"{words.error(name)} {n:,}" for name, n in classes)
    return axis.chart(
        "failures",
        words("said_failures", failed=failed.total(), attempts=calls, classes=named),
        *(
            axis.rate(words.error(name), _COLORS[name], [m.failures.get(name, 0) for m in moments])
            for name, _ in classes
        ),
        stacked=True,
    )


def _cost(axis: _Axis, counts: Counts) -> Chart:
    words = axis.words
    spent = list(accumulate(moment.cost for moment in axis.moments))
    return axis.chart(
        "cost",
        words("said_cost", cost=amount([0, *spent][-1]), currency=counts.currency or ""),
        Series(counts.currency or words("cost"), "first", [nanos / NANOS for nanos in spent]),
        nothing="said_no_cost" if is_priced(counts) and not counts.cost else "",
    )


def _histograms(history: History, words: Words) -> Iterator[Chart]:
    for name, magnitudes, said in (
        ("latency", history.latencies, "said_seconds"),
        ("prompt_tokens", history.prompt_tokens, "said_token_counts"),
        ("completion_tokens", history.completion_tokens, "said_token_counts"),
    ):
        counted, wide = bars(magnitudes)
        title = words(f"chart_{name}")
        if not counted:
            yield Chart(name, "histogram", title, words(f"none_{name}"))
            continue
        marks = quantiles(magnitudes)
        whole = name != "latency"
        shown = {which: figure(value, whole=whole) for which, value in marks.items()}
        yield Chart(
            name,
            "histogram",
            title,
            words(said, **shown),
            [Series(words("answers"), "first", list(counted.values()))],
            # A bucket stands for the figures on both sides of its own.
            at=[(bucket - 0.5) / BUCKETS_PER_E for bucket in counted],
            width=wide / BUCKETS_PER_E,
            marks={f"{which} {shown[which]}": math.log(max(v, 1e-6)) for which, v in marks.items()},
        )


_NOTHING = Moment(0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, {})

# What is met most has a colour of its own; what stops a run is red.
_COLORS: Mapping[ErrorClass, str] = {
    **dict.fromkeys(ErrorClass, "bad"),
    ErrorClass.THROTTLED: "amber",
    ErrorClass.OVERLOADED: "third",
    ErrorClass.SERVER_ERROR: "second",
    ErrorClass.AMBIGUOUS: "fourth",
    ErrorClass.NOT_SENT: "fifth",
    ErrorClass.CONTENT_FILTERED: "sixth",
    ErrorClass.INFERENCE_FAILED: "first",
    ErrorClass.INVALID_OUTPUT: "good",
    ErrorClass.MALFORMED_ANSWER: "seventh",
    ErrorClass.EMPTY_COMPLETION: "faint",
}
