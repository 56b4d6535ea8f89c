"""Gates: whom they refuse, and when."""

from __future__ import annotations

from batcher.limits import RateLimit, RateLimits
from tests.overload.gates import (
    BROKEN,
    THROTTLED,
    TOO_FREQUENT,
    UNAVAILABLE,
    AfterCalls,
    Concurrency,
    During,
    FixedMinute,
    Minute,
    Poison,
    Randomly,
)
from tests.overload.ledger import steps
from tests.overload.servers import Answer, Gate, Visit
from tests.overload.virtual import seeded

ANSWER = Answer(40, 60, 1.0)


def _visit(now: float = 0.0, *, row: int = 0, key: str = "key", admitted: int = 0) -> Visit:
    return Visit(row, key, now, admitted, ANSWER)


def _admitted(gate: Gate, visits: list[Visit]) -> int:
    return sum(gate.refuse(visit) is None for visit in visits)


def test_a_limit_on_concurrency_may_change() -> None:
    gate = Concurrency(steps(40, (10, 20)))
    assert gate.refuse(_visit(admitted=39)) is None
    assert gate.refuse(_visit(admitted=40)) is THROTTLED
    assert gate.refuse(_visit(10, admitted=20)) is THROTTLED


def test_a_share_is_refused_by_lot() -> None:
    gate = Randomly(0.3, BROKEN, seeded(1))
    assert 650 < _admitted(gate, [_visit()] * 1000) < 750


def test_an_outage_has_a_beginning_and_an_end() -> None:
    gate = During(5, 10, UNAVAILABLE)
    refusals = [gate.refuse(_visit(now)) for now in (4, 5, 9, 10)]
    assert refusals == [None, UNAVAILABLE, UNAVAILABLE, None]


def test_poison_is_in_the_row() -> None:
    gate = Poison({7})
    assert [gate.refuse(_visit(row=row)) for row in (6, 7)] == [None, BROKEN]


def test_a_key_is_used_up_after_its_calls_until_it_is_renewed() -> None:
    gate = AfterCalls({"one": 2}, UNAVAILABLE, until=10)
    one = [gate.refuse(_visit(now, key="one")) for now in (0, 1, 2, 10)]
    assert one == [None, None, UNAVAILABLE, None]
    assert _admitted(gate, [_visit(key="two")] * 5) == 5


def test_a_minute_renews_itself_steadily() -> None:
    gate = Minute(requests=60)
    assert _admitted(gate, [_visit()] * 70) == 60
    assert _admitted(gate, [_visit(2.0)] * 70) == 2
    assert gate.left("key", 32.0)[0] == 30


def test_a_minute_counts_tokens_too() -> None:
    gate = Minute(tokens=1000)
    assert _admitted(gate, [_visit()] * 70) == 10
    assert gate.refuse(_visit(5.9)) is TOO_FREQUENT
    assert gate.refuse(_visit(6.0)) is None


def test_a_minute_is_named_as_headers_name_it() -> None:
    gate = Minute(requests=60)
    assert _admitted(gate, [_visit()] * 20) == 20
    assert gate.named("key", 5.0) == RateLimits(RateLimit(60, 45, 15.0))


def test_a_fixed_minute_begins_anew_with_the_minute() -> None:
    gate = FixedMinute(10)
    assert _admitted(gate, [_visit(59.0)] * 20) == 10
    assert _admitted(gate, [_visit(60.0)] * 20) == 10
