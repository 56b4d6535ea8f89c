"""What the samples of a row agree on.

Each sample with an answer votes once on each question, and the value with the most votes wins; of
several with as many, the one that came first by the number of its sample. Null is a value like any
other: it is what a model says that may leave a field open. Samples that are errors do not vote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import pyarrow as pa

from batcher.outputs.typed import out_columns, out_fields
from batcher.recorded import Recorded
from batcher.structured import Plain, StructOf

_TEXT: pa.DataType = pa.string()
_SCALAR = frozenset({Plain.TEXT, Plain.INTEGER, Plain.NUMBER, Plain.BOOLEAN})


class Verdict(NamedTuple):
    """The value that won, and the share of the votes that it got; None where nobody voted."""

    value: object
    agreement: float | None


class Poll(NamedTuple):
    """What was voted on a row: a verdict for each question.

    `samples` have an outcome, `valid_samples` of them an answer. `id` is that of the answers.
    """

    row: int
    id: str | None
    verdicts: tuple[Verdict, ...]
    valid_samples: int
    samples: int

    @property
    def size(self) -> int:
        """The characters of what won."""
        return sum(len(one.value) for one in self.verdicts if isinstance(one.value, str))


@dataclass(frozen=True, slots=True)
class Ballot:
    """What `samples` of each row vote on: fields of one value each; without any, the response.

    Space around a response does not count.
    """

    samples: int
    value: StructOf | None

    @classmethod
    def on(cls, samples: int, value: StructOf | None) -> Ballot:
        """Return the ballot for answers that hold `value`: only fields of one value are on it."""
        if value is None:
            return cls(samples, None)
        scalar = tuple(field for field in value.fields if field[1] in _SCALAR)
        return cls(samples, StructOf(scalar))

    @property
    def questions(self) -> list[tuple[str, pa.DataType]]:
        """The name of each question, and the type of its values."""
        if self.value is None:
            return [("response", _TEXT)]
        columns = zip(self.value.fields, out_fields(self.value), strict=True)
        return [(name, column.type) for (name, _), column in columns]

    def votes(self, answered: Sequence[Recorded]) -> list[Sequence[object]]:
        """Return for each question how the samples with these answers vote."""
        if self.value is None:
            texts = [one.response for one in answered]
            return [[None if text is None else text.strip() for text in texts]]
        return list(out_columns(answered, self.value).values())


def polls(outcomes: Iterator[Recorded], ballot: Ballot) -> Iterator[Poll]:
    """Yield a poll for each row that has outcomes, which come in the order of their numbers."""
    for row, group in groupby(outcomes, lambda outcome: outcome.row // ballot.samples):
        recorded = list(group)
        answered = [outcome for outcome in recorded if outcome.error_class is None]
        yield Poll(
            row=row,
            id=answered[0].id if answered else None,
            verdicts=tuple(map(verdict, ballot.votes(answered))),
            valid_samples=len(answered),
            samples=len(recorded),
        )


def verdict(votes: Sequence[object]) -> Verdict:
    """Return what most of the votes, in the order of the samples, are for."""
    if not votes:
        return Verdict(None, None)
    # `max` keeps to the first of equals, and a Counter to the order of first appearance.
    value, count = max(Counter(votes).items(), key=lambda item: item[1])
    return Verdict(value, count / len(votes))
