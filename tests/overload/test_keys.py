"""Several keys, of which some run out; and quotas that come back at a moment the provider names."""

from __future__ import annotations

from collections.abc import Mapping

from batcher.errors import ErrorClass
from tests.overload import virtual
from tests.overload.gates import ARREARS, AfterCalls, Concurrency
from tests.overload.ledger import steps
from tests.overload.scenario import drive
from tests.overload.servers import Endpoint, Gate, Refusal, answers
from tests.overload.service import Service

KEYS = ("one", "two", "three")
# Of each key.
LIMIT = 20
ROWS = 900
RESETS = 3600.0
USED_UP = Refusal(ErrorClass.QUOTA_EXHAUSTED, "1308", 429, resets_at=virtual.EPOCH + RESETS)


def _endpoint(gate: Gate) -> Endpoint:
    return Endpoint(Service(), answers(1), [gate, Concurrency(steps(LIMIT))])


def _calls(endpoint: Endpoint, key: str) -> int:
    return sum(entry.key == key for entry in endpoint.ledger.entries)


def _each(calls: int) -> Mapping[str, int]:
    return dict.fromkeys(KEYS, calls)


def test_the_limits_of_all_keys_are_used_at_once() -> None:
    endpoint = Endpoint(Service(), answers(1), [Concurrency(steps(LIMIT))])
    ended = drive(endpoint, 2 * ROWS, keys=KEYS)
    assert endpoint.ledger.answered() == set(range(2 * ROWS))
    assert endpoint.ledger.in_flight(60, ended.begun_s) >= 0.9 * LIMIT * len(KEYS)


def test_a_key_out_of_balance_is_set_aside_and_the_others_do_its_part() -> None:
    endpoint = _endpoint(AfterCalls({"two": 100}, ARREARS))
    ended = drive(endpoint, ROWS, keys=KEYS)
    assert endpoint.ledger.answered() == set(range(ROWS))
    assert ended.dead == set()
    assert ended.halt is None
    # Beyond its 100, only what was in flight when it was first refused.
    assert 100 < _calls(endpoint, "two") <= 100 + LIMIT
    (notice,) = ended.notices
    assert notice.startswith("Key 2 of 3 is set aside")
    assert notice.endswith("2 of 3 keys left")


def test_the_run_stops_when_the_last_key_is_out_of_balance() -> None:
    endpoint = _endpoint(AfterCalls(_each(100), ARREARS))
    ended = drive(endpoint, ROWS, keys=KEYS)
    assert ended.halt is not None
    assert ended.halt.exit_code == 77
    assert ended.dead == set()
    assert len(ended.outcomes) == len(endpoint.ledger.completed())
    for key in KEYS:
        assert _calls(endpoint, key) <= 100 + LIMIT


def test_a_quota_that_is_used_up_is_waited_for_until_the_moment_it_names() -> None:
    endpoint = _endpoint(AfterCalls(_each(100), USED_UP, until=RESETS))
    ended = drive(endpoint, ROWS, keys=KEYS)
    ledger = endpoint.ledger
    assert ledger.answered() == set(range(ROWS))
    assert ended.dead == set()
    assert ledger.calls(60, RESETS) == 0
    # Once it resets: up to a tenth later, so that not all the world comes at the same moment.
    assert ledger.calls(RESETS, RESETS * 1.1 + 10) > 0
    assert len(ended.notices) == len(KEYS)
    assert all("is paused for 1 h" in notice for notice in ended.notices)


def test_one_used_up_quota_leaves_the_other_keys_at_work() -> None:
    endpoint = _endpoint(AfterCalls({"one": 100}, USED_UP, until=RESETS))
    ended = drive(endpoint, ROWS, keys=KEYS)
    assert endpoint.ledger.answered() == set(range(ROWS))
    assert ended.ended_s < RESETS
    assert _calls(endpoint, "one") <= 100 + LIMIT


def test_a_reset_beyond_the_longest_wait_stops_the_run_with_its_rows_pending() -> None:
    endpoint = _endpoint(AfterCalls(_each(100), USED_UP, until=RESETS))
    ended = drive(endpoint, ROWS, keys=KEYS, max_wait=RESETS / 2)
    assert ended.halt is not None
    assert ended.halt.exit_code == 75
    assert ended.ended_s < 120
    assert ended.dead == set()
    assert len(ended.outcomes) == len(endpoint.ledger.completed())
