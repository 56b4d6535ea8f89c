"""The runs that a merge is made of, and whether they go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batcher.checkpoint import CUT_SHORT, KILLED_CALLS, SPENT_COST, SPENT_TOKENS, CheckpointReader
from batcher.errors import BatcherError, ConfigurationError, StorageError, UsageError
from batcher.inputs import Dataset
from batcher.money import Money, exact, money_of
from batcher.recorded import Counts
from batcher.runs.ceilings import spent_at_most
from batcher.runs.description import counted_rows
from batcher.runs.directory import RunDirectory
from batcher.runs.remembered import Remembered, dataset_of, samples_in
from batcher.runs.resume import setting_differences
from batcher.runs.shard import Part

Spent = Mapping[str, int]
"""Amounts by the names of their facts."""

MERGED = "merged"
"""The fact that says of which runs a checkpoint was made, and what each of them spent."""


@dataclass(frozen=True, slots=True)
class SourceRun:
    """What a checkpoint knows of its run; `run` tells it from all others, wherever it lies.

    `rows` are those of its input, None where nobody has counted them. `spent` is the most that it
    may have spent, and may have lost, and how often more was called that is in no count; `others`
    how much of that each other run did that it was merged of.
    """

    directory: RunDirectory
    run: str
    fingerprint: str
    settings: Mapping[str, object]
    simulated: bool
    input: object
    job: Mapping[str, Any]
    part: Part | None
    rows: int | None
    counts: Counts
    holder: str | None
    spent: Spent
    others: Mapping[str, Spent]

    @classmethod
    def read(cls, directory: RunDirectory) -> SourceRun | None:
        """Read what is known of a run; None where it stopped before it took up any row.

        Raises:
            StorageError: the directory holds no run, or its checkpoint is damaged.
        """
        with CheckpointReader.read(directory.checkpoint) as checkpoint:
            known = Remembered(checkpoint)
            fingerprint, job, part = known.fingerprint, known.job, known.part
            if fingerprint is None or job is None:
                return None
            counts = checkpoint.counts()
            most = spent_at_most(counts, checkpoint.fact)
            merged: Any = checkpoint.fact(MERGED)
            # One of an earlier version is known by its place.
            run = str(checkpoint.fact("run") or directory.path.resolve())
            spent = {
                KILLED_CALLS: counts.killed_calls,
                CUT_SHORT: counts.cut_short,
                SPENT_COST: most.cost,
                SPENT_TOKENS: most.tokens,
            }
            return cls(
                directory=directory,
                run=run,
                fingerprint=fingerprint,
                settings=known.settings,
                simulated=known.simulated,
                input=checkpoint.fact("input"),
                job=job,
                part=part,
                rows=part.of_rows if part else counted_rows(directory, fingerprint),
                counts=counts,
                holder=checkpoint.writer(),
                spent=spent,
                others={
                    # One of an earlier version does not know all of these.
                    of: dict.fromkeys(spent, 0) | theirs
                    for of, theirs in (merged["spent"] if merged else {}).items()
                    if of != run
                },
            )

    @property
    def own(self) -> Spent:
        """What it spent itself."""
        return {
            name: max(0, amount - sum(other[name] for other in self.others.values()))
            for name, amount in self.spent.items()
        }

    @property
    def samples(self) -> int:
        """How many records each row has."""
        return samples_in(self.settings)

    def dataset(self) -> Dataset | None:
        """Return its input, if it is here as it was run."""
        try:
            dataset = dataset_of(self.input).looked_at()
            return dataset if dataset.fingerprint() == self.fingerprint else None
        except BatcherError:
            return None

    def goes_with(self, other: SourceRun) -> bool:
        """Whether two runs have the same input, though it may lie elsewhere."""
        if self.fingerprint == other.fingerprint:
            return True
        return bool(self.part and other.part and self.part.content == other.part.content)


def sources_of(directories: Sequence[RunDirectory]) -> tuple[list[SourceRun], list[RunDirectory]]:
    """Read the runs that are to be merged; and return which of them have not begun yet.

    Raises:
        UsageError: there is none, or one is named twice.
        ConfigurationError: two of them do not go together.
        StorageError: a directory holds no run, or none has begun.
    """
    places = [directory.path.resolve() for directory in directories]
    if not places:
        raise UsageError("name the directories of the runs that are to be merged")
    for at, place in enumerate(places):
        if place in places[:at]:
            raise UsageError(f"{directories[at].path} is named twice")
    found = [SourceRun.read(directory) for directory in directories]
    sources = [source for source in found if source is not None]
    empty = [one for one, source in zip(directories, found, strict=True) if source is None]
    if not sources:
        raise StorageError(
            f"{directories[0].path} never opened its input, nor did another: start them first"
        )
    for other in sources[1:]:
        difference = next(differences(sources[0], other), None)
        if difference is not None:
            raise ConfigurationError(
                f"{other.directory.path} cannot be merged with {sources[0].directory.path}: "
                f"{difference}. Nothing was written{'' if other.goes_with(sources[0]) else _WAY}"
            )
    return sources, empty


_WAY = (
    ". If the input was changed between them: `batcher merge` those of the older one into a "
    "directory of their own, `batcher run INPUT -o` that with --limit 1 and --yes takes up the "
    "present input, and calls one row at most; then merge it with the others"
)


def differences(one: SourceRun, other: SourceRun) -> Iterator[str]:
    """Say why two runs do not go together."""
    if not other.goes_with(one):
        yield f"its input is another, or was changed ({', '.join(_names(other.input))})"
    yield from (
        f"its settings are others ({text})"
        for text in setting_differences(one.settings, other.settings)
    )
    if one.simulated != other.simulated:
        held = ("simulated", "real") if other.simulated else ("real", "simulated")
        yield f"its answers are {held[0]}, those {held[1]}"
    mine, theirs = one.counts, other.counts
    if mine.has_cost and theirs.has_cost and mine.currency != theirs.currency:
        yield f"it counts its cost in {theirs.currency}, that one in {mine.currency}"


def job_of(sources: Sequence[SourceRun]) -> dict[str, Any]:
    """Return the job of what is merged: that of the first, with the ceilings of all together."""
    # What a run is merged of has its ceilings in those of the merge.
    within = {run for source in sources for run in source.others}
    ceilings = [one.job.get("ceilings", {}) for one in sources if one.run not in within]
    tokens = [one.get("max_tokens_total") for one in ceilings]
    costs = [money_of(one["max_cost"]) if one.get("max_cost") else None for one in ceilings]
    known = [cost for cost in costs if cost is not None]
    together = len(known) == len(costs) and len({cost.currency for cost in known}) == 1
    return {
        **sources[0].job,
        "ceilings": {
            **sources[0].job.get("ceilings", {}),
            "max_tokens_total": None if None in tokens else sum(tokens),
            "max_cost": _together(known) if together else None,
        },
    }


def _together(costs: Sequence[Money]) -> str:
    """Return the sum of amounts of one currency, as a job writes it."""
    return f"{exact(sum(cost.nanos for cost in costs))}{costs[0].currency}".replace(",", "")


def _names(facts: Any) -> list[str]:  # noqa: ANN401 -- JSON
    return [file["name"] for file in facts["files"]] if facts else []


def spent_by(sources: Sequence[SourceRun], earlier: SourceRun | None) -> dict[str, Spent]:
    """Return what each run spent that runs, and an `earlier` merge of them, are made of.

    What a run knows itself counts more than what another knows of it.
    """
    runs = [*sources, *([earlier] if earlier else [])]
    spent: dict[str, Spent] = {}
    for run, amounts in (item for one in runs for item in one.others.items()):
        before = spent.get(run, amounts)
        spent[run] = {name: max(before[name], amount) for name, amount in amounts.items()}
    return spent | {one.run: one.own for one in reversed(runs)}
