"""What a report says, before it is a page: plain values, gathered by the composition root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from batcher.errors import ErrorClass
from batcher.history import History
from batcher.recorded import Counts, Recorded


@dataclass(frozen=True, slots=True)
class Shown:
    """A recorded outcome with the messages that were sent for it.

    `messages` are as in the request, images told of by their type and size; None where they are not
    to be had, since the input is gone or changed, or are left out.
    """

    outcome: Recorded
    messages: Sequence[Mapping[str, object]] | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The rows that ended in one class of error, and some of them."""

    error_class: ErrorClass
    rows: int
    examples: Sequence[Shown]


class ShardRows(NamedTuple):
    """The rows `first` to before `stop` of an input of `all`, which are its shard I of N."""

    number: int
    of: int
    first: int
    stop: int
    all: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What ran, and how far it is.

    `state` is running, finished or stopped; `total` counts records (rows times `samples`), None
    where nobody has counted the input, and `shard` names the rows of a run that is about a part of
    it. `settings` are those of the requests (model, parameters,
    templates, ...) and `limits` what else the job says, by table; none holds a secret.
    """

    name: str
    state: str
    simulated: bool
    version: str
    made_at: int
    provider: str | None
    model: str | None
    inputs: Sequence[str]
    total: int | None
    samples: int
    settings: Mapping[str, object]
    limits: Mapping[str, Mapping[str, object]]
    shard: ShardRows | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """All that a report says.

    `slowest` rows took longest to be answered, and `longest` have the longest answers. `sample` has
    results and errors from all over the run; it is None where answers and prompts are to be left
    out, and `note` says why prompts are missing elsewhere.
    """

    facts: Facts
    counts: Counts
    history: History
    failed: Sequence[Failed] = ()
    slowest: Sequence[Shown] = ()
    longest: Sequence[Shown] = ()
    sample: Sequence[Shown] | None = None
    note: str | None = None
