"""One run, disturbed and started again: its folder, its simulator, and what the oracle says."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import pyarrow.parquet as pq

from batcher.checkpoint import CheckpointReader
from batcher.errors import StorageError
from batcher.simulator import read_ledger
from tests.faults.children import ENVIRONMENT, PATIENCE_S, Child, Parent, until
from tests.faults.oracle import Moment, broken, unfinished
from tests.faults.parent import Order

# Every input has a row that cannot become a request: finished runs end with 65.
FINISHED = 65
NOTHING = Moment({}, ())


@dataclass
class Case:
    """A run of `rows` good rows and a bad one.

    Attributes:
        directory: The run directory, as `parent` sees it.
        moments: Taken at each end, beginning with the one before all.
        complaints: What the oracle said so far, with the end that it was said at.
    """

    folder: Path
    parent: Parent
    simulator: Child
    url: str
    rows: int
    concurrency: int
    directory: Path
    options: tuple[str, ...] = ()
    moments: list[Moment] = field(default_factory=lambda: [NOTHING])
    complaints: list[str] = field(default_factory=list)

    @property
    def input(self) -> Path:
        return self.folder / "prompts.jsonl"

    @property
    def seen(self) -> Path:
        """The run directory as this process sees it; `parent` may have mounts of its own."""
        return Path(f"/proc/{self.parent.pid}/root") / self.directory.relative_to("/")

    @property
    def prompts(self) -> list[str]:
        return [f"Say {n}." for n in range(self.rows)]

    def arguments(self, *options: str) -> list[str]:
        """Return those of `batcher` that run the input."""
        where = ["run", str(self.input), "-o", str(self.directory), "--base-url", self.url]
        how = ["-m", "glm-4-flash", "-c", str(self.concurrency)]
        return [*where, *how, *self.options, *options]

    def start(
        self,
        *options: str,
        halted: bool = False,
        one_thread: bool = False,
        limits: Mapping[str, int] = MappingProxyType({}),
        user: int | None = None,
    ) -> Child:
        """Start `batcher run` on the input; see `parent.Order`."""
        return self.parent.start(
            Order(
                arguments=self.arguments(*options),
                output=f"{tempfile.mkdtemp(prefix='process-', dir=self.folder)}/said",
                environment=ENVIRONMENT,
                halted=halted,
                one_thread=one_thread,
                limits=dict(limits),
                user=user,
            )
        )

    def ended(self, child: Child, *, expired: int = 0) -> int:
        """Wait for the end of a process, ask the oracle, and return the exit code.

        `expired` is how many whole answers of a row it may have given up waiting for.
        """
        code = child.wait()
        self._catch_up()
        now = self.moment()
        for complaint in broken(self.moments[-1], now, self.concurrency, expired=expired):
            self.complaints.append(f"{complaint} (exit {code})")
        if "Traceback" in child.err:
            self.complaints.append(f"a traceback (exit {code}):\n{child.err}")
        self.moments.append(now)
        return code

    def _catch_up(self) -> None:
        """Let the simulator read what a process sent that has ended.

        Else it would be counted among the calls of the next one. The simulator serves whoever
        came first, and this comes last; twice, since a request takes it several turns.
        """
        address = urlsplit(self.url)
        for _ in range(2):
            connection = HTTPConnection(address.netloc, timeout=PATIENCE_S)
            with contextlib.closing(connection):
                connection.request("GET", "/")
                connection.getresponse().read()

    def finish(self, *options: str) -> None:
        """Run undisturbed to the end, and ask the oracle whether all is there, once."""
        child = self.start(*options)
        code = self.ended(child)
        if code != FINISHED:
            self.complaints.append(f"the undisturbed run ended with {code}: {child.err}")
            return
        self.complaints += unfinished(self.moments[-1], self.prompts, self.published())
        errors = pq.read_table(self.seen / "errors.parquet", columns=["id"])
        if errors["id"].to_pylist().count("id-bad") != 1:
            self.complaints.append("promise 6: the bad row is not published once")

    @contextlib.contextmanager
    def unanswered(self) -> Iterator[None]:
        """Let the simulator stand still for the length of a `with` block.

        A run that has rows to call does not come to its end, however long the block takes.
        """
        self.simulator.signal(signal.SIGSTOP)
        until(lambda: self.simulator.halted, "the simulator to halt")
        try:
            yield
        finally:
            self.simulator.signal(signal.SIGCONT)

    def calls(self) -> int:
        """Return how often the simulator was asked so far."""
        return len(read_ledger(self.folder / "ledger.jsonl"))

    def wait_for_calls(self, child: Child, calls: int) -> None:
        """Wait until the simulator was asked `calls` times in all, or the process has ended."""
        until(lambda: not child.running or self.calls() >= calls, f"{calls} calls")

    def moment(self) -> Moment:
        """Look at checkpoint and ledger, from a copy: to open a checkpoint is to recover it."""
        ledger = self.folder / "ledger.jsonl"
        # Ledger last: nothing in the checkpoint can be missing there.
        recorded = self._recorded()
        return Moment(recorded, read_ledger(ledger) if ledger.exists() else ())

    def published(self) -> list[tuple[str, object]]:
        """Return prompt and outcome of each row in results and errors, less the bad row."""
        results = pq.read_table(self.seen / "results.parquet", columns=["id", "response"])
        errors = pq.read_table(self.seen / "errors.parquet", columns=["id", "error_class"])
        rows = [tuple(row.values()) for table in (results, errors) for row in table.to_pylist()]
        return [(_prompt(id_), outcome) for id_, outcome in rows if id_ != "id-bad"]

    def _recorded(self) -> dict[str, object]:
        with tempfile.TemporaryDirectory() as folder:
            for path in self.seen.glob("checkpoint.db*"):
                shutil.copy(path, folder)
            # What a process killed at its start leaves behind is no checkpoint yet.
            with (
                contextlib.suppress(StorageError),
                CheckpointReader.read(Path(folder) / "checkpoint.db") as checkpoint,
            ):
                return {
                    _prompt(outcome.id): outcome.error_class or outcome.response
                    for outcome in checkpoint.outcomes()
                    if outcome.key is not None
                }
        return {}


@contextlib.contextmanager
def case(
    parent: Parent,
    folder: Path,
    *options: str,
    rows: int = 12,
    concurrency: int = 4,
    latency: float = 0.0,
    directory: Path | None = None,
    simulated: Sequence[str] = (),
) -> Iterator[Case]:
    """Write an input and serve a simulator for the length of a `with` block.

    `options` are those of every `batcher run`, `simulated` those of the simulator, and `directory`
    is the run directory, as `parent` sees it, where that is not in the folder.
    """
    lines = [json.dumps({"id": f"id-{n}", "prompt": f"Say {n}."}) for n in range(rows)]
    lines.insert(rows // 2, '{"id": "id-bad"}')
    (folder / "prompts.jsonl").write_text("".join(f"{line}\n" for line in lines))
    arguments = ["simulate", "--port", "0", "--ledger", str(folder / "ledger.jsonl")]
    arguments += ["--sim-latency", str(latency), *simulated]
    output = str(folder / "simulator")
    simulator = parent.start(Order(arguments=arguments, output=output, environment=ENVIRONMENT))
    try:
        until(lambda: simulator.out or not simulator.running, "a simulator")
        url = simulator.out.partition(" ")[0]
        directory = directory or folder / "prompts.batch"
        yield Case(folder, parent, simulator, url, rows, concurrency, directory, options)
    finally:
        simulator.kill()


def _prompt(id_: str) -> str:
    return f"Say {id_.removeprefix('id-')}."
