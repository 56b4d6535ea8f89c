"""The ledger: what arrived and what became of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from batcher.errors import OutputError, StorageError
from batcher.simulator.ledger import LedgerEntry, open_ledger, read_ledger

ARRIVED = LedgerEntry(
    server="s", seq=1, arrived_at=1.5, in_flight=2, request_id="r", prompt_key="k", prompt="你好"
)
ANSWERED = replace(ARRIVED, finished_at=2.5, status=429, code="1302", fault="1302", sent=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def record(path: Path, *entries: LedgerEntry) -> None:
    """Record the arrival of entries, and the end of those that have ended."""
    with open_ledger(path) as ledger:
        assert ledger is not None
        for entry in entries:
            ledger.arrived(entry)
            if entry.finished_at:
                ledger.answered(entry)


def test_what_was_recorded_is_read_again(path: Path) -> None:
    record(path, ANSWERED)
    assert read_ledger(path) == [ANSWERED]


def test_a_request_that_has_only_arrived_was_under_way(path: Path) -> None:
    record(path, ARRIVED)
    (entry,) = read_ledger(path)
    assert entry == ARRIVED
    assert (entry.finished_at, entry.status, entry.sent) == (None, None, False)


def test_two_simulators_append_to_one_ledger(path: Path) -> None:
    other = replace(ANSWERED, server="t")
    record(path, ANSWERED)
    record(path, other)
    assert read_ledger(path) == [ANSWERED, other]


def test_requests_come_in_the_order_of_their_arrival_not_of_their_end(path: Path) -> None:
    second = replace(ANSWERED, seq=2)
    with open_ledger(path) as ledger:
        assert ledger is not None
        ledger.arrived(ANSWERED)
        ledger.arrived(second)
        ledger.answered(second)
        ledger.answered(ANSWERED)
    assert [entry.seq for entry in read_ledger(path)] == [1, 2]


def test_each_line_is_one_write_so_that_a_kill_tears_at_most_the_last(path: Path) -> None:
    record(path, ANSWERED)
    assert path.read_bytes().count(b"\n") == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_torn_last_line_is_not_read_and_taken_away_by_the_next_simulator(path: Path) -> None:
    record(path, ANSWERED)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event":"arri')
    assert read_ledger(path) == [ANSWERED]
    record(path)
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b"[]",
        b'"text"',
        b'{"event":"arrived","server":"s"}',
        b'{"event":"arrived","server":"s","seq":2}',
        b'{"event":"arrived","server":"s","seq":[],"arrived_at":0,"in_flight":1}',
        b'{"event":"answered","server":"s","seq":9,"sent":true}',
        b'{"event":"answered","server":"s","seq":1,"unknown":true}',
    ],
)
def test_a_damaged_line_is_named(path: Path, line: bytes) -> None:
    record(path, ANSWERED)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(StorageError, match=r"ledger\.jsonl:3 is no line of a ledger"):
        read_ledger(path)


def test_a_ledger_that_cannot_be_opened_is_an_output_error(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"cannot open the ledger .*: Is a directory"),
        open_ledger(tmp_path),
    ):
        pass


def test_no_path_is_no_ledger() -> None:
    with open_ledger(None) as ledger:
        assert ledger is None
