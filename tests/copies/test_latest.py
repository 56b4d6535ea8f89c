"""What `latest.json` says."""

from __future__ import annotations

import pytest

from batcher.checkpoint import Lineage, Process, Step
from batcher.copies import Copy, Latest, Spooled, Writer
from batcher.copies.latest import decoded, is_made
from batcher.errors import StorageError
from batcher.wording import utc

NOW = 1_800_000_000.0


def _writer(process: Process, *, seen: float = NOW, every: float = 60.0) -> Writer:
    return Writer(**process._asdict(), token="t", since=NOW, seen=seen, every=every)  # noqa: S106 -- no secret


def _elsewhere() -> Process:
    return Process("other-host", "other-boot", "pid:[1]", 7, "1")


def _copy(spooled: Spooled | None = None) -> Copy:
    return Copy(
        name="checkpoint-3-0123abcd.db",
        size=10,
        sha256="0" * 64,
        lineage=(Step("a", 3),),
        rows=1200,
        state="s",
        made_at=NOW,
        spooled=spooled,
    )


def test_what_was_written_is_read_again() -> None:
    spooled = Spooled(file="stdin.jsonl", name="input-0123456789abcdef", size=1, sha256="1")
    latest = Latest(run="run", writer=_writer(_elsewhere()), copy=_copy(spooled=spooled))
    assert decoded(latest.encoded(), "memory://x") == latest
    assert latest.files() == {"checkpoint-3-0123abcd.db", "input-0123456789abcdef"}
    assert Latest(run="run", writer=latest.writer).files() == set()
    assert latest.copy is not None
    assert latest.copy.of == Lineage((Step("a", 3),))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"format": 2}', b'{"writer": {}}', b'\xff{"format": 1}'],
)
def test_what_is_none_or_of_another_version_is_refused_with_a_way_out(content: bytes) -> None:
    with pytest.raises(StorageError, match=r"memory://x/latest.json cannot be understood.*remove"):
        decoded(content, "memory://x")


@pytest.mark.parametrize("file", ["../stdin.jsonl", "/etc/passwd", ".hidden", "a/b", ""])
def test_no_file_outside_of_a_run_directory_can_be_named(file: str) -> None:
    spooled = Spooled(file=file, name="input-0123456789abcdef", size=1, sha256="1")
    content = Latest(run="run", writer=_writer(_elsewhere()), copy=_copy(spooled=spooled)).encoded()
    with pytest.raises(StorageError, match="cannot be understood"):
        decoded(content, "memory://x")


@pytest.mark.parametrize(
    ("every", "silence", "lives"),
    [
        *((60.0, 179.0, True), (60.0, 180.0, False), (1.0, 179.0, True), (1.0, 181.0, False)),
        *((600.0, 1799.0, True), (600.0, 1801.0, False), (60.0, -179.0, True)),
        (60.0, -181.0, False),
    ],
)
def test_a_process_that_cannot_be_seen_from_here_is_dead_after_three_missed_signs_of_life(
    every: float, silence: float, *, lives: bool
) -> None:
    """And after no less than three minutes; a clock that is ahead is like one that is behind."""
    writer = _writer(_elsewhere(), seen=NOW - silence, every=every)
    assert writer.may_live(NOW) is lives


def test_a_process_of_this_machine_that_is_gone_is_known_to_be_dead_at_once() -> None:
    this = Process.this()
    assert not _writer(this._replace(ticks="1")).may_live(NOW)


def test_a_process_of_this_machine_that_runs_lives_however_silent_it_is() -> None:
    this = Process.this()
    with open("/proc/1/stat", encoding="utf-8", errors="replace") as stat:  # noqa: PTH123 -- not a path of ours
        ticks = stat.read().rpartition(") ")[2].split()[19]
    init = _writer(this._replace(pid=1, ticks=ticks), seen=NOW - 1e6)
    assert init.may_live(NOW)


def test_a_run_that_failed_in_this_very_process_does_not_stand_in_its_own_way() -> None:
    assert not _writer(Process.this()).may_live(NOW)


def test_a_process_that_has_ended_in_order_is_not_waited_for() -> None:
    writer = Writer(
        **_elsewhere()._asdict(),
        token="t",  # noqa: S106 -- no secret
        since=NOW,
        seen=NOW,
        every=60.0,
        at_work=False,
    )
    assert not writer.may_live(NOW)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        *(("checkpoint-12-0123abcd.db", True), ("input-0123456789abcdef", True)),
        *(("latest.json", False), ("checkpoint.db", False), ("results.parquet", False)),
        *(("checkpoint-12-0123abcd.db.bak", False), ("my-checkpoint-1-0123abcd.db", False)),
    ],
)
def test_only_files_of_its_own_making_are_known_as_such(name: str, *, made: bool) -> None:
    assert is_made(name) is made


def test_a_copy_is_told_by_its_number_its_moment_and_its_rows() -> None:
    assert str(_copy()) == f"copy 3 of {utc(NOW)}, 1,200 rows"
