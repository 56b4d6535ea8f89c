"""What is counted of a run, and put together when someone asks."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ErrorClass, StorageError
from batcher.history import Ended
from batcher.money import NANOS
from batcher.observe import Tally
from batcher.observe.metrics import Figures, families
from batcher.observe.metrics.families import Family
from batcher.observe.metrics.figures import BUCKETS_S, FAILED, OK, Spread
from batcher.recorded import NOTHING_YET, Counts
from tests.observe.metrics.samples import FACTS, exchange, flowing, tally_of

NOON = 1_700_049_600.0
COUNTS = replace(
    NOTHING_YET,
    results=5,
    errors={ErrorClass.BAD_REQUEST: 2, ErrorClass.AMBIGUOUS: 1},
    cost=3 * NANOS,
    possible_cost=NANOS // 2,
    currency="CNY",
)


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def values(figures: Figures, family: Family) -> dict[tuple[str, ...], float | Spread]:
    return {sample.labels: sample.value for sample in figures.samples().get(family, ())}


def of(counts: Counts = NOTHING_YET, *, whole: bool = True) -> Figures:
    return Figures(FACTS, lambda: counts, whole, Clock())


def test_the_whole_run_is_what_its_checkpoint_says() -> None:
    figures = of(COUNTS)
    figures.started(Tally(total=20), flowing)
    assert values(figures, families.ROWS) == {("result",): 5, ("error",): 3, ("pending",): 12}
    assert values(figures, families.ERROR_ROWS) == {("bad_request",): 2, ("ambiguous",): 1}
    assert values(figures, families.RUN_COST) == {("CNY",): 3.0}
    assert values(figures, families.RUN_POSSIBLE_COST) == {("CNY",): 0.5}


def test_pending_rows_are_left_out_where_nobody_knows_how_many_rows_there_are() -> None:
    figures = of(COUNTS)
    figures.started(Tally(), flowing)
    assert ("pending",) not in values(figures, families.ROWS)
    assert values(figures, families.ROWS_LEFT) == {}


def test_of_a_part_of_the_input_its_own_rows_are_pending() -> None:
    figures = of(COUNTS, whole=False)
    figures.started(Tally(total=6, done_before=2, results=1), flowing)
    assert values(figures, families.ROWS)["pending",] == 3
    assert values(figures, families.ROWS_LEFT)[()] == 3


def test_of_errors_that_are_called_again_those_are_left_that_were_chosen() -> None:
    figures = of(COUNTS)
    figures.started(Tally(total=20, chosen=3, results=1), flowing)
    assert values(figures, families.ROWS)["pending",] == 12
    assert values(figures, families.ROWS_LEFT)[()] == 2


def test_a_checkpoint_that_cannot_be_read_leaves_the_last_sums() -> None:
    answers = iter([COUNTS])

    def read() -> Counts:
        for counts in answers:
            return counts
        raise StorageError("damaged")

    figures = Figures(FACTS, read)
    before = values(figures, families.ROWS)
    assert values(figures, families.ROWS) == before
    assert before["result",] == 5


@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, ErrorClass.THROTTLED, ErrorClass.AMBIGUOUS]),
            st.floats(0, 2000),
        )
    )
)
def test_every_attempt_is_in_one_bucket_of_its_outcome(
    calls: list[tuple[ErrorClass | None, float]],
) -> None:
    figures = of()
    for error_class, latency in calls:
        figures.attempted(0, exchange(error_class, latency=latency))
    attempts = values(figures, families.ATTEMPTS)
    assert sum(float(n) for n in attempts.values() if not isinstance(n, Spread)) == len(calls)
    for (outcome,), spread in values(figures, families.DURATION).items():
        mine = [seconds for kind, seconds in calls if (kind.value if kind else OK) == outcome]
        assert isinstance(spread, Spread)
        assert spread.buckets[-1] == attempts[outcome,] == len(mine)
        assert spread.total == sum(mine)
        for bound, count in zip(BUCKETS_S, spread.buckets, strict=False):
            assert count == sum(seconds <= bound for seconds in mine)


def test_before_the_first_call_there_is_a_zero_to_count_from() -> None:
    assert values(of(), families.ATTEMPTS) == {(OK,): 0}
    assert set(values(of(), families.TOKENS).values()) == {0}


def test_tokens_and_costs_are_those_of_all_answers_and_unknown_ones_are_none() -> None:
    calls = (
        exchange(),
        exchange(number=2),
        exchange(usage=replace(exchange().completion.usage, cached_tokens=None), cost=None),  # type: ignore[union-attr] # it has one
        exchange(ErrorClass.AMBIGUOUS),
    )
    figures = of(COUNTS)
    figures.started(tally_of(*calls), flowing)
    for call in calls:
        figures.attempted(7, call)
    assert values(figures, families.TOKENS) == {
        ("prompt",): 300,
        ("completion",): 60,
        ("cached",): 120,
        ("reasoning",): 15,
    }
    assert values(figures, families.COST) == {("CNY",): 0.002}
    assert values(figures, families.POSSIBLE_COST) == {("CNY",): 0.002}


def test_a_run_without_prices_has_no_cost() -> None:
    figures = of(replace(COUNTS, currency=None))
    for family in (families.COST, families.RUN_COST, families.POSSIBLE_COST):
        assert values(figures, family) == {}


def test_a_call_after_one_that_did_not_fail_is_a_repair_and_else_a_retry() -> None:
    calls = (
        exchange(ErrorClass.THROTTLED),
        exchange(number=2, retry=True),
        exchange(number=3),
    )
    figures = of()
    figures.started(tally_of(*calls), flowing)
    for call in calls:
        figures.attempted(7, call)
    assert values(figures, families.REPAIRS) == {(): 1}
    assert values(figures, families.RETRIES) == {(): 1}


def test_how_calls_flow_is_looked_at_on_the_loop_only() -> None:
    """What says so walks through the engine's own lists."""
    flows = iter([flowing(1), flowing(2, 9, "endpoint down")])
    figures = of()
    figures.started(Tally(), lambda: next(flows))
    assert values(figures, families.IN_FLIGHT) == values(figures, families.IN_FLIGHT) == {(): 1}
    assert values(figures, families.PAUSED) == {(): 0}
    figures.pulse()
    assert values(figures, families.IN_FLIGHT) == {(): 2}
    assert values(figures, families.LIMIT) == {(): 9}
    assert values(figures, families.PAUSED) == {(): 1}


def test_moments_are_those_of_the_start_the_last_row_and_the_completion() -> None:
    clock, tally = Clock(), Tally(total=1)
    figures = Figures(FACTS, lambda: NOTHING_YET, clock=clock)
    figures.started(tally, flowing)
    assert values(figures, families.STARTED_AT) == {(): NOON}
    assert values(figures, families.RECORDED_AT) == {}
    clock.now, tally.results = NOON + 60, 1
    figures.pulse()
    clock.now = NOON + 70
    figures.finished()
    assert values(figures, families.RECORDED_AT) == {(): NOON + 60}
    assert values(figures, families.COMPLETED_AT) == {}
    assert values(figures, families.ACTIVE) == {(): 1}
    figures.end(Ended.DONE)
    assert values(figures, families.COMPLETED_AT) == {(): NOON + 70}
    assert values(figures, families.ACTIVE) == {(): 0}


def test_exactly_one_word_says_how_the_calls_ended() -> None:
    figures = of()
    assert set(values(figures, families.ENDED).values()) == {0}
    for how, word in (*((how, how.value) for how in Ended), (None, FAILED)):
        figures.end(how)
        ended = values(figures, families.ENDED)
        assert ended[word,] == 1
        assert sum(float(n) for n in ended.values() if not isinstance(n, Spread)) == 1
    assert len(ended) == len(Ended) + 1


def test_what_runs_stands_in_the_labels_of_one_family() -> None:
    assert values(of(), families.INFO) == {("1.2.3", "glm", "glm-4.7", "false"): 1}
