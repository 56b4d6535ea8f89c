"""A run that is broken off anywhere, any number of times, ends as one that nobody disturbed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.checkpoint import Checkpoint, Reserve
from batcher.engine.policy.patience import MAX_AMBIGUOUS, RetryPolicy
from batcher.errors import ErrorClass, Problem, ProviderError
from batcher.history import Beat
from batcher.job import JobSpec
from batcher.records import Completion, Exchange, Kept, Mark, Request, Unanswered, Usage
from batcher.runs.signals import Signals
from batcher.structured import InvalidAnswerError
from tests.engines import Engine
from tests.simulated import Place, QuickTime

Ending = Literal["crash", "signal", "two signals"]
Truth = dict[int, tuple[object, ...]]

CONCURRENCY = 2
# A break leaves calls without an answer; where they count, they may end a row of themselves.
PATIENT = RetryPolicy(max_ambiguous=1000)
FAILURES = (ErrorClass.THROTTLED, ErrorClass.SERVER_ERROR, ErrorClass.AMBIGUOUS)


class Crashed(Exception):  # noqa: N818 -- no error of the program's: the test breaks it off
    """The run is broken off here."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the input, and what calling it is like: failures first, then its end.

    So many `invalid` answers come before one that is valid.
    """

    kind: Literal["good", "refused", "bad line", "duplicate", "nameless"]
    failures: tuple[ErrorClass, ...]
    turns: int
    invalid: int = 0


@dataclass(frozen=True, slots=True)
class Break:
    """Where a run is broken off: at which of its moments, and how."""

    moment: int
    ending: Ending


@dataclass
class Provider:
    """Stands for the network; what it answers hangs on the row, and on its calls so far."""

    rows: Sequence[Row]
    calls: Counter[int] = field(default_factory=Counter)
    unanswered: Counter[int] = field(default_factory=Counter)
    answers: int = 0
    pass_moment: Callable[[], None] = lambda: None

    async def __call__(self, request: Request, _request_id: str) -> Completion:
        row = self.rows[request.row]
        call = self.calls[request.row]
        self.calls[request.row] += 1
        self.unanswered[request.row] += 1
        self.pass_moment()
        # So that answers come in any order.
        for _ in range(row.turns):
            await asyncio.sleep(0)
        self.pass_moment()
        if call < len(row.failures):
            failure = row.failures[call]
            self.unanswered[request.row] -= failure is not ErrorClass.AMBIGUOUS
            raise ProviderError(Problem(failure, "not now"))
        self.unanswered[request.row] -= 1
        if row.kind == "refused":
            raise ProviderError(Problem(ErrorClass.BAD_REQUEST, "never", "1210", 400))
        self.answers += 1
        shown = _shown(request)
        text = f"hm {shown}" if shown < row.invalid else f"answer {request.row}"
        return Completion(text, None, None, "stop", "glm-4-flash", Usage(1, 1))


def _shown(request: Request) -> int:
    """Return how many invalid answers there were, as the request for a better one shows it."""
    messages = request.body["messages"]
    assert isinstance(messages, list)
    said = [message["content"] for message in messages if message["role"] == "assistant"]
    return int(said[0].removeprefix("hm ")) + 1 if said else 0


def _read(text: str) -> str:
    if text.startswith("hm"):
        raise InvalidAnswerError("no answer")
    return "{}"


class Breakable(Checkpoint):
    """A checkpoint whose writes and syncs have a moment before and one after."""

    pass_moment: Callable[[], None]

    def write(
        self,
        kept: Sequence[Kept],
        marks: Sequence[Mark] = (),
        unanswered: Sequence[Unanswered] = (),
        beats: Sequence[Beat] = (),
    ) -> None:
        self.pass_moment()
        super().write(kept, marks, unanswered, beats)
        self.pass_moment()

    def sync(self) -> None:
        self.pass_moment()
        super().sync()
        self.pass_moment()


def _write(place: Place, rows: Sequence[Row]) -> None:
    lines: list[dict[str, object] | str] = []
    for number, row in enumerate(rows):
        match row.kind:
            case "bad line":
                lines.append("{bad")
            case "duplicate":
                lines.append({"id": "id-0", "prompt": f"Again {number}."})
            case "nameless":
                lines.append({"prompt": f"Say {number}."})
            case _:
                lines.append({"id": f"id-{number}", "prompt": f"Say {number}."})
    place.write(lines)


def run(
    place: Place,
    provider: Provider,
    broken: Break | None,
    policy: RetryPolicy = PATIENT,
    job: JobSpec | None = None,
) -> None:
    """Make one start of the run, which may be broken off."""
    left = iter(range(broken.moment, -1, -1)) if broken else iter(())

    def pass_moment() -> None:
        if broken is None or next(left, None) != 0:
            return
        if broken.ending == "crash":
            raise Crashed
        signal.raise_signal(signal.SIGTERM)
        if broken.ending == "two signals":
            signal.raise_signal(signal.SIGINT)

    quick = QuickTime()

    async def sleep(seconds: float) -> None:
        pass_moment()
        await quick.sleep(seconds)

    def attempted(exchange: Exchange) -> None:
        live.attempted(exchange)

    provider.pass_moment = pass_moment
    place.directory.create()
    with (
        Breakable.open(place.directory.checkpoint) as checkpoint,
        Reserve.held(place.directory.reserve, 2, 1024) as reserve,
    ):
        assert isinstance(checkpoint, Breakable)
        checkpoint.pass_moment = pass_moment
        engine = Engine(
            [provider],
            CONCURRENCY,
            policy=policy,
            on_attempt=attempted,
            sleep=sleep,
            monotonic=quick.monotonic,
        )
        retrier = replace(
            engine.retrier(),
            unanswered=checkpoint.unanswered()[0],
            invalid=checkpoint.invalid_answers(),
            read=_read,
        )
        live = place.live(checkpoint, reserve, retrier, job)

        async def heeding_signals() -> None:
            with Signals().calling(live.heed):
                await live.run()

        with contextlib.suppress(Crashed):
            asyncio.run(heeding_signals())


def _truth(place: Place) -> Truth:
    """Return what is recorded of each row, but for when it was and after how many calls."""
    with Checkpoint.read(place.directory.checkpoint) as checkpoint:
        return {
            found.row: (
                *(found.id, found.key, found.response, found.error_class),
                *(found.output, found.repairs),
                # It may name the file, which is not the same in two places.
                found.message and found.message.replace(str(place.folder), ""),
            )
            for found in checkpoint.outcomes()
        }


@contextlib.contextmanager
def deaf() -> Iterator[None]:
    """Let a signal that comes as a run ends, when it heeds none any more, end no test."""
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _place(rows: Sequence[Row]) -> Iterator[Place]:
    with TemporaryDirectory() as name, deaf():
        place = Place(Path(name))
        _write(place, rows)
        yield place


_ROWS = st.lists(
    st.builds(
        Row,
        st.sampled_from(["good", "good", "good", "refused", "bad line", "duplicate", "nameless"]),
        st.lists(st.sampled_from(FAILURES), max_size=2).map(tuple),
        st.integers(0, 5),
        st.sampled_from([0, 0, 0, 1, 2, 3]),
    ),
    min_size=1,
    max_size=12,
)


def breaks_of(*endings: Ending, most: int) -> st.SearchStrategy[list[Break]]:
    one = st.builds(Break, st.integers(0, 30), st.sampled_from(endings))
    return st.lists(one, min_size=1, max_size=most)


@settings(max_examples=60)
@given(rows=_ROWS, breaks=breaks_of("crash", "signal", "two signals", most=4))
def test_a_run_broken_off_anywhere_and_resumed_ends_like_the_undisturbed_one(
    rows: list[Row], breaks: list[Break]
) -> None:
    """And what was recorded before a break is neither changed nor called again (promise 1)."""
    with _place(rows) as place:
        undisturbed = Provider(rows)
        run(place, undisturbed, None)
        expected = _truth(place)
    assert list(expected) == list(range(len(rows)))

    with _place(rows) as place:
        provider = Provider(rows)
        for broken in (*breaks, None):
            before = _truth(place) if place.directory.checkpoint.exists() else {}
            called = provider.calls.copy()
            run(place, provider, broken)
            recorded = _truth(place)
            assert recorded.items() >= before.items()
            assert expected.items() >= recorded.items()
            assert not (provider.calls - called).keys() & before.keys()
        assert recorded == expected
    for row, calls in undisturbed.calls.items():
        assert calls <= provider.calls[row] <= calls + len(breaks)


@settings(max_examples=60)
@given(rows=_ROWS, breaks=breaks_of("signal", "two signals", most=6))
def test_a_row_is_sent_at_most_three_times_without_a_whole_answer_however_often_it_is_stopped(
    rows: list[Row], breaks: list[Break]
) -> None:
    """Promise 4: billed again at most two extra times, counted across processes.

    And the tokens of each answer that came are counted, also of those that were of no use.
    """
    with _place(rows) as place:
        provider = Provider(rows)
        for broken in (*breaks, None):
            run(place, provider, broken, RetryPolicy())
        recorded = _truth(place)
        with Checkpoint.read(place.directory.checkpoint) as checkpoint:
            assert checkpoint.counts().completion_tokens == provider.answers
    assert list(recorded) == list(range(len(rows)))
    assert all(calls <= MAX_AMBIGUOUS for calls in provider.unanswered.values())
    given_up = {row for row, found in recorded.items() if found[3] == ErrorClass.AMBIGUOUS}
    assert given_up == {row for row, calls in provider.unanswered.items() if calls == MAX_AMBIGUOUS}
