"""A store that fails, falls silent or changes in the middle, and a run that is killed meanwhile."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.objects.conftest import Lines, Place
from tests.objects.door import Asked, Door, Verdict
from tests.objects.store import Bucket

# Far more than anything here takes; what hangs meets it.
PATIENCE_S = 300
# Four pieces of a file, each a request.
ROWS, MORE = 400, 40_000


def wait_for(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def large(bucket: Bucket, lines: Lines) -> str:
    """Return the URL of an input that is read in many requests."""
    bucket.put("in/large.jsonl", lines(ROWS, more=MORE))
    return f"{bucket.url}/in/large.jsonl"


def recorded(place: Place) -> int:
    table: pa.Table = pq.read_table(place.path / "run" / "results.parquet")
    return table.num_rows


def from_the_middle(verdict: Verdict) -> Callable[[Asked], Verdict]:
    """Disturb the requests for the large file from the fifth on."""

    def judge(asked: Asked) -> Verdict:
        later = asked.method == "GET" and asked.place.endswith("large.jsonl") and asked.before >= 4
        return verdict if later else "pass"

    return judge


@pytest.mark.parametrize("verdict", ["drop", "fail"])
def test_a_store_that_dies_while_it_is_read_costs_no_answer(
    verdict: Verdict, large: str, behind: Place, gate: Door
) -> None:
    gate.judge = from_the_middle(verdict)
    done = behind.run(large)
    assert done.returncode == 74, done.stderr
    assert f"cannot read {large}: " in done.stderr
    assert "at line" in done.stderr
    assert "the same command goes on" in done.stderr
    called = behind.calls()
    gate.judge = from_the_middle("pass")
    again = behind.run(large)
    assert again.returncode == 0, again.stderr
    assert recorded(behind) == ROWS
    assert set(behind.calls().values()) == {1}
    assert len(called) <= ROWS


def test_one_request_that_fails_is_asked_again(large: str, behind: Place, gate: Door) -> None:
    failed = set()

    def once(asked: Asked) -> Verdict:
        if asked.method == "GET" and asked.place.endswith("large.jsonl") and asked.before == 3:
            failed.add(asked)
            return "fail"
        return "pass"

    gate.judge = once
    done = behind.run(large)
    assert (done.returncode, len(failed)) == (0, 1), done.stderr


def test_a_signal_ends_a_run_whose_store_is_silent(large: str, behind: Place, gate: Door) -> None:
    gate.judge = from_the_middle("hang")
    process = behind.started(large)
    wait_for(lambda: any(from_the_middle("hang")(asked) == "hang" for asked in gate.asked))
    process.send_signal(signal.SIGTERM)
    said, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143, errors
    assert "Stopped by SIGTERM" in said
    gate.over.set()
    gate.judge = from_the_middle("pass")
    assert behind.run(large).returncode == 0
    assert recorded(behind) == ROWS
    assert set(behind.calls().values()) == {1}


def test_a_second_signal_ends_it_at_once(large: str, behind: Place, gate: Door) -> None:
    gate.judge = from_the_middle("hang")
    process = behind.started(large)
    wait_for(lambda: any(from_the_middle("hang")(asked) == "hang" for asked in gate.asked))
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    wait_for(lambda: "SIGTERM: waiting" in process.stderr.readline())  # type: ignore[union-attr] # above
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143


def test_a_killed_run_goes_on_where_it_was(large: str, place: Place) -> None:
    process = place.started(large)
    wait_for(lambda: len(place.calls()) > ROWS // 8)
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    assert place.run(large).returncode == 0
    assert recorded(place) == ROWS
    # Those that were in flight were called again, and no other.
    assert sum(place.calls().values()) <= ROWS + 128


def test_an_input_that_is_replaced_while_it_is_read_is_an_error_not_a_mixture(
    large: str, bucket: Bucket, behind: Place, gate: Door, lines: Lines
) -> None:
    replaced = lines(ROWS, first=ROWS, more=MORE)

    def replace(asked: Asked) -> Verdict:
        if asked.method == "GET" and asked.place.endswith("large.jsonl") and asked.before == 4:
            bucket.put("in/large.jsonl", replaced)
        return "pass"

    gate.judge = replace
    done = behind.run(large)
    assert done.returncode == 2
    assert "was replaced or removed while it was read" in done.stderr
    new = {f"say {n}" for n in range(ROWS, 2 * ROWS)}
    assert not new & {prompt.split(" x")[0] for prompt in behind.calls()}


def on_the_way(verdict: Verdict) -> Callable[[Asked], Verdict]:
    """Disturb what is written of the results."""

    def judge(asked: Asked) -> Verdict:
        written = asked.method in ("PUT", "POST") and "out/results" in asked.place
        return verdict if written else "pass"

    return judge


@pytest.mark.parametrize("verdict", ["drop", "fail"])
def test_a_store_that_dies_while_it_is_written_costs_nothing_but_the_copy(
    verdict: Verdict, large: str, bucket: Bucket, behind: Place, gate: Door
) -> None:
    gate.judge = on_the_way(verdict)
    done = behind.run(large, "--to", f"{bucket.url}/out")
    assert done.returncode == 74, done.stderr
    assert f"cannot write {bucket.url}/out/results.parquet: " in done.stdout
    assert f"`batcher export run --to {bucket.url}/out`" in done.stdout
    assert recorded(behind) == ROWS
    assert bucket.get("out/results.parquet") is None
    gate.judge = on_the_way("pass")
    again = behind.run(large, "--to", f"{bucket.url}/out")
    assert again.returncode == 0, again.stderr
    whole = (behind.path / "run" / "results.parquet").read_bytes()
    assert bucket.get("out/results.parquet") == whole
    assert set(behind.calls().values()) == {1}


def test_a_signal_ends_a_run_whose_store_takes_nothing(
    large: str, bucket: Bucket, behind: Place, gate: Door
) -> None:
    gate.judge = on_the_way("hang")
    process = behind.started(large, "--to", f"{bucket.url}/out")
    wait_for(lambda: any(on_the_way("hang")(asked) == "hang" for asked in gate.asked))
    process.send_signal(signal.SIGTERM)
    said, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143, errors
    assert "as the run had to end" in said
    assert recorded(behind) == ROWS
    assert bucket.get("out/results.parquet") is None


def test_a_run_that_is_killed_while_it_writes_leaves_what_was_there(
    large: str, bucket: Bucket, behind: Place, gate: Door
) -> None:
    bucket.put("out/results.parquet", b"of yesterday")
    gate.judge = on_the_way("hang")
    process = behind.started(large, "--to", f"{bucket.url}/out")
    wait_for(lambda: any(on_the_way("hang")(asked) == "hang" for asked in gate.asked))
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    assert bucket.get("out/results.parquet") == b"of yesterday"
    gate.over.set()
    gate.judge = on_the_way("pass")
    assert behind.run(large, "--to", f"{bucket.url}/out").returncode == 0
    whole = (behind.path / "run" / "results.parquet").read_bytes()
    assert bucket.get("out/results.parquet") == whole
