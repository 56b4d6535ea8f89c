"""What an earlier run of the same directory leaves to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import cast

from batcher.checkpoint import Checkpoint, Comparison
from batcher.errors import ConfigurationError
from batcher.inputs import Dataset
from batcher.job import JobSpec
from batcher.records import Request
from batcher.run.prepare import Preparation

# Shown what changed; says whether to go on.
Consent = Callable[[str], bool]


def settle(
    checkpoint: Checkpoint,
    job: JobSpec,
    dataset: Dataset,
    prepare: Preparation,
    consent: Consent,
    *,
    simulated: bool,
) -> None:
    """Make the checkpoint speak of the present input and job.

    Nothing to do where both are as they were. Otherwise every row's key is compared; where
    recorded answers no longer fit, what changed is said and `consent` is asked, before rows whose
    key is new are called.

    Raises:
        ConfigurationError: the directory holds simulated answers and this run is real, or the
            other way round; or there was no consent.
    """
    settings = job.request_settings()
    present = {"fingerprint": dataset.fingerprint(), "settings": settings, "simulated": simulated}
    before = {name: checkpoint.fact(name) for name in present}
    if before["fingerprint"] is not None:
        if before["simulated"] != simulated:
            held, run = ("simulated", "real") if before["simulated"] else ("real", "simulated")
            raise ConfigurationError(
                f"{checkpoint.path.parent} holds {held} answers and this run is {run}; "
                "name another directory with -o"
            )
        if before == present:
            return
        with checkpoint.placement() as placement:
            for prepared in map(prepare, dataset.rows()):
                if isinstance(prepared, Request):
                    placement.place(prepared)
            _ask(placement.compare(), _changes(before, present), consent)
            placement.apply()
    checkpoint.remember(**present)


def _ask(found: Comparison, changes: Iterator[str], consent: Consent) -> None:
    # An input that only grew needs no question: no answer is given up.
    if not found.gone:
        return
    question = (
        "Since the last run of this directory:",
        *(f"  {change}" for change in changes),
        f"  {found.kept:,} rows keep their outcome, {found.new:,} are to be called; {found.gone:,} "
        "outcomes are set aside, and come back should you undo the change.",
    )
    if not consent("\n".join(question)):
        raise ConfigurationError(
            "nothing was called. Give --yes to go on with the changed job or input, undo the "
            "change, or name another directory with -o"
        )


def _changes(before: Mapping[str, object], present: Mapping[str, object]) -> Iterator[str]:
    """Say in the user's words what differs."""
    if before["fingerprint"] != present["fingerprint"]:
        yield "the input files changed"
    old = cast("Mapping[str, object]", before["settings"])
    new = cast("Mapping[str, object]", present["settings"])
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{name}: {_short(old.get(name))} -> {_short(new.get(name))}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


_SHOWN = 80
