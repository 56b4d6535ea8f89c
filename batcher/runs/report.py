"""`report`: what a run's report says, gathered from its directory; and the page written there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import batcher
from batcher.checkpoint import CheckpointReader, Excerpt
from batcher.errors import OutputError
from batcher.job import ObserveSpec
from batcher.job.urls import PATHS
from batcher.observe.language import Lang
from batcher.observe.report import Content, Facts, Failed, ShardRows, Shown, page
from batcher.outputs import publish_text
from batcher.recorded import Recorded
from batcher.runs.description import rows_of_run, state_of
from batcher.runs.directory import RunDirectory
from batcher.runs.export import provider_of
from batcher.runs.messages import Messages
from batcher.runs.remembered import Remembered
from batcher.runs.shard import Part
from batcher.runs.stopping import Check, go_on

# Examples of each class of error, slowest rows, longest rows.
_EACH = 5
_SAMPLE = 200
# What a job says beside the request; how it is watched is nobody else's business.
_TABLES = ("limits", "ceilings", "output", "reuse")
# Nor is where things lie.
_PRIVATE = {"to", "sync_checkpoint", *(key for _, key in PATHS)}
# Whatever else has a name of its own is no page: a checkpoint, say.
_PAGES = (".html", ".htm")


@dataclass(frozen=True, slots=True)
class Reporter:
    """Gathers and writes the report of the run in `directory`, also while the run goes on.

    Without `samples` neither prompts nor answers are shown. `clock` stamps it.
    """

    directory: RunDirectory
    lang: Lang = "en"
    samples: bool = True
    check: Check = go_on
    clock: Callable[[], float] = time.time

    @classmethod
    def of(
        cls, directory: RunDirectory, *, lang: Lang | None = None, samples: bool | None = None
    ) -> Reporter:
        """Report as the run's own job wants it, where nothing else is said.

        Raises:
            StorageError: the directory holds no run.
        """
        with CheckpointReader.read(directory.checkpoint) as checkpoint:
            job = Remembered(checkpoint).job or {}
        how: Mapping[str, Any] = job.get("observe", {})
        wanted = how.get("report_samples", True) if samples is None else samples
        return cls(directory, lang or how.get("lang", "en"), wanted)

    def write(self, to: Path | None = None, *, ended: bool = False) -> Path:
        """Write the page to `to`, else into the run directory, in one step; return where it is.

        A process that has `ended` its calls still holds the run, but works no more.

        Raises:
            Interruption: `check` says so; nothing was written.
            StorageError: the directory holds no run, it is damaged, or the disk fails.
            OutputError: the page cannot be written, or its name is that of something else.
        """
        path = to or self.directory.report
        if path.suffix.lower() not in _PAGES:
            raise OutputError(
                f"{path} would hold a page, so its name must end in .html; name another with --to"
            )
        publish_text(path, page(self.content(ended=ended), self.lang))
        return path

    def content(self, *, ended: bool = False) -> Content:
        """Return what the report says; see `write`."""
        with CheckpointReader.read(self.directory.checkpoint) as checkpoint:
            counts, history = checkpoint.counts(), checkpoint.history()
            working = not ended and checkpoint.writer() is not None
            facts = self._facts(checkpoint, counts.rows, working=working)
            some = Excerpt.of(
                checkpoint.path,
                each=_EACH,
                sample=_SAMPLE if self.samples else 0,
                check=self.check,
            )
            failed, results = some.failed, (*some.slowest, *some.longest, *some.sample)
            note, messages = None, Messages({}, None)
            if self.samples:
                wanted = [one for group in failed.values() for one in group]
                messages = Messages.of(checkpoint, [*wanted, *results], self.check)
                note = messages.missing

            def shown(outcomes: Iterable[Recorded]) -> Sequence[Shown]:
                return [self._shown(one, messages) for one in outcomes]

            return Content(
                facts,
                counts,
                history,
                [
                    Failed(name, rows, shown(failed.get(name, ())))
                    for name, rows in sorted(counts.errors.items(), key=lambda item: -item[1])
                ],
                shown(some.slowest),
                shown(some.longest),
                shown(some.sample) if self.samples else None,
                note,
            )

    def _shown(self, outcome: Recorded, messages: Messages) -> Shown:
        if not self.samples:
            # Also what the provider said of an error may quote the prompt.
            outcome = outcome._replace(
                response=None, reasoning=None, tool_calls=None, output=None, message=None
            )
        return Shown(outcome, messages.by_row.get(outcome.row))

    def _facts(self, checkpoint: CheckpointReader, recorded: int, *, working: bool) -> Facts:
        run = Remembered(checkpoint)
        dataset, settings, job, samples = run.dataset, run.settings, run.job or {}, run.samples
        rows = rows_of_run(checkpoint, self.directory)
        total = None if rows is None else rows * samples
        simulated = run.simulated
        return Facts(
            name=self.directory.path.resolve().name,
            state=state_of(recorded, total, working=working),
            simulated=simulated,
            version=batcher.__version__,
            made_at=int(self.clock()),
            provider=None if simulated else provider_of(self.directory),
            model=settings.get("model"),
            inputs=dataset.names,
            total=total,
            samples=samples,
            settings=settings,
            limits={name: _given(job[name]) for name in _TABLES if name in job},
            shard=_shard(run.part),
        )


def reported(directory: RunDirectory, how: ObserveSpec, check: Check = go_on) -> Path | str:
    """Write the report of a run whose calls have ended; return where it is, or why it is nowhere.

    Raises:
        Interruption: `check` says that the run is to end.
    """
    try:
        return Reporter(directory, how.lang, how.report_samples, check).write(ended=True)
    except Exception as error:  # noqa: BLE001 -- whatever it is, all answers are there
        return f"not written: {error}"


def _shard(part: Part | None) -> ShardRows | None:
    if part is None:
        return None
    rows = part.rows
    return ShardRows(part.shard.number, part.shard.of, rows.start, rows.stop, part.of_rows)


def _given(table: Mapping[str, Any]) -> dict[str, object]:
    return {
        name: value for name, value in table.items() if value is not None and name not in _PRIVATE
    }
