"""What the charts of given histories show."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ErrorClass
from batcher.history import History, Process
from batcher.observe.language import Lang
from batcher.observe.report import charts
from batcher.observe.words import Words
from batcher.recorded import NOTHING_YET, Counts
from tests.reported import HISTORY, START, magnitudes, moment

EN = Words("en")
PRICED = replace(NOTHING_YET, cost=1, currency="CNY")
ALL = {
    *("rows", "tokens", "calls", "failures", "cost"),
    *("latency", "prompt_tokens", "completion_tokens"),
}


def _charts(
    history: History, lang: Lang = "en", counts: Counts = PRICED, total: int | None = None
) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        json.dumps(charts(history, Words(lang), counts, total), allow_nan=False)
    )
    return found


def _values(data: dict[str, Any], chart: str) -> dict[str, list[float]]:
    return {line["label"]: line["values"] for line in data["charts"][chart]["series"]}


def test_time_has_no_gaps_between_processes_and_none_within() -> None:
    """Steps in which nothing happened are there, and the end of the last."""
    data = _charts(HISTORY)
    assert data["at"] == [0, 2, 4, 5, 7, 9]
    assert [second - START for second in data["wall"]] == [0, 2, 4, 100, 200, 202]
    assert data["resumed"] == [5, 7]


def test_rates_are_those_of_the_seconds_that_a_step_has() -> None:
    """The third step is the last second of its process, so that it is half as wide."""
    rows = _values(_charts(HISTORY), "rows")
    assert rows == {"results": [3.0, 0, 3.0, 2.0, 0], "errors": [1.0, 0, 0, 0, 0]}


def test_a_limit_stays_while_nothing_is_heard_of_it() -> None:
    calls = _values(_charts(HISTORY), "calls")
    assert calls["limit"] == [8, 8, 8, 6, 6]
    assert calls["in flight"] == [4, 0, 1, 6, 0]


def test_pauses_are_as_long_as_they_were_and_grow_together() -> None:
    assert _charts(HISTORY)["paused"] == [[4, 4.5], [5, 7]]
    history = History(
        [Process(1, START, START + 3, "done")],
        [moment(1, 0, START, paused=2.0), moment(1, 2, START + 2, paused=1.5)],
    )
    assert _charts(history)["paused"] == [[0, 3.5]]


def test_cost_adds_up() -> None:
    assert _values(_charts(HISTORY), "cost") == {"CNY": [1, 1, 1, 2, 2]}


def test_failed_attempts_are_told_by_class_most_frequent_first() -> None:
    data = _charts(HISTORY)
    assert list(_values(data, "failures")) == ["throttled", "server_error"]
    said = "3 of 10 attempts failed: throttled 2, server_error 1."
    assert data["charts"]["failures"]["said"] == said
    assert "限流 throttled 2" in _charts(HISTORY, "zh")["charts"]["failures"]["said"]


@pytest.mark.parametrize("error_class", ErrorClass)
def test_every_class_of_failure_has_a_colour(error_class: ErrorClass) -> None:
    failures = {error_class: 1}
    history = History(
        [Process(1, START, START, None)], [moment(1, 0, START, 1, attempts=1, failures=failures)]
    )
    (line,) = _charts(history)["charts"]["failures"]["series"]
    assert line["label"] == error_class.value
    assert line["color"]


def test_histograms_have_their_quantiles_as_marks() -> None:
    latency = _charts(HISTORY)["charts"]["latency"]
    assert sum(latency["series"][0]["values"]) == 4
    assert list(latency["marks"]) == ["p50 1.00", "p95 8.00", "p99 8.00"]
    assert latency["said"].startswith("Half of the answers took at most")


def test_what_was_recorded_after_a_process_was_last_seen_is_in_its_last_step() -> None:
    history = History(
        [Process(1, START, START + 1, None), Process(2, START + 9, START + 9, None)],
        [
            moment(1, 0, START, 1, results=1),
            moment(1, 1, START + 1, 1, results=1, failures={ErrorClass.THROTTLED: 1}, in_flight=2),
            moment(1, 2, START + 2, 1, results=5, failures={ErrorClass.THROTTLED: 2}, cost=7),
            moment(2, 2, START + 9, 1, results=2),
        ],
    )
    data = _charts(history)
    assert data["at"] == [0, 1, 2, 3]
    assert _values(data, "rows") == {"results": [1, 6, 2]}
    assert _values(data, "failures") == {"throttled": [0, 3, 0]}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_chart_with_nothing_to_show_says_so_and_has_no_series(lang: Lang) -> None:
    data = _charts(History(), lang)
    assert set(data["charts"]) == ALL
    assert data["at"] == data["wall"] == data["resumed"] == data["paused"] == []
    for name, chart in data["charts"].items():
        assert chart["series"] == []
        assert chart["said"] == Words(lang)(f"none_{name}")


def test_a_run_that_only_waited_has_an_axis_and_no_rates() -> None:
    history = History([Process(1, START, START + 9, None)], [moment(1, 0, START, 10, paused=10.0)])
    data = _charts(history)
    assert (data["at"], data["paused"]) == ([0, 10], [[0, 10]])
    assert data["charts"]["rows"]["series"] == []


def test_a_run_of_one_row_is_drawn() -> None:
    one = moment(1, 0, START, 1, results=1, attempts=1, in_flight=1, limit=8, completion_tokens=3)
    history = History([Process(1, START, START, "done")], [one], latencies=magnitudes(0.4))
    data = _charts(history)
    assert data["at"] == [0, 1]
    assert _values(data, "rows") == {"results": [1]}
    assert _values(data, "latency") == {"answers": [1]}


@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.sets(st.integers(0, 29)), st.integers(0, 50)), max_size=6
    ),
    st.integers(1, 7),
)
def test_nothing_is_lost_and_time_always_goes_on(
    spans: list[tuple[int, set[int], int]], width: int
) -> None:
    """Whatever steps the processes have, all rows are drawn once, and the axis is ascending."""
    processes, moments, start, before = [], [], START, 0
    for number, (seconds, steps, results) in enumerate(spans, 1):
        processes.append(Process(number, start, start + seconds - 1, None))
        for step in sorted(steps):
            at = step * width
            moments.append(moment(number, before + at, start + at, width, results=results))
        start += seconds + 100
        before += seconds
    data = _charts(replace(HISTORY, processes=processes, moments=moments))
    at = data["at"]
    assert at == sorted(set(at))
    drawn = _values(data, "rows").get("results", [0.0] * (len(at) - 1))
    total = sum(rate * (end - begin) for rate, begin, end in zip(drawn, at, at[1:], strict=False))
    assert total == pytest.approx(sum(one.results for one in moments), abs=0.001 * len(at) * 7)
    for line in (line for chart in data["charts"].values() for line in chart["series"]):
        assert all(value >= 0 for value in line["values"])


def test_calls_too_short_to_be_seen_in_flight_are_not_drawn_as_none() -> None:
    history = History(
        [Process(1, START, START, "done")], [moment(1, 0, START, 1, attempts=1, limit=8)]
    )
    calls = _charts(history)["charts"]["calls"]
    said = "No call lasted long enough to be seen in flight."
    assert (calls["series"], calls["said"]) == ([], said)


def test_calls_in_flight_are_those_that_were_seen() -> None:
    assert _charts(HISTORY)["charts"]["calls"]["said"].startswith("At most 6 seen in flight at onc")


def test_attempts_are_all_that_are_known_of() -> None:
    """The history has those of rows that are pending, the counts those it did not come to see."""
    recorded = replace(PRICED, attempts=12)
    assert (
        "of 12 attempts failed" in _charts(HISTORY, counts=recorded)["charts"]["failures"]["said"]
    )


def test_where_prices_are_known_and_nothing_was_spent_that_is_said() -> None:
    priced = replace(NOTHING_YET, currency="CNY")
    assert _charts(History(), counts=priced)["charts"]["cost"]["said"] == "Nothing was spent."
    unknown = _charts(History(), counts=NOTHING_YET)["charts"]["cost"]["said"]
    assert unknown == "No price is known."


def test_of_an_input_without_rows_none_is_waited_for() -> None:
    assert _charts(History(), total=0)["charts"]["rows"]["said"] == "The input has no rows."


@pytest.mark.parametrize("figure", [1, 20, 50, 0.4, 1234])
def test_a_quantile_stands_in_the_bar_of_its_figure(figure: float) -> None:
    latency = _charts(replace(HISTORY, latencies=magnitudes(figure)))["charts"]["latency"]
    (at,) = latency["at"]
    for mark in latency["marks"].values():
        assert at <= mark <= at + latency["width"]
