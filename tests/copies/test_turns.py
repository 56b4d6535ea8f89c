"""Of processes that start at the same moment, one goes on with the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.checkpoint import Process
from batcher.copies import Shelf
from batcher.copies.latest import NAME
from batcher.errors import LockedError, StorageError
from tests.copies.memory import Clock, Memory
from tests.copies.turns import Host, run

_AWAY = Process("away", "boot-away", "pid:[1]", 7, "1")


def _hosts(store: Memory, starts: list[float]) -> list[Host]:
    """Return hosts that start so many seconds one after the other; their clocks differ by that."""
    return [
        Host(f"host-{n}", store, Clock(1_800_000_000.0 + start)) for n, start in enumerate(starts)
    ]


@settings(max_examples=300)
@given(
    starts=st.lists(st.sampled_from([0.0, 0.0, 1.0, 30.0]), min_size=2, max_size=3),
    picks=st.lists(st.integers(0, 2), max_size=40),
)
def test_in_whatever_order_their_requests_are_done_exactly_one_wins(
    starts: list[float], picks: list[int]
) -> None:
    store = Memory()
    hosts = _hosts(store, starts)
    run(hosts, picks)
    (winner,) = [host for host in hosts if host.won]
    assert store.latest().writer.token == winner.shelf.token
    assert {*store.files} == {NAME}


def test_one_whose_write_takes_long_gives_up_and_the_other_keeps_its_place(
    store: Memory,
) -> None:
    first, late = _hosts(store, [1.0, 0.0])
    late.step()  # It has looked, and is about to write.
    run([first], [])
    run([late], [])
    assert (first.won, late.won) == (True, False)
    assert store.latest().writer.token == first.shelf.token


def test_the_first_waits_until_one_that_saw_it_late_gave_up(store: Memory) -> None:
    """Which came later, and listed before the claim of the first was there."""
    first, later = _hosts(store, [0.0, 1.0])
    run([first, later], [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    assert (first.won, later.won) == (True, False)


def test_the_first_gives_up_where_one_that_it_waits_for_says_nothing(
    store: Memory, clock: Clock
) -> None:
    (stuck,) = _hosts(store, [1.0])
    for _ in range(2):
        stuck.step()  # Its claim is there, and it does nothing more.
    shelf = Shelf(store, 60.0, clock, lambda _seconds: None)
    with pytest.raises(LockedError, match=r"process 7 on host-0.*run the same command again in"):
        shelf.claim()
    run([stuck], [])
    assert stuck.won


def test_the_claim_of_a_process_that_was_killed_counts_for_three_minutes(
    store: Memory, clock: Clock
) -> None:
    (killed,) = _hosts(store, [0.0])
    for _ in range(2):
        killed.step()
    killed.kill()
    clock.now += 179
    with pytest.raises(LockedError, match="command again in 1 s"):
        Shelf(store, 60.0, clock).claim()
    clock.now += 1
    Shelf(store, 60.0, clock).claim()
    assert {*store.files} == {NAME}


def test_the_copy_that_another_process_made_last_is_known_to_who_comes_next(
    store: Memory, clock: Clock, path: Path, copy_of: Callable[..., None]
) -> None:
    """Though it ended between the first look and the claim."""

    def end_first(verb: str, name: str) -> None:
        if verb == "write" and name.startswith("claim-"):
            store.before = lambda _verb, _name: None
            copy_of(path, 0, 1)

    store.before = end_first
    shelf = Shelf(store, 60.0, clock, process=_AWAY)
    copy = shelf.claim()
    assert copy is not None
    assert copy.rows == 2
    assert store.latest().copy == copy


def test_a_store_that_does_not_list_what_was_written_is_refused(clock: Clock) -> None:
    class Blind(Memory):
        def names(self) -> list[str]:
            return []

    store = Blind()
    with pytest.raises(StorageError, match="does not list what was just written"):
        Shelf(store, 60.0, clock, lambda _seconds: None).claim()
    assert store.files == {}


def test_a_claim_that_is_gone_before_it_is_read_is_none(store: Memory, clock: Clock) -> None:
    name = f"claim-{'0' * 32}.json"
    store.files[name] = b"{}"

    def withdraw(verb: str, of: str) -> None:
        if (verb, of) == ("read", name):
            store.files.pop(name, None)

    store.before = withdraw
    Shelf(store, 60.0, clock).claim()
    assert {*store.files} == {NAME}


def test_a_claim_that_nobody_understands_is_named(store: Memory, clock: Clock) -> None:
    name = f"claim-{'0' * 32}.json"
    store.files[name] = b"{}"
    with pytest.raises(StorageError, match=rf"{name} cannot be understood"):
        Shelf(store, 60.0, clock).claim()
    assert {*store.files} == {name}


def test_a_claim_that_cannot_be_removed_does_no_harm(store: Memory, clock: Clock) -> None:
    def keep(verb: str, _name: str) -> None:
        if verb == "remove":
            raise StorageError("it may not be removed")

    store.before = keep
    Shelf(store, 60.0, clock).claim()
    last = Shelf(store, 60.0, clock)
    last.claim()
    assert store.latest().writer.token == last.token


def test_copies_without_a_word_which_one_counts_are_neither_forgotten_nor_removed(
    store: Memory, clock: Clock, path: Path, copy_of: Callable[..., None]
) -> None:
    copy_of(path, 0)
    latest = store.files.pop(NAME)
    before = dict(store.files)
    with pytest.raises(StorageError, match=r"has copies \(checkpoint-1-.*no latest\.json"):
        Shelf(store, 60.0, clock).claim()
    assert store.files == before
    store.files[NAME] = latest
    assert Shelf(store, 60.0, clock).claim() is not None
