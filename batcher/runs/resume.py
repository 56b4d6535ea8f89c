"""What an earlier run of the same directory leaves to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import cast

from batcher.checkpoint import PRICES, Checkpoint, CheckpointReader, Comparison, damaged
from batcher.errors import ConfigurationError
from batcher.inputs import Dataset
from batcher.providers import Pricing
from batcher.records import Failure, Prompt, Request
from batcher.runs.prepare import Preparation
from batcher.runs.remembered import Remembered
from batcher.runs.shard import SHARD, Part
from batcher.runs.stopping import Check, checked
from batcher.wording import counted

_SHOWN = 80
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Change:
    """What differs from the last run of a directory, as `text` for the user.

    `gives_up` says that recorded answers no longer belong to any row.
    """

    text: str
    gives_up: bool


Consent = Callable[[Change], bool]
"""Shown a change; says whether to go on."""


def settle(
    checkpoint: Checkpoint,
    settings: Mapping[str, object],
    dataset: Dataset,
    prepare: Preparation,
    consent: Consent,
    check: Check,
    *,
    simulated: bool,
    part: Part | None = None,
) -> dict[str, object]:
    """Place what is recorded by the present input and the present request settings.

    Returns what is to be remembered of these: with what else is said of the input, so that a kill
    leaves the one as old as the other.

    Nothing to do where both are as they were; nor where there are only more files behind those that
    there were, whose rows are all new. Otherwise the key of every row (of the `part`, if there is
    one) is compared, what changed is said, and `consent` is asked, before rows whose key is new are
    called.

    Raises:
        ConfigurationError: the directory holds simulated answers and this run is real, or the
            other way round; or there was no consent.
        Interruption: `check` says that the run is to end.
        StorageError: some of what the checkpoint knows of the run is lost.
    """
    present = {"fingerprint": dataset.fingerprint(), "settings": settings, "simulated": simulated}
    before = {name: checkpoint.fact(name) for name in present}
    if before == present:
        return {}
    missing = [name for name, value in before.items() if value is None]
    # They are written together: where one is lost, nothing tells what the rows were made from.
    if missing and len(missing) < len(before):
        raise damaged(checkpoint.path, f"what it says of the run lacks {', '.join(missing)}")
    if before["fingerprint"] is not None:
        refuse_to_mix(checkpoint, simulated=simulated)
        added = files_added(checkpoint, dataset) if before["settings"] == settings else None
        if added:
            consent(_growth(added))
        else:
            rows = checked(_rows(dataset, part), check)
            _compare(checkpoint, before, present, rows, prepare, consent)
    return {**present, **({SHARD: part.facts()} if part else {})}


def _rows(dataset: Dataset, part: Part | None) -> Iterator[Prompt | Failure]:
    """Yield the rows of a changed input, of which no place is known."""
    if part is None:
        return dataset.rows()
    return islice(dataset.rows(dataset.place(part.rows.start)), len(part.rows))


def files_added(checkpoint: CheckpointReader, dataset: Dataset) -> Sequence[str] | None:
    """Return the files behind those that were run; None where those are not as they were.

    So a directory whose new files sort behind its old ones, by a date for instance, grows without
    the old ones being read again. None, too, where answers are set aside: one may be of a row that
    is back.
    """
    run = Remembered(checkpoint)
    before = run.fingerprint
    if before is None or before == dataset.fingerprint():
        return None if before is None else ()
    if checkpoint.has_shelved():
        return None
    held = len(run.dataset.files)
    old = replace(dataset, files=dataset.files[:held])
    return dataset.names[held:] if before == old.fingerprint() else None


def _compare(
    checkpoint: Checkpoint,
    before: Mapping[str, object],
    present: Mapping[str, object],
    rows: Iterable[Prompt | Failure],
    prepare: Preparation,
    consent: Consent,
) -> None:
    """Give each row the outcome that is recorded under its key, if `consent` is given to that."""
    samples = prepare.samples
    kept = samples if Remembered(checkpoint).samples == samples else None
    with checkpoint.placement(kept) as placement:
        for item in rows:
            for prepared in prepare.records(item):
                if isinstance(prepared, Request):
                    placement.place(prepared)
        placement.renumber()
        found = placement.compare()
        if (found.new or found.gone) and not consent(_change(found, before, present, samples)):
            raise ConfigurationError(
                "nothing was called. Give --yes to go on with the changed job or input, undo "
                "the change, or name another directory with -o"
            )
        placement.apply()


def refuse_to_mix(checkpoint: CheckpointReader, *, simulated: bool) -> None:
    """Keep simulated and real answers apart.

    Raises:
        ConfigurationError: the directory is of a run of the other kind, answered or not.
    """
    before = checkpoint.fact("simulated")
    if before is not None and before != simulated:
        held, run = ("simulated", "real") if before else ("real", "simulated")
        raise ConfigurationError(
            f"{checkpoint.path.parent} is of a {held} run and this one is {run}, and their answers "
            "are never mixed; name another directory with -o"
        )


def agree_on_prices(checkpoint: Checkpoint, pricing: Pricing) -> None:
    """Remember by which prices this run counts its cost, so that all of it is in one currency.

    Raises:
        ConfigurationError: what was counted before is in another.
    """
    if pricing.unit is None:
        return
    counts = checkpoint.counts()
    if counts.currency not in (None, pricing.unit) and counts.most_cost > 0:
        raise ConfigurationError(
            f"{checkpoint.path.parent} counts its cost in {counts.currency}, this run would in "
            f'{pricing.unit}: set its prices in {counts.currency} under [prices."MODEL"] in a job, '
            "or name another directory with -o"
        )
    if (counts.currency, counts.priced_by) != (pricing.unit, pricing.origin):
        prices = {"currency": pricing.unit, "priced_by": pricing.origin}
        checkpoint.remember(**{PRICES: prices})


def _growth(added: Sequence[str]) -> Change:
    named = ", ".join(added[:_NAMED]) + (", ..." if len(added) > _NAMED else "")
    verb = "was" if len(added) == 1 else "were"
    text = f"{counted(len(added), 'file')} {verb} added, whose rows are to be called: {named}"
    return Change(f"Since the last run of this directory:\n  {text}", gives_up=False)


def _change(
    found: Comparison, before: Mapping[str, object], present: Mapping[str, object], samples: int
) -> Change:
    what = "row" if samples == 1 else "sample"
    new, kept = counted(found.new, what), counted(found.kept, what)
    lines = [
        "Since the last run of this directory:",
        *(f"  {difference}" for difference in _differences(before, present)),
        f"  {new} to be called; {kept} with answer or error kept",
    ]
    if found.gone:
        lines.append(
            f"  {counted(found.gone, 'recorded answer')} without a row any more: set aside, and "
            "back should you undo the change"
        )
    return Change("\n".join(lines), gives_up=found.gone > 0)


def _differences(before: Mapping[str, object], present: Mapping[str, object]) -> Iterator[str]:
    """Say in the user's words what differs."""
    if before["fingerprint"] != present["fingerprint"]:
        yield "the input files changed"
    yield from setting_differences(before["settings"], present["settings"])


def setting_differences(before: object, present: object) -> Iterator[str]:
    """Say which request settings differ."""
    old = cast("Mapping[str, object]", before)
    new = cast("Mapping[str, object]", present)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{name}: {_short(old.get(name))} -> {_short(new.get(name))}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
