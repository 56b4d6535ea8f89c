"""What must hold however a run was disturbed: ledger, checkpoint and outputs against each other.

The promises are those of the README. A `Moment` is taken when a process has ended; `broken`
compares two of them in a row, `unfinished` the last one with the input and the outputs. Both
yield sentences, and none when all is well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from batcher.simulator import LedgerEntry


@dataclass(frozen=True, slots=True)
class Moment:
    """What the checkpoint holds, and what the simulator has seen, when no process runs.

    Attributes:
        recorded: The outcome of each recorded row that was called, by its prompt.
        ledger: All calls so far, in their order of arrival.
    """

    recorded: Mapping[str, object]
    ledger: Sequence[LedgerEntry]


def broken(before: Moment, after: Moment, concurrency: int, *, expired: int = 0) -> Iterator[str]:
    """Yield the promises that one process, which ran between two moments, has broken.

    `expired` is how many whole answers of a row the process may have given up waiting for.
    """
    calls = after.ledger[len(before.ledger) :]
    called = Counter(call.prompt for call in calls)
    for prompt, outcome in before.recorded.items():
        if called[prompt]:
            yield f"promise 1: {prompt!r} was recorded, and is called again"
        if prompt not in after.recorded:
            yield f"promise 1: {prompt!r} was recorded, and is lost"
        elif after.recorded[prompt] != outcome:
            yield f"promise 1: the outcome of {prompt!r} was recorded, and has changed"
    worth = Counter(call.prompt for call in calls if not _failed(call))
    lost = worth.keys() - after.recorded.keys()
    if len(lost) > concurrency:
        yield f"promise 2: {len(lost)} answers are lost where {concurrency} calls were in flight"
    for prompt, times in worth.items():
        if times > 1 + expired:
            yield f"promise 4: {prompt!r} was called {times} times by one process"


def unfinished(
    last: Moment, prompts: Sequence[str], published: Sequence[tuple[str, object]]
) -> Iterator[str]:
    """Yield what lacks, or is too much, in the outputs of a run that is to be complete.

    `published` holds each row of results and errors as its prompt and outcome.
    """
    rows, times = Counter(prompts), Counter(prompt for prompt, _ in published)
    for prompt in sorted(rows.keys() | times.keys()):
        if rows[prompt] != times[prompt]:
            yield f"promise 6: {prompt!r} is published {times[prompt]} times"
        if prompt not in last.recorded:
            yield f"promise 6: {prompt!r} is not recorded"
    for prompt, outcome in published:
        if last.recorded.get(prompt, outcome) != outcome:
            yield f"promise 6: {prompt!r} is published with another outcome than is recorded"
    for prompt in sorted(rows.keys() - {call.prompt for call in last.ledger}):
        yield f"promise 4: {prompt!r} was never called"


def _failed(call: LedgerEntry) -> bool:
    """Whether the simulator has refused the call or spoilt its answer."""
    return call.fault is not None or call.status not in (None, 200)
