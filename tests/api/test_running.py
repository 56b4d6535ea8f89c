"""`batcher.run` and `batcher.arun`: whole runs, against the simulator on a real socket."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import batcher
from batcher.simulator import read_ledger
from tests.faults.children import ENVIRONMENT, PATIENCE_S, until

AT_ONCE = batcher.SimulatorConfig(latency_s=0)
ROWS: list[dict[str, Any]] = [{"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(10)]
OUT = Path("labels.batch")


def _calls(directory: Path = OUT) -> int:
    return len(read_ledger(directory / "simulator.jsonl"))


@pytest.fixture
def prompts(folder: Path) -> str:
    """Return the name of a file that holds ROWS."""
    (folder / "prompts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    return "prompts.jsonl"


def test_a_file_is_run_and_its_results_come_back_as_arrow(prompts: str) -> None:
    result = batcher.run(prompts, simulate=AT_ONCE)
    assert result.directory == Path("prompts.batch")
    assert (result.ok, result.succeeded, result.failed, result.pending) == (True, 10, 0, 0)
    table = result.results().read_all()
    assert table.column("id").to_pylist() == [row["id"] for row in ROWS]
    assert all(table.column("response").to_pylist())
    assert result.errors().read_all().num_rows == 0


@pytest.mark.parametrize(
    "given",
    [Path("prompts.jsonl"), ["prompts.jsonl"], (Path("prompts.jsonl"),), "*.jsonl"],
    ids=str,
)
@pytest.mark.usefixtures("prompts")
def test_paths_lists_of_paths_and_globs_are_files(given: batcher.Input) -> None:
    assert batcher.run(given, output=OUT, simulate=AT_ONCE).succeeded == 10


@pytest.mark.parametrize(
    "given",
    [ROWS, tuple(ROWS), iter(ROWS), pa.Table.from_pylist(ROWS)],
    ids=lambda given: type(given).__name__,
)
def test_rows_in_memory_are_kept_in_the_run_directory(given: batcher.Input) -> None:
    result = batcher.run(given, output=OUT, simulate=AT_ONCE)
    assert result.results().read_all().column("prompt").to_pylist()[3] == "Say 3."
    (spooled,) = OUT.glob("spooled.*")
    assert spooled.stat().st_mode & 0o777 == 0o600


def test_types_of_a_table_come_back_exactly() -> None:
    columns: dict[str, pa.Array[Any]] = {
        "prompt": pa.array(["a", "b"]),
        "stars": pa.array([5, None], pa.int8()),
        "kind": pa.array(["x", "y"]).dictionary_encode(),
    }
    table = pa.table(columns)
    results = batcher.run(table, output=OUT, simulate=AT_ONCE).results()
    for name in columns:
        assert results.schema.field(name) == table.schema.field(name)
    assert results.read_all().select(list(columns)) == table


@pytest.mark.parametrize("make", [lambda rows: rows, pa.Table.from_pylist])
def test_the_same_rows_again_are_known_and_call_nothing(make: Any) -> None:  # noqa: ANN401 # one of two functions
    batcher.run(make(ROWS), output=OUT, simulate=AT_ONCE)
    before = (OUT / "checkpoint.db").stat().st_mtime_ns, _calls()
    again = batcher.run(make([dict(row) for row in ROWS]), output=OUT, simulate=AT_ONCE)
    assert (again.ok, _calls()) == (True, before[1])


def test_rows_that_are_new_are_called_and_the_others_kept() -> None:
    batcher.run(ROWS, output=OUT, simulate=AT_ONCE)
    more = batcher.run([*ROWS, {"id": "new", "prompt": "more"}], output=OUT, simulate=AT_ONCE)
    assert (more.succeeded, _calls()) == (11, 11)


def test_rows_of_the_other_kind_that_say_the_same_are_kept() -> None:
    batcher.run(ROWS, output=OUT, simulate=AT_ONCE)
    table = batcher.run(pa.Table.from_pylist(ROWS), output=OUT, simulate=AT_ONCE)
    assert (table.succeeded, _calls()) == (10, 10)
    assert [path.name for path in OUT.glob("spooled.*")] == ["spooled.parquet"]


def test_rows_whose_directory_is_gone_are_known_by_its_copy(folder: Path) -> None:
    """As on another host, where the same program is started again."""
    rows = [{"id": n, "prompt": f"Say {n}."} for n in range(5)]
    copies = folder / "copies"
    batcher.run(rows, output=OUT, simulate=AT_ONCE, progress=False, sync_checkpoint=copies)
    shutil.rmtree(OUT)
    result = batcher.run(
        rows, output=OUT, simulate=AT_ONCE, progress=False, sync_checkpoint=copies, sync_every="5m"
    )
    assert (result.ok, result.succeeded, result.attempts) == (True, 5, 5)
    assert not (Path(OUT) / "simulator.jsonl").read_text()


def test_a_change_that_gives_answers_up_needs_a_yes() -> None:
    batcher.run(ROWS, output=OUT, simulate=AT_ONCE)
    with pytest.raises(batcher.ConfigurationError, match=r"temperature: None -> 0(?s:.*)yes=True"):
        batcher.run(ROWS, output=OUT, simulate=AT_ONCE, parameters={"temperature": 0})
    assert _calls() == 10
    batcher.run(ROWS, output=OUT, simulate=AT_ONCE, parameters={"temperature": 0}, yes=True)
    assert _calls() == 20


def test_row_errors_are_data_and_may_be_called_again() -> None:
    rows = [*ROWS, {"id": "bad", "prompt": 17}]
    result = batcher.run(rows, output=OUT, simulate=AT_ONCE)
    assert (result.ok, result.failed, result.error_classes) == (False, 1, {"invalid_row": 1})
    assert result.errors().read_all().column("id").to_pylist() == ["bad"]
    allowed = batcher.run(rows, output=OUT, simulate=AT_ONCE, allow_errors=1, retry_errors=True)
    assert (allowed.ok, allowed.halted, _calls()) == (True, None, 10)


def test_a_halted_run_comes_back_with_its_reason_and_goes_on_later() -> None:
    halted = batcher.run(ROWS, output=OUT, simulate=AT_ONCE, max_rows=4)
    assert (halted.ok, halted.succeeded, halted.pending) == (False, 4, 6)
    assert halted.halted is not None
    assert halted.results().read_all().num_rows == 4
    assert batcher.run(ROWS, output=OUT, simulate=AT_ONCE).ok
    assert _calls() == 10


def test_a_provider_that_refuses_the_account_halts_with_rows_pending() -> None:
    simulator = batcher.SimulatorConfig(latency_s=0, faults={"1113": 1})
    result = batcher.run(ROWS, output=OUT, simulate=simulator)
    assert (result.ok, result.pending) == (False, 10)
    assert "recharge" in (result.halted or "")


def test_a_job_file_may_name_all(folder: Path, prompts: str) -> None:
    (folder / "job.toml").write_text(f'input = ["{prompts}"]\n[output]\ndirectory = "labels.batch"')
    assert batcher.run(job="job.toml", simulate=AT_ONCE).directory == OUT
    rows = batcher.run([{"prompt": "mine"}], job="job.toml", output="mine.batch", simulate=AT_ONCE)
    assert rows.results().read_all().column("prompt").to_pylist() == ["mine"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "no input"),
        ("-", "only the command line reads"),
        ({"prompt": "one"}, "a dict is one row"),
        (17, "a int is no input"),
        (b"prompts.jsonl", "a bytes is no input"),
        (["prompts.jsonl", 17], "17 is none"),
    ],
)
def test_what_is_no_input_is_refused_before_anything_is_made(
    folder: Path,
    given: Any,  # noqa: ANN401 # what a checker would refuse
    said: str,
) -> None:
    with pytest.raises(batcher.UsageError, match=said):
        batcher.run(given, output=OUT, simulate=True)
    assert list(folder.iterdir()) == []


def test_an_async_iterable_is_refused_with_the_way_out() -> None:
    class Later:
        def __aiter__(self) -> None: ...

    rows: Any = Later()
    with pytest.raises(batcher.UsageError, match="gather its rows"):
        batcher.run(rows, output=OUT, simulate=True)


def test_rows_without_a_directory_are_refused_before_one_is_taken() -> None:
    rows = iter(ROWS)
    with pytest.raises(batcher.UsageError, match=r'output="labels\.batch"'):
        batcher.run(rows, simulate=True)
    assert next(rows) == ROWS[0]


def test_a_directory_in_use_is_refused_before_a_row_is_taken() -> None:
    inner: list[BaseException] = []

    def rows() -> Iterator[Mapping[str, Any]]:
        others = iter(ROWS)
        try:
            batcher.run(others, output=OUT, simulate=AT_ONCE)
        except batcher.LockedError as error:
            inner.append(error)
        assert next(others) == ROWS[0]
        yield from ROWS

    assert batcher.run(rows(), output=OUT, simulate=AT_ONCE).ok
    assert "another run works in labels.batch" in str(inner[0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"to": "out"}, "is named with output$"),
        ({"limit": 1, "sample": 1}, "^limit and sample choose different rows"),
        ({"max_cost": "1.00USD"}, "^max_cost is in USD"),
        ({"output": "s3://bucket/x"}, "Name it with output DIR, and .* with to s3://bucket/x$"),
    ],
)
def test_errors_name_arguments(options: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"output": OUT, "model": "glm-4.7", "simulate": AT_ONCE, **options}
    with pytest.raises(batcher.BatcherError, match=said):
        batcher.run(ROWS, **given)


async def test_so_do_those_of_a_run_in_an_event_loop_and_of_a_merge() -> None:
    with pytest.raises(batcher.CredentialsError, match="or give api_key, or the name of its file"):
        await batcher.arun(ROWS, output=OUT, model="glm-4.7")
    run = batcher.run(ROWS, output=OUT, simulate=AT_ONCE)
    with pytest.raises(batcher.UsageError, match="name another directory with output"):
        batcher.merge([run.directory], output=OUT)


def test_why_a_run_halted_names_arguments_too() -> None:
    result = batcher.run(ROWS, output=OUT, simulate=AT_ONCE, max_rows=3, concurrency=2)
    assert result.halted == "Stopped after 3 rows (max_rows). The same command goes on."
    assert "(max_rows)" in str(result)
    assert "limit 2 (concurrency)" in str(result)


@pytest.mark.parametrize("simulate", [{"latency_s": 0}, {}, "yes", 1])
def test_what_says_nothing_of_a_simulator_is_refused_and_calls_nothing(simulate: Any) -> None:  # noqa: ANN401 # anything
    with pytest.raises(batcher.UsageError, match=r"; give True, or a batcher\.SimulatorConfig\("):
        batcher.run(ROWS, output=OUT, simulate=simulate)
    assert not OUT.exists()


def test_a_key_is_shown_by_no_traceback_and_needed_without_a_simulator() -> None:
    with pytest.raises(batcher.CredentialsError, match="ZHIPUAI_API_KEY"):
        batcher.run(ROWS, output=OUT, model="glm-4-flash")
    with pytest.raises(batcher.CredentialsError, match="white space") as caught:
        batcher.run(ROWS, output=OUT, model="glm-4-flash", api_key="canary key")
    for entry in caught.traceback[1:]:
        assert "canary" not in repr(entry.frame.f_locals)
    assert len(caught.traceback) > 1
    assert not OUT.exists()


def test_a_key_may_be_hidden_and_there_may_be_several() -> None:
    """They are refused as one malformed key of two is, by its number."""
    keys: list[str | batcher.Secret] = [batcher.Secret("id.secret"), "canary key"]
    with pytest.raises(batcher.CredentialsError, match="API key 2 of 2"):
        batcher.run(ROWS, output=OUT, model="glm-4-flash", api_key=keys)


def test_the_coding_plan_is_warned_of() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(batcher.ConfigurationError, match=r"; give model, such"):
            batcher.run(
                ROWS,
                output=OUT,
                base_url="https://open.bigmodel.cn/api/coding/paas/v4",
                api_key="id.secret",
            )
    assert [str(one.message)[:5] for one in caught] == ["https"]
    assert caught[0].filename == __file__


def test_progress_is_shown_on_stderr_or_not_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    batcher.run(ROWS, output=OUT, simulate=AT_ONCE, progress=False)
    assert capsys.readouterr() == ("", "")
    batcher.run([*ROWS, {"prompt": "more"}], output=OUT, simulate=AT_ONCE)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "1 row to be called; 10 rows with answer or error kept" in shown.err
    assert '"event": "calls_ended"' in shown.err


async def test_several_runs_go_on_at_once_where_a_loop_runs() -> None:
    names = ["a.batch", "b.batch", "c.batch"]
    results = await asyncio.gather(
        *(batcher.arun(ROWS, output=name, simulate=AT_ONCE) for name in names)
    )
    assert [(result.directory.name, result.succeeded) for result in results] == [
        (name, 10) for name in names
    ]


async def test_of_two_runs_on_one_directory_one_is_refused() -> None:
    slow = batcher.SimulatorConfig(latency_s=0.3)
    runs = [batcher.arun(ROWS, output=OUT, simulate=slow) for _ in range(2)]
    first, second = await asyncio.gather(*runs, return_exceptions=True)
    refused, done = (first, second) if isinstance(first, BaseException) else (second, first)
    assert isinstance(refused, batcher.LockedError)
    assert isinstance(done, batcher.Result)
    assert (done.succeeded, _calls()) == (10, 10)


async def test_the_plain_function_works_where_a_loop_runs() -> None:
    """As in the cell of a notebook."""
    assert batcher.run(ROWS, output=OUT, simulate=AT_ONCE).succeeded == 10


def test_the_plain_function_works_in_any_thread() -> None:
    results: list[batcher.Result] = []
    thread = threading.Thread(
        target=lambda: results.append(batcher.run(ROWS, output=OUT, simulate=AT_ONCE))
    )
    thread.start()
    thread.join()
    assert results[0].succeeded == 10


async def test_a_cancelled_run_records_the_calls_in_flight_and_goes_on_later() -> None:
    slow = batcher.SimulatorConfig(latency_s=0.4)
    many = [{"id": str(n), "prompt": f"Say {n}."} for n in range(40)]
    task = asyncio.create_task(batcher.arun(many, output=OUT, simulate=slow, concurrency=4))
    await asyncio.to_thread(until, lambda: _begun() >= 8, "calls")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    answered = pq.read_metadata(OUT / "results.parquet").num_rows
    assert 8 <= answered == _calls() < 40
    done = await batcher.arun(many, output=OUT, simulate=AT_ONCE)
    assert (done.succeeded, _calls()) == (40, 40)


def _begun() -> int:
    ledger = OUT / "simulator.jsonl"
    return ledger.read_text().count('"arrived"') if ledger.exists() else 0


# --- real signals, in processes of their own ---

_SCRIPT = """
import asyncio, batcher, signal, sys
rows = [{"id": str(n), "prompt": f"Say {n}."} for n in range(40)]
simulator = batcher.SimulatorConfig(latency_s=LATENCY)
job = dict(output="labels.batch", simulate=simulator, concurrency=4)
"""
_PLAIN = "batcher.run(rows, **job)"
_TASK = "asyncio.run(batcher.arun(rows, **job))"
_CELL = """
async def cell():
    # A kernel takes Ctrl-C for its own, and has a loop in its main thread.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    batcher.run(rows, **job)
asyncio.run(cell())
"""
_GOES_ON = """
heard = []
signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
result = batcher.run(rows, **job)
print(heard, result.pending > 0)
"""


def _started(script: str, latency: float = 0.4, calls: int = 8) -> subprocess.Popen[str]:
    process = subprocess.Popen(  # noqa: S603 # a script of our own
        [sys.executable, "-c", _SCRIPT.replace("LATENCY", str(latency)) + script],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: _begun() >= calls or process.poll() is not None, "calls")
    return process


@pytest.mark.parametrize("script", [_PLAIN, _TASK, _CELL], ids=["plain", "task", "cell"])
def test_ctrl_c_records_the_calls_in_flight_and_is_then_a_keyboard_interrupt(script: str) -> None:
    process = _started(script)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -signal.SIGINT, err
    assert re.search(r"^KeyboardInterrupt", err, re.MULTILINE)
    assert 8 <= pq.read_metadata(OUT / "results.parquet").num_rows == _calls() < 40


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_another_signal_ends_a_script_as_it_would_have_but_in_order(number: signal.Signals) -> None:
    process = _started(_PLAIN)
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -number, err
    assert 8 <= pq.read_metadata(OUT / "results.parquet").num_rows == _calls() < 40


def test_a_script_with_a_handler_of_its_own_gets_its_signal_and_the_result() -> None:
    process = _started(_GOES_ON)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out.strip()) == (0, f"[{int(signal.SIGTERM)}] True"), err


@pytest.mark.parametrize("script", [_PLAIN, _TASK, _CELL], ids=["plain", "task", "cell"])
def test_a_second_ctrl_c_does_not_wait_for_the_calls_in_flight(script: str) -> None:
    """They would take ten minutes."""
    process = _started(script, latency=600, calls=4)
    process.send_signal(signal.SIGINT)
    until(lambda: "a second signal stops at once" in _logged(), "the first signal was heard")
    process.send_signal(signal.SIGINT)
    # Less than the 20 s that the first one alone allows.
    _, err = process.communicate(timeout=15)
    assert process.returncode == -signal.SIGINT, err


def _logged() -> str:
    return (OUT / "log.jsonl").read_text()
