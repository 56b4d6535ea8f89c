"""When something is told: once, at the right moment, and never again."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from batcher.observe.alerts import Event, Rules, Seen, Sighting

QUIET = Seen(waiting=False, rows=0, errors=0, cost=0)
DOWN = QUIET._replace(waiting=True)


def _told(rules: Rules, *seen: tuple[float, Seen]) -> list[tuple[float, Sighting]]:
    return [(now, sighting) for now, one in seen for sighting in rules.look(now, one)]


def test_a_wait_is_told_of_once_when_it_is_longer_than_it_may_be_and_once_it_is_over() -> None:
    told = _told(
        Rules(600.0),
        (100.0, DOWN),
        (700.0, DOWN),
        (700.5, DOWN),
        (900.0, DOWN),
        (1000.0, QUIET),
        (1000.5, QUIET),
    )
    assert told == [
        (700.5, Sighting(Event.OUTAGE, lasted=600.5)),
        (1000.0, Sighting(Event.RECOVERED, lasted=900.0)),
    ]


def test_short_waits_are_never_added_up() -> None:
    seen = [(300.0 * n, DOWN if n % 2 else QUIET) for n in range(100)]
    assert _told(Rules(600.0), *seen) == []


def test_the_next_outage_is_told_of_again() -> None:
    told = _told(Rules(1.0), *[(float(n), DOWN if n % 10 else QUIET) for n in range(30)])
    assert [sighting.event for _, sighting in told] == [Event.OUTAGE, Event.RECOVERED] * 2 + [
        Event.OUTAGE
    ]


def test_a_rate_of_errors_is_told_of_once_and_not_before_100_rows() -> None:
    rules = Rules(600.0, Fraction(5, 100))
    assert _told(rules, (0.0, Seen(waiting=False, rows=99, errors=99, cost=0))) == []
    assert _told(rules, (1.0, Seen(waiting=False, rows=100, errors=5, cost=0))) == []
    over = Seen(waiting=False, rows=100, errors=6, cost=0)
    assert _told(rules, (2.0, over), (3.0, over)) == [(2.0, Sighting(Event.ERROR_RATE))]


def test_of_several_costs_that_were_passed_at_once_the_highest_is_told_of() -> None:
    rules = Rules(600.0, costs=[30, 10, 20])
    told = _told(rules, *[(float(cost), QUIET._replace(cost=cost)) for cost in (10, 25, 26, 31)])
    assert told == [(25.0, Sighting(Event.COST, cost=20)), (31.0, Sighting(Event.COST, cost=30))]


def test_a_cost_that_earlier_processes_had_passed_is_no_news() -> None:
    rules = Rules(600.0, costs=[10, 20], spent=15)
    told = _told(rules, (0.0, QUIET._replace(cost=15)), (1.0, QUIET._replace(cost=21)))
    assert told == [(1.0, Sighting(Event.COST, cost=20))]


_SEEN = st.builds(Seen, st.booleans(), st.integers(0, 300), st.integers(0, 300), st.integers(0, 50))


@given(st.lists(_SEEN, max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_each_cost_and_the_rate_are_told_of_at_most_once_and_outages_in_pairs(
    seen: list[Seen], costs: list[int]
) -> None:
    rules = Rules(2.0, Fraction(1, 10), costs)
    told = [sighting for _, sighting in _told(rules, *enumerate(seen))]
    passed = [sighting.cost for sighting in told if sighting.cost is not None]
    assert passed == sorted(set(passed))
    assert sum(sighting.event is Event.ERROR_RATE for sighting in told) <= 1
    waits = [one.event for one in told if one.event in (Event.OUTAGE, Event.RECOVERED)]
    assert waits == [Event.OUTAGE, Event.RECOVERED] * (len(waits) // 2) + [Event.OUTAGE] * (
        len(waits) % 2
    )
