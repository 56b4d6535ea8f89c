"""Two checkpoints that were merged of the same runs, went on apart, and were brought together."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.checkpoint import Checkpoint, CheckpointReader, Claims, Settlement
from batcher.checkpoint.adoption import adopt
from batcher.checkpoint.merging import Merging, OfRun
from batcher.recorded import Counts
from batcher.records import Failure, Kept, Request, Source, Success
from batcher.render import request_key
from tests.checkpoint.calls import WORK, Calls, Work, brought_no_use, worked

MakeSuccess = Callable[..., Success]
MakeFailure = Callable[..., Failure]
Problems = Callable[[Path], Sequence[str]]

RUN = "merge"


def _recorded(path: Path, *kept: Kept) -> Path:
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write(kept)
    return path


def _merged(path: Path, parts: Mapping[str, Path]) -> Path:
    """Merge parts, and what is at `path` already."""
    sources = [OfRun(run, part) for run, part in parts.items()]
    with Merging.begun(path) as merging:
        merging.add([*sources, *([OfRun(RUN, path)] if path.exists() else [])])
        Claims(merging).settle()
        Settlement(merging, "CNY").settle()
        merging.remember(run=RUN, fingerprint="f")
    return path


def _counts(path: Path) -> Counts:
    with CheckpointReader.read(path) as checkpoint:
        return checkpoint.counts()


def test_what_came_to_one_of_them_from_a_run_counts_once_when_that_run_is_merged_again(
    make_path: Callable[[], Path], success: MakeSuccess, problems: Problems
) -> None:
    parts = {"1": _recorded(make_path(), success(0))}
    here = _merged(make_path(), parts)
    there = Path(shutil.copy(here, make_path()))
    _recorded(here, success(1))
    parts["2"] = _recorded(make_path(), success(2))
    _merged(there, parts)
    assert adopt(here, there) == 1
    assert _counts(here).attempts == 3
    for _ in range(2):
        _merged(here, parts)
        assert _counts(here).attempts == 3
    assert problems(here) == []


def test_a_row_of_which_each_has_the_call_of_another_run_has_both(
    make_path: Callable[[], Path], success: MakeSuccess, problems: Problems
) -> None:
    """Both have the result of the run that is named first."""
    parts = {"1": _recorded(make_path(), success(0))}
    here = _merged(make_path(), parts)
    there = Path(shutil.copy(here, make_path()))
    parts |= {name: _recorded(make_path(), success(0)) for name in ("2", "3")}
    _merged(here, {name: parts[name] for name in ("1", "2")})
    _merged(there, {name: parts[name] for name in ("1", "3")})
    assert adopt(here, there) == 0
    assert _counts(here).attempts == 3
    _merged(here, parts)
    assert _counts(here).attempts == 3
    assert problems(here) == []


def test_a_price_that_only_a_run_of_the_other_knows_has_its_currency(
    make_path: Callable[[], Path], failure: MakeFailure
) -> None:
    parts = {"1": _recorded(make_path(), failure(0, key="k"))}
    here = _merged(make_path(), parts)
    there = Path(shutil.copy(here, make_path()))
    parts["2"] = _recorded(
        make_path(), replace(failure(0, key="k"), finished_at=3.0, cost=7, currency="CNY")
    )
    _merged(there, parts)
    adopt(here, there)
    with CheckpointReader.read(here) as checkpoint:
        assert [(o.cost, o.currency) for o in checkpoint.outcomes()] == [(7, "CNY")]


def test_one_that_was_merged_of_none_knows_then_whose_calls_it_has(
    make_path: Callable[[], Path], success: MakeSuccess
) -> None:
    parts = {"1": _recorded(make_path(), success(0))}
    here, there = _recorded(make_path(), success(1)), _merged(make_path(), parts)
    assert adopt(here, there) == 1
    _merged(here, parts)
    assert _counts(here).attempts == 2
    assert adopt(here, _recorded(make_path(), success(2))) == 1
    assert _counts(here).attempts == 3


def test_a_row_that_both_called_themselves_has_the_calls_of_both_and_none_of_their_runs(
    make_path: Callable[[], Path], success: MakeSuccess, problems: Problems
) -> None:
    parts = {"1": _recorded(make_path(), success(0))}
    here = _merged(make_path(), parts)
    there = Path(shutil.copy(here, make_path()))
    _recorded(here, success(1))
    _recorded(there, replace(success(1), finished_at=3.0))
    assert adopt(here, there) == 0
    assert _counts(here).attempts == 3
    assert problems(here) == []


def _request(row: int) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    return Request(row, f"id-{row}", request_key(f"id-{row}", body), body, Source("b.jsonl", row))


_ROWS = [_request(row) for row in range(4)]
_PARTS = st.dictionaries(st.sampled_from("123"), WORK)
_NAMED = st.sets(st.sampled_from("123"))


def _results(path: Path) -> set[int]:
    with CheckpointReader.read(path) as checkpoint:
        return {o.row for o in checkpoint.outcomes() if o.error_class is None}


@settings(max_examples=25)
@given(
    before=_PARTS, mine=WORK, theirs=WORK, since=_PARTS, named=st.tuples(_NAMED, _NAMED), own=WORK
)
def test_whatever_runs_and_merges_did_each_call_counts_once_when_all_are_merged(
    make_path: Callable[[], Path],
    problems: Problems,
    before: dict[str, Work],
    mine: Work,
    theirs: Work,
    since: dict[str, Work],
    named: tuple[set[str], set[str]],
    own: Work,
) -> None:
    calls = Calls()
    parts = {name: _recorded(make_path()) for name in "123"}
    for name, work in before.items():
        worked(parts[name], calls, work, _ROWS)
    here = _merged(make_path(), {name: parts[name] for name in before})
    worked(here, calls, own, _ROWS)
    there = Path(shutil.copy(here, make_path()))
    worked(here, calls, mine, _ROWS)
    # Of a row that several of them called since, not each call can be told from the others.
    worked(
        there, calls, [one for one in theirs if one[0] not in {row for row, _, _ in mine}], _ROWS
    )
    called = _results(there) | {row for row, _, _ in (*mine, *theirs)}
    for name, work in since.items():
        worked(parts[name], calls, [one for one in work if one[0] not in called], _ROWS)
    for path, names in zip((here, there), named, strict=True):
        _merged(path, {name: parts[name] for name in sorted({*before, *names})})
    results = _results(here) | _results(there)
    adopt(here, there)
    assert problems(here) == []
    assert _results(here) == results
    for _ in range(2):
        _merged(here, parts)
        assert problems(here) == []
        counts = _counts(here)
        assert counts.attempts == calls.made
        assert counts.prompt_tokens >= 10 * calls.whole
        no_use = brought_no_use(*before.values(), own)
        assert no_use or counts.prompt_tokens == 10 * calls.whole
