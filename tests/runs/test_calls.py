"""The calls of a run: by several keys, to several models, in an outage, within what may be open."""

from __future__ import annotations

import gzip
import json
import random
import re
import shutil
import signal
from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batcher.errors import InputError, Interruption
from batcher.history import Ended
from batcher.job import OutputSpec
from batcher.providers import Bearer, provider_named
from batcher.runs.calling import Callee
from batcher.runs.selection import Portion
from batcher.runs.status import status_of
from tests.simulated import AT_ONCE, Place, Silent

KEYS = tuple(f"id-{n:016}.secret-{n:016}" for n in (1, 2, 3))


class Listener(Silent):
    """A watcher that keeps what it is told in words."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


def _rows(place: Place, rows: int) -> None:
    place.write({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(rows))


def test_of_several_keys_one_that_runs_dry_is_set_aside_and_the_others_go_on(place: Place) -> None:
    """And its name is a number, never the key."""
    _rows(place, 200)
    first = KEYS[0].partition(".")[0]
    simulator = replace(AT_ONCE, keys=frozenset(KEYS), key_faults={first: (10, "1113")})
    watcher = Listener()
    session = replace(
        place.session(simulator=simulator),
        callee=Callee(provider_named("glm"), tuple(map(Bearer, KEYS)), simulator),
        watcher=watcher,
    )
    result = session.run()
    assert (result.summary.pending, result.halted) == (0, None)
    assert len(place.results()) == 200
    (notice,) = watcher.notices
    assert notice.startswith("Key 1 of 3 is set aside: ")
    assert "2 of 3 keys left" in notice
    assert not any(part in notice for key in KEYS for part in key.split("."))


@pytest.mark.parametrize(("rows", "told"), [([], True), (["", "  "], True), (["[]"], False)])
def test_an_input_without_a_row_is_told_of_in_the_log_too(
    place: Place, rows: list[str], *, told: bool
) -> None:
    """A producer that wrote nothing must not pass for a good night; a bad line is a row."""
    place.write(rows)
    watcher = Listener()
    for _start in range(2):
        result = replace(place.session(), watcher=watcher).run()
        assert ("no row at all" in result.summary.ended) == told
        assert result.exit_code(OutputSpec(allow_errors=1)) == 0
    assert sum("no row at all" in notice for notice in watcher.notices) == 2 * told
    assert ("no row at all" in place.directory.log.read_text()) == told


def test_the_run_stops_when_no_key_is_left(place: Place) -> None:
    _rows(place, 200)
    dry = {key.partition(".")[0]: (10, "1113") for key in KEYS}
    simulator = replace(AT_ONCE, keys=frozenset(KEYS), key_faults=dry)
    callee = Callee(provider_named("glm"), tuple(map(Bearer, KEYS)), simulator)
    result = replace(place.session(simulator=simulator), callee=callee).run()
    assert result.halted is not None
    assert result.halted.exit_code == 77
    assert len(place.results()) == 30
    assert place.errors() == []


def test_rows_that_one_model_filters_are_put_to_the_next(place: Place) -> None:
    _rows(place, 100)
    job = place.job(
        provider={"models": ["glm-4-flash", "glm-4-air"], "fallback_on": ["content_filtered"]}
    )
    result = place.run(job, replace(AT_ONCE, faults={"1301": 0.4}))
    answered = Counter(row["model"] for row in place.results())
    assert answered["glm-4-flash"] > answered["glm-4-air"] > 0
    filtered = [row for row in place.errors() if row["error_class"] == "content_filtered"]
    assert len(filtered) + answered.total() == 100
    # Refused by both.
    assert {row["attempts"] for row in filtered} == {2}
    assert result.summary.counts.attempts == 100 + answered["glm-4-air"] + len(filtered)


def test_no_row_fails_because_the_endpoint_was_down(place: Place) -> None:
    """reliability.md promise 9: rows wait, are told why, and go on."""
    _rows(place, 50)
    watcher = Listener()
    session = place.session(simulator=replace(AT_ONCE, fail_after=(20, "1305")))
    job = place.job(limits={"concurrency": 4, "max_outage": "1h"})
    down = replace(session, job=job, watcher=watcher).run()
    assert down.halted is not None
    assert down.halted.exit_code == 75
    assert "has been down for 1 h" in down.halted.reason
    assert watcher.notices[0].startswith("The endpoint is down (")
    assert (len(place.results()), place.errors()) == (20, [])
    # What was in flight, what it took to see it, and one probe a minute.
    assert len(place.ledger()) <= 20 + 4 + 10 + 64
    assert place.run(job).summary.pending == 0


def test_an_input_that_ends_in_damage_costs_no_answer_of_the_rows_before(place: Place) -> None:
    """Their calls are under way, and paid, when the damage is met."""
    noise = random.Random(0)  # noqa: S311 -- only so that it cannot be packed
    rows = [{"id": f"id-{n}", "prompt": f"{noise.getrandbits(4000):x}"} for n in range(300)]
    packed = gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode())
    path = place.folder / "cut.jsonl.gz"
    path.write_bytes(packed[: len(packed) // 2])
    output = {"directory": str(place.directory.path)}
    slow = replace(AT_ONCE, latency_s=0.05)
    watcher = Listener()
    job = place.job(input=[str(path)], output=output)
    result = replace(place.session(job, slow), watcher=watcher).run()
    calls = len(place.ledger())
    assert result.summary.counts.results == calls > 0
    assert result.exit_code(job.output) == InputError.exit_code
    early, late = watcher.notices
    assert early.startswith("Not all rows can be read: cannot read ")
    assert re.fullmatch(r"cannot read .*cut\.jsonl\.gz, line \d+: .*", late)
    assert result.halted is not None
    assert result.summary.ended == result.halted.reason == late
    assert str(result.summary.unexported).startswith("not written: cannot read ")
    status = status_of(place.directory)
    assert (status.state, status.total, status.counts.results) == ("stopped", None, calls)


def test_an_input_that_is_mended_goes_on_with_its_answers(place: Place) -> None:
    """A whole copy takes the place of one that was cut; only its further rows are called."""
    rows = [json.dumps({"id": f"id-{n}", "prompt": f"Say {n}."}) for n in range(9)]
    table = pa.Table.from_pylist([json.loads(row) for row in rows[6:]])
    folder, output = place.folder / "in", {"directory": str(place.directory.path)}
    folder.mkdir()
    (folder / "a.jsonl").write_text("\n".join(rows[:6]))
    (folder / "b.parquet").touch()
    job = place.job(input=[str(folder)], output=output)
    cut = place.run(job)
    assert (cut.summary.counts.results, cut.summary.pending) == (6, None)
    pq.write_table(table, folder / "b.parquet")
    result = place.run(job)
    assert (result.exit_code(job.output), len(place.results()), len(place.ledger())) == (0, 9, 9)


def test_a_trial_of_an_input_that_is_cut_short_is_told_why_it_has_no_files(place: Place) -> None:
    """Its rows were read, but how many there are is not known."""
    _rows(place, 2)
    cut = place.folder / "cut.parquet"
    cut.touch()
    job = place.job(
        input=[str(place.input), str(cut)], output={"directory": str(place.directory.path)}
    )
    result = replace(place.session(job), portion=Portion(limit=1)).run()
    assert (result.ended, result.summary.counts.results) == (Ended.DONE, 1)
    assert result.exit_code(job.output) == InputError.exit_code


def test_the_limit_of_open_files_is_told_where_it_cuts_the_calls(
    place: Place,
) -> None:
    watcher = Listener()
    session = replace(place.session(place.job(limits={"concurrency": 10**7})), watcher=watcher)
    session.run()
    assert watcher.notices[0].startswith("The limit of open files (ulimit -n) allows ")


def test_a_signal_while_the_last_figures_are_sent_lets_the_run_end_in_order(
    place: Place,
) -> None:
    """Its files are written, and it says that it was stopped."""
    metrics = place.folder / "metrics"
    metrics.mkdir()

    class Late(Silent):
        def finished(self) -> None:
            shutil.rmtree(metrics)

        def notice(self, text: str) -> None:
            if text.startswith("Cannot write the metrics"):
                raise Interruption(signal.SIGTERM)

    job = place.job(observe={"metrics_file": str(metrics / "run.prom")})
    result = replace(place.session(job), watcher=Late()).run()
    assert result.interrupted is signal.SIGTERM
    assert result.summary.unexported is None
    assert len(place.results()) == 10
