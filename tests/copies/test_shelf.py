"""The place of copies, claimed by one process at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from batcher.checkpoint import Checkpoint, Step
from batcher.copies import Copy, Copying, Latest, Shelf
from batcher.copies.latest import NAME
from batcher.errors import LockedError, StorageError
from tests.copies.memory import Clock, Memory, made_success


def _seen_elsewhere(store: Memory, **values: object) -> None:
    """Let what stands in `latest.json` have been written on another machine."""
    latest = store.latest()
    far = dict.fromkeys(("host", "boot", "ticks", "token"), "far")
    writer = msgspec.structs.replace(latest.writer, **far, **values)
    store.files[NAME] = msgspec.structs.replace(latest, writer=writer).encoded()


def _copy(name: str) -> Copy:
    return Copy(
        name=name, size=1, sha256="", lineage=(Step("a", 1),), rows=1, state=name, made_at=0.0
    )


def test_an_empty_place_is_claimed_and_says_so_to_others(store: Memory, clock: Clock) -> None:
    shelf = Shelf(store, 60.0, clock)
    assert shelf.claim() is None
    latest = store.latest()
    assert latest.copy is None
    assert latest.writer.token == shelf.token
    assert latest.writer.at_work


def test_where_another_process_works_the_second_is_told_who_since_when_and_for_how_long(
    store: Memory, clock: Clock
) -> None:
    Shelf(store, 60.0, clock).claim()
    _seen_elsewhere(store)
    clock.now += 70
    with pytest.raises(
        LockedError,
        match=r"process \d+ on far, since 2027-01-15 .*seen 70 s ago.*command again in 110 s",
    ):
        Shelf(store, 60.0, clock).claim()
    assert store.latest().writer.host == "far"


def test_a_living_process_of_this_machine_is_to_be_waited_for(store: Memory, clock: Clock) -> None:
    Shelf(store, 60.0, clock).claim()
    ticks = Path("/proc/1/stat").read_text("utf-8", "replace").rpartition(") ")[2].split()[19]
    latest = store.latest()
    writer = msgspec.structs.replace(latest.writer, pid=1, ticks=ticks)
    store.files[NAME] = msgspec.structs.replace(latest, writer=writer).encoded()
    clock.now += 1e6
    with pytest.raises(LockedError, match=r"process 1 on .*Wait for it, or stop it"):
        Shelf(store, 60.0, clock).claim()


def test_who_was_silent_for_long_enough_is_followed_and_its_copy_stays(
    store: Memory, clock: Clock, path: Path, copy_of: Callable[..., None]
) -> None:
    copy_of(path, 0, 1)
    _seen_elsewhere(store, at_work=True)
    clock.now += 180
    shelf = Shelf(store, 60.0, clock)
    copy = shelf.claim()
    assert copy is not None
    assert copy.rows == 2
    assert store.latest() == Latest(run=copy.of.run, writer=store.latest().writer, copy=copy)
    assert store.latest().writer.token == shelf.token


def test_two_that_claim_at_the_same_moment_do_not_both_work(store: Memory, clock: Clock) -> None:
    first, second = Shelf(store, 60.0, clock), Shelf(store, 60.0, clock)

    def other_writes_too(verb: str, name: str) -> None:
        if verb == "write" and name == NAME:
            store.before = lambda _verb, _name: None
            store.late = False
            second.claim()

    store.before, store.late = other_writes_too, True
    with pytest.raises(LockedError, match="has taken over this run"):
        first.claim()
    second.renew()


def test_a_sign_of_life_is_seen_and_the_copy_stays(store: Memory, clock: Clock) -> None:
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()
    shelf.put(_copy("checkpoint-1-00000000.db"), at_work=True)
    clock.now += 60
    shelf.renew()
    assert store.latest().writer.seen == clock.now
    assert store.latest().copy == _copy("checkpoint-1-00000000.db")


@pytest.mark.parametrize("what", ["renew", "put", "tidy", "release"])
def test_who_was_followed_by_another_writes_nothing_any_more(
    store: Memory, clock: Clock, what: str
) -> None:
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()
    store.files["checkpoint-9-ffffffff.db"] = b""
    _seen_elsewhere(store)
    before = dict(store.files)
    acts: dict[str, Callable[[], None]] = {
        "renew": shelf.renew,
        "put": lambda: shelf.put(_copy("checkpoint-1-00000000.db"), at_work=True),
        "tidy": shelf.tidy,
        "release": shelf.release,
    }
    with pytest.raises(LockedError, match=r"process \d+ on far.*this process stops"):
        acts[what]()
    assert store.files == before


def test_copies_before_the_one_that_counts_are_removed_and_what_is_not_ours_stays(
    store: Memory, clock: Clock
) -> None:
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()
    left = {"checkpoint-1-00000000.db", "checkpoint-9-ffffffff.db", "input-0000000000000000"}
    store.files |= dict.fromkeys({*left, "results.parquet"}, b"")
    store.files["checkpoint-2-00000000.db"] = b""
    shelf.put(_copy("checkpoint-2-00000000.db"), at_work=True)
    shelf.tidy()
    assert {*store.files} == {NAME, "checkpoint-2-00000000.db", "results.parquet"}


def test_who_is_followed_while_it_removes_earlier_copies_does_not_remove_that_of_its_follower(
    store: Memory, clock: Clock
) -> None:
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()
    shelf.put(_copy("checkpoint-1-00000000.db"), at_work=True)
    store.files |= dict.fromkeys(["checkpoint-0-00000000.db", "checkpoint-1-00000000.db"], b"")

    requests: list[str] = []

    def follow_between(verb: str, _name: str) -> None:
        requests.append(verb)
        if len(requests) == 2:
            _seen_elsewhere(store)
            store.files["checkpoint-2-ffffffff.db"] = b""

    store.before = follow_between
    with contextlib.suppress(LockedError):
        shelf.tidy()
    assert "checkpoint-2-ffffffff.db" in store.files


def test_a_put_of_which_nobody_knows_whether_it_was_written_leaves_what_either_names(
    store: Memory, clock: Clock
) -> None:
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()
    names = ["checkpoint-1-00000000.db", "checkpoint-2-00000000.db"]
    store.files |= dict.fromkeys(names, b"")
    shelf.put(_copy(names[0]), at_work=True)
    store.files[names[1]] = b""

    def fail(verb: str, name: str) -> None:
        if (verb, name) == ("write", NAME):
            raise StorageError("the line was cut")

    for late in (False, True):
        store.before, store.late = fail, late
        with pytest.raises(StorageError, match="the line was cut"):
            shelf.put(_copy(names[1]), at_work=True)
        assert {*names} <= {*store.files}
        store.before = lambda _verb, _name: None
        shelf.renew()
        latest = store.latest().copy
        assert latest is not None
        assert shelf.copy == latest
        assert latest.name == names[int(late)]


def test_a_file_that_somebody_removed_is_written_again(store: Memory, clock: Clock) -> None:
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()
    shelf.put(_copy("checkpoint-1-00000000.db"), at_work=True)
    del store.files[NAME]
    shelf.renew()
    assert store.latest().copy == _copy("checkpoint-1-00000000.db")


def test_after_it_was_released_no_late_sign_of_life_says_otherwise(
    store: Memory, clock: Clock
) -> None:
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()
    shelf.release()
    shelf.renew()
    shelf.release()
    assert not store.latest().writer.at_work


def test_the_last_copy_says_that_nobody_works_on_the_run(
    store: Memory, clock: Clock, path: Path
) -> None:
    shelf = Shelf(store, 60.0, clock)
    shelf.claim()
    with Checkpoint.open(path) as checkpoint:
        checkpoint.write([made_success(0)])
        Copying(checkpoint, shelf).copy(last=True)
    shelf.renew()
    assert not store.latest().writer.at_work
