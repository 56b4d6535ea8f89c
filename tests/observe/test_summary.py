"""The lines a person reads at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batcher.errors import ErrorClass
from batcher.limits import Concurrency
from batcher.observe import Summary, Tally
from batcher.recorded import Counts
from batcher.records import Attempt, Completion, Source, Success, Usage

NOTHING = Counts(0, 0, {}, 0, 0, 0, 0, 0, 0)


def _tally(*latencies: float, attempts: int = 0, retries: int = 0) -> Tally:
    tally = Tally(attempts=attempts, retries=retries)
    completion = Completion("hi", None, None, "stop", "m", Usage())
    for latency in latencies:
        last = Attempt(1, "request", 0.0, latency)
        source = Source("prompts.jsonl", 1)
        tally.recorded(Success(0, "id", "key", completion, (last,), 0.0, source))
    return tally


def _counts(results: int, errors: Mapping[ErrorClass, int], truncated: int = 0) -> Counts:
    return Counts(results, truncated, errors, 1500, 3, 70_000, 20_000, 30_000, 5_000, repairs=40)


def _lines(**values: Any) -> list[str]:  # noqa: ANN401 # any field of Summary
    fields: dict[str, Any] = {
        "ended": "Done.",
        "counts": NOTHING,
        "pending": 0,
        "tally": Tally(),
        "wall_s": 0.0,
        "results_path": Path("p.batch/results.parquet"),
        "errors_path": Path("p.batch/errors.parquet"),
        "simulated": False,
        "concurrency": Concurrency(peak=9, limit=8, throttled=2, fixed=False),
    }
    return list(Summary(**(fields | values)).lines())


def test_below_each_class_of_errors_stands_its_example() -> None:
    errors = {ErrorClass.INVALID_ROW: 2, ErrorClass.BAD_REQUEST: 1}
    example = {ErrorClass.INVALID_ROW: "in.jsonl:4: no prompt"}
    lines = _lines(counts=_counts(0, errors), examples=example)
    assert lines[2:5] == [
        f"            2 invalid_row: {ErrorClass.INVALID_ROW.rule.hint}",
        "              first: in.jsonl:4: no prompt",
        f"            1 bad_request: {ErrorClass.BAD_REQUEST.rule.hint}",
    ]


def test_a_whole_run_in_lines() -> None:
    errors = {ErrorClass.BAD_REQUEST: 2, ErrorClass.SERVER_ERROR: 11}
    assert _lines(
        ended="Stopped by SIGTERM; the same command goes on where it stopped.",
        counts=_counts(1234, errors, truncated=5),
        pending=753,
        tally=_tally(1.0, 1.0, 1.0, 8.0, attempts=90, retries=6),
        wall_s=16.0,
    ) == [
        "Stopped by SIGTERM; the same command goes on where it stopped.",
        "  rows      2,000: 1,234 results, 13 errors, 753 pending",
        f"            11 server_error: {ErrorClass.SERVER_ERROR.rule.hint}",
        f"            2 bad_request: {ErrorClass.BAD_REQUEST.rule.hint}",
        "            5 results cut at max_tokens (length)",
        "  attempts  1,500 for rows that are done; in this process 90, 6 of them retries",
        "            40 repairs: asked again, since an answer did not hold what [output] wants",
        "            3 sent without a whole answer coming back: possibly billed",
        "  tokens    70,000 in (30,000 cached), 20,000 out (5,000 reasoning)",
        "  calls     at most 9 in flight; limit 8 (found); 2 throttled",
        "  time      16.0 s, 0.2 rows/s",
        "  latency   p50 1.00 s, p95 8.00 s, p99 8.00 s",
        "  results   p.batch/results.parquet",
        "  errors    p.batch/errors.parquet",
    ]


def test_a_single_one_is_no_plural() -> None:
    counts = _counts(1, {ErrorClass.BAD_REQUEST: 1}, truncated=1)
    lines = _lines(counts=counts, tally=_tally(1.0, attempts=3, retries=1))
    assert lines[1] == "  rows      2: 1 result, 1 error, 0 pending"
    assert lines[3] == "            1 result cut at max_tokens (length)"
    assert lines[4].endswith("1 of them a retry")


def test_a_run_without_rows_shows_zeros_and_no_latency() -> None:
    assert _lines() == [
        "Done.",
        "  rows      0: 0 results, 0 errors, 0 pending",
        "  attempts  0 for rows that are done; in this process 0, 0 of them retries",
        "  tokens    0 in (0 cached), 0 out (0 reasoning)",
        "  calls     at most 9 in flight; limit 8 (found); 2 throttled",
        "  time      0.0 s, 0.0 rows/s",
        "  results   p.batch/results.parquet",
        "  errors    p.batch/errors.parquet",
    ]


def test_rows_that_were_not_counted_are_not_guessed() -> None:
    lines = _lines(counts=_counts(3, {}), pending=None)
    assert lines[1] == "  rows      3 results, 0 errors, the rest pending"


def test_simulated_answers_are_called_so_before_all_else() -> None:
    lines = _lines(simulated=True)
    assert lines[0].startswith("SIMULATED")
    assert lines[1] == "Done."
    assert not any("SIMULATED" in line for line in _lines())


def test_files_that_are_not_written_are_not_named_and_the_way_to_them_is() -> None:
    last = _lines(unexported="not written; `batcher export p\x1b.batch` does it")[-1]
    assert last == "  results   not written; `batcher export p?.batch` does it"


def test_where_else_the_files_are_is_named() -> None:
    assert _lines(to="s3://b/out")[-1] == "  to        s3://b/out"


def test_files_that_are_not_there_are_told_of_with_the_way_there() -> None:
    again = "Nothing is lost: the same command puts the files there, or"
    assert _lines(to="s3://b/out", undelivered="cannot write s3://b/out: no\x1b")[-2:] == [
        "  to        cannot write s3://b/out: no?",
        f"            {again} `batcher export p.batch --to s3://b/out`",
    ]


@pytest.mark.parametrize("character", ["\x1b", "\n", "\r", "\x07", "\x7f", "\x9b", "\u202e"])
def test_what_a_provider_wrote_cannot_steer_the_terminal(character: str) -> None:
    lines = _lines(ended=f"Stopped: 余额不足{character}[31m.")
    assert lines[0] == "Stopped: 余额不足?[31m."


def test_what_it_cost_stands_below_the_tokens() -> None:
    counts = replace(_counts(1, {}), cost=12_340_000_000, currency="CNY", priced_by="2026-07-01")
    lines = _lines(counts=counts)
    at = next(at for at, line in enumerate(lines) if line.startswith("  tokens "))
    assert lines[at + 1] == "  cost      12.34 CNY by the prices of 2026-07-01"


def test_without_a_known_price_no_line_speaks_of_money() -> None:
    text = "\n".join(_lines(counts=_counts(1, {}), tally=_tally(1.0)))
    assert not any(word in text.lower() for word in ("cost", "price", "cny", "usd", "¥", "$"))


def test_a_number_of_calls_that_the_user_chose_is_called_so() -> None:
    calls = Concurrency(peak=4, limit=4, throttled=0, fixed=True)
    assert "  calls     at most 4 in flight; limit 4 (--concurrency)" in _lines(concurrency=calls)


def test_rows_with_several_samples_are_told_as_such() -> None:
    lines = _lines(counts=_counts(9, {}), pending=1, samples=5)
    assert lines[1] == "  rows      2 rows x 5 samples: 9 results, 0 errors, 1 pending"
