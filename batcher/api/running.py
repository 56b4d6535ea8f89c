"""`batcher.run` and `batcher.arun`."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, Unpack

from batcher.api.background import wait, wait_async
from batcher.api.options import Job, Options, PathName, job_of
from batcher.api.result import Result, result_of
from batcher.api.secret import HidesSecret, Secret
from batcher.api.words import PYTHON
from batcher.errors import ConfigurationError, CredentialsError, Interruption, UsageError
from batcher.inputs import ArrowArray, ArrowStream, Rows
from batcher.job import JobSpec
from batcher.observe import Watcher, Watchers, display
from batcher.runs import credentials
from batcher.runs.calling import Callee
from batcher.runs.result import RunResult
from batcher.runs.resume import Change
from batcher.runs.selection import Portion
from batcher.runs.session import Session
from batcher.runs.shard import Shard
from batcher.runs.signals import Signals
from batcher.runs.stopping import Asked, Stopping
from batcher.simulator import SimulatorConfig

Input: TypeAlias = PathName | Sequence[PathName] | Rows
"""Files, directories and globs; or rows in memory: dicts, or a table of any Arrow library."""

Key: TypeAlias = str | HidesSecret

_PAIR = 2


def run(
    input: Input | None = None,  # noqa: A002 # the job file's word
    /,
    *,
    job: Job | None = None,
    api_key: Key | Sequence[Key] | None = None,
    simulate: bool | SimulatorConfig = False,
    progress: bool = True,
    **options: Unpack[Options],
) -> Result:
    """Call the model for every row of `input` that has no answer yet; the same as `batcher run`.

    Rows that ended in an error are data (`Result.errors`), and a run that the provider or a ceiling
    halts comes back with `Result.halted`. The same call again goes on where the last one stopped,
    and makes no call where all is done.

    In a script's main thread signals do what they do to `batcher run`: calls in flight are
    recorded, results are written, and then the signal is handed on. Where an event loop runs, as in
    a notebook, the run has a thread of its own, and an interrupted wait for it does the same.

    Args:
        input: Files, directories, globs; an iterable of dicts; or a table: pyarrow, pandas, Polars
            and all that speak Arrow's PyCapsule interface. Rows in memory are copied into the run
            directory, so they need `output`. Without it, the input of the job.
        job: A job file, or its tables as a mapping. Options win over it.
        api_key: The key, or several. Else they come from `api_key_file`, the environment or .env.
        simulate: Call a local simulator instead of a model; a SimulatorConfig says which faults it
            makes.
        progress: Show a bar; on no terminal and in no notebook, heartbeats in JSON on stderr.
        **options: See `Options`.

    Raises:
        BatcherError: it cannot run, or not go on; whatever was received is recorded.
        TypeError: there is no such option.
    """
    # First of all: a traceback may show what is in this frame.
    api_key = _hidden(api_key)
    with PYTHON.spoken():
        start = start_of(input, job, options, api_key, simulate, show=progress)
        return result_of(_wherever_this_is(start), start.job.output)


async def arun(
    input: Input | None = None,  # noqa: A002 # the job file's word
    /,
    *,
    job: Job | None = None,
    api_key: Key | Sequence[Key] | None = None,
    simulate: bool | SimulatorConfig = False,
    progress: bool = True,
    **options: Unpack[Options],
) -> Result:
    """Do what `run` does, in a thread, while the event loop goes on.

    Cancelled, it lets the calls in flight end and be recorded, writes the results, and only then
    passes the cancellation on; cancelled twice, it does so at once. An iterable is gone through in
    that thread.

    Raises:
        BatcherError: see `run`.
        TypeError: there is no such option.
    """
    api_key = _hidden(api_key)
    with PYTHON.spoken():
        start = start_of(input, job, options, api_key, simulate, show=progress)
        return result_of(await wait_async(start), start.job.output)


@dataclass(frozen=True, slots=True)
class Start:
    """A run that is ready to start; `say` is told of a change that it goes on with.

    `way_on` says what there is to do about a change that it does not go on with, in the words of
    whoever asked for it.
    """

    job: JobSpec
    callee: Callee
    rows: Rows | None
    retry_errors: bool
    portion: Portion
    yes: bool
    watcher: Watcher
    say: Callable[[str], object]
    way_on: str = "Give yes=True to go on, undo the change, or name another directory with output"

    def __call__(self, stopping: Stopping) -> RunResult:
        """Run; `stopping` hears of whoever wants it to end.

        Raises:
            BatcherError: it cannot run, or not go on; whatever was received is recorded.
        """
        return Session(
            job=self.job,
            callee=self.callee,
            watcher=self.watcher,
            consent=self._consent,
            stdin=io.BytesIO(),
            rows=self.rows,
            retry_errors=self.retry_errors,
            portion=self.portion,
            stopping=stopping,
        ).run()

    def _consent(self, change: Change) -> bool:
        """Show what changed; refuse only where answers would be given up."""
        if change.gives_up and not self.yes:
            raise ConfigurationError(f"{change.text}\nNothing was called. {self.way_on}")
        self.say(change.text)
        return True


def start_of(
    given: Input | None,
    job: Job | None,
    options: Options,
    keys: Sequence[Secret] | None,
    simulate: bool | SimulatorConfig,  # noqa: FBT001 # as the user gave it
    *,
    show: bool,
    variables: Callable[[], Mapping[str, str]] = credentials.environment,
) -> Start:
    """Make all that a run needs of the user's words.

    `variables` reads those of the environment that may name an address, and keys.

    Raises:
        UsageError: there is no input, or it is none; or `simulate` is neither of the two.
        ConfigurationError, CredentialsError: the job or a key is wrong.
    """
    if not isinstance(simulate, bool | SimulatorConfig):
        raise UsageError(
            f"simulate is {simulate!r}; give True, or a batcher.SimulatorConfig(...) that says how "
            "the simulator behaves"
        )
    paths, rows = _parted(given)
    spec = job_of([] if rows is not None else paths, job, options)
    if rows is None and not spec.input:
        raise UsageError("no input: give files or rows, or name `input` in the job")
    if "-" in spec.input:
        raise UsageError("- is standard input, which only the command line reads; give the rows")
    if rows is not None and spec.output.directory is None:
        raise UsageError(
            "rows in memory need a directory where their answers are kept and found again: "
            'output="labels.batch"'
        )
    if simulate:
        spec = credentials.simulated_job(spec)
        config = simulate if isinstance(simulate, SimulatorConfig) else SimulatorConfig()
        callee = credentials.simulated_callee(spec.provider, config)
    else:
        callee = _real_callee(spec, keys, variables())
    # A daemon may have no stderr.
    stream = sys.stderr if show else None
    return Start(
        job=spec,
        callee=callee,
        rows=rows,
        retry_errors=options.get("retry_errors", False),
        portion=portion_of(options),
        yes=options.get("yes", False),
        watcher=Watchers() if stream is None else display(stream),
        say=_unheard if stream is None else lambda text: stream.write(f"{text}\n"),
    )


def portion_of(options: Options) -> Portion:
    """Return the rows that options choose.

    Raises:
        UsageError: there are no such rows.
    """
    shard: Any = options.get("shard")
    if shard is not None and not (isinstance(shard, tuple | list) and len(shard) == _PAIR):
        raise UsageError(f"shard is {shard!r}; give (i, n), such as (2, 4) for the second of four")
    return Portion(
        options.get("limit"),
        options.get("sample"),
        options.get("seed"),
        None if shard is None else Shard(*shard),
    )


def _real_callee(
    job: JobSpec, keys: Sequence[Secret] | None, variables: Mapping[str, str]
) -> Callee:
    """Return the provider of the job.

    Raises:
        CredentialsError: a key is missing or wrong; with no traceback, whose frames hold keys.
    """
    try:
        return credentials.real_callee(
            job.provider,
            variables,
            _warn,
            None if keys is None else [key.get_secret_value() for key in keys],
        )
    except CredentialsError as error:
        raise error.with_traceback(None) from None


def _wherever_this_is(start: Start) -> RunResult:
    """Run in this thread if there is no event loop in it; else in another."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        return wait(start)
    if threading.current_thread() is threading.main_thread():
        return _heeding_signals(start)
    return start(Asked())


def _heeding_signals(start: Start) -> RunResult:
    """Run; once it has ended in order, let a signal do what it would have done at once."""
    result: RunResult | None = None
    try:
        result = start(Signals())
        number = result.interrupted
    except Interruption as interruption:
        number = interruption.number
    if number is not None:
        signal.raise_signal(number)
    if result is None:
        raise Interruption(number or signal.SIGINT)
    return result


def _hidden(key: Key | Sequence[Key] | None) -> tuple[Secret, ...] | None:
    if key is None:
        return None
    keys = [key] if isinstance(key, str | HidesSecret) else key
    return tuple(Secret(one if isinstance(one, str) else one.get_secret_value()) for one in keys)


def _parted(given: Input | None) -> tuple[list[str] | None, Rows | None]:
    """Tell files from rows."""
    if given is None:
        return None, None
    if isinstance(given, str | os.PathLike):
        return [os.fspath(given)], None
    if isinstance(given, ArrowStream | ArrowArray):
        return None, given
    if isinstance(given, Sequence) and given and isinstance(given[0], str | os.PathLike):
        return [_path(one) for one in given], None
    rows: Any = given
    if not isinstance(rows, Iterable) or isinstance(rows, Mapping | bytes):
        raise UsageError(_no_input(rows))
    return None, rows


def _path(given: object) -> str:
    if isinstance(given, str | os.PathLike):
        return str(os.fspath(given))
    raise UsageError(f"the input names files, and {given!r:.80} is none")


def _no_input(given: object) -> str:
    if isinstance(given, Mapping):
        return "a dict is one row; give a list of dicts, or columns as pyarrow.table(...)"
    if hasattr(given, "__aiter__"):
        return "an async iterable cannot be read; gather its rows into a list first"
    return (
        f"a {type(given).__name__} is no input; give files, an iterable of dicts, or a table "
        "(pyarrow, pandas, Polars)"
    )


def _unheard(_text: str) -> None:
    """Say nothing: nobody listens."""


def _warn(text: str) -> None:
    warnings.warn(text.removeprefix("Warning: "), stacklevel=6)
