"""A run in the process of a task.

The run has a thread of its own, while the task's thread waits for it: Airflow's signals are heard
there, that of `execution_timeout` as an exception. Each asks the run to end: no new calls, those in
flight are waited for at most 20 s and recorded, results are written. Airflow's heartbeat comes from
another process, the task's supervisor.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import FrameType
from typing import cast

from airflow.sdk import Connection as AirflowConnection
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowTaskTimeout
from airflow.sdk.log import mask_secret

from batcher.airflow.account import Account, Connection, account_of
from batcher.airflow.earlier import nothing_left
from batcher.airflow.ending import Ending, ending_of, ending_of_error, reason, said
from batcher.airflow.figures import figures_of
from batcher.airflow.instance import TaskInstance, lasting_directory, whole
from batcher.airflow.outcome import RETURN_KEY, Outcome
from batcher.airflow.rendered import as_meant, at_once, job_as_meant, or_none
from batcher.airflow.slips import refuse_slips
from batcher.airflow.task_log import TaskLog, watcher
from batcher.api.background import wait
from batcher.api.options import Job, Options, PathName
from batcher.api.result import result_of
from batcher.api.running import Input, Start, start_of
from batcher.errors import BatcherError, CredentialsError, Interruption, UsageError
from batcher.runs.credentials import environment
from batcher.runs.result import RunResult
from batcher.runs.stopping import Asked, Stopping
from batcher.simulator import SimulatorConfig

_WAY_ON = (
    'Give options={"yes": True} (in a call of batcher.airflow.run, yes=True) to go on, undo the '
    "change, or name another directory with directory"
)


@dataclass(frozen=True, slots=True)
class Task:
    """A run as a task has it, templates rendered.

    `directory` is the `output` of the options by another word.
    """

    input: Input | None
    job: Job | None
    options: Options
    conn_id: str | None
    simulate: bool | SimulatorConfig
    directory: PathName | None = None

    def carried_out(self, ti: TaskInstance) -> Outcome:
        """Run; what a run can end with is a value.

        Whatever else ends it, Airflow's time limit above all, is raised once the run has ended in
        order and what there is to tell has been pushed.
        """
        log = TaskLog(logging.getLogger("batcher"))
        ended: list[Outcome] = []
        try:
            start = self.ready(ti, log)
            if (missed := nothing_left(ti, start.job.output)) is not None:
                log.write("notice", text=missed)
            _carry_out(start, log, ended.append)
        except Interruption as interruption:
            return Outcome(Ending.STOPPED, f"Stopped by {interruption} before the first call.")
        except (BatcherError, OSError) as error:
            return Outcome(ending_of_error(error), said(error))
        except BaseException:
            for outcome in ended:
                ti.xcom_push(RETURN_KEY, outcome.figures)
            raise
        return ended[0]

    def ready(self, ti: TaskInstance, log: TaskLog) -> Start:
        """Make a run ready.

        Raises:
            BatcherError: it cannot run.
        """
        refuse_slips(self.options, None)
        options, directory = as_meant(self.options), or_none(self.directory)
        given, job = at_once(or_none(self.input)), job_as_meant(self.job)
        conn_id = or_none(self.conn_id)
        if options.get("output") is not None and directory is not None:
            raise UsageError("directory and output both name the run directory: give one of them")
        options["output"] = whole(directory or options.get("output") or lasting_directory(ti))
        account = Account()
        if conn_id is not None and not self.simulate:
            account = account_of(_connection(str(conn_id)), mask_secret)
            options = cast("Options", {**options, **account.options})
        try:
            start = start_of(
                *(given, job, options, account.keys, self.simulate),
                show=False,
                variables=environment if account.keys is None else dict,
            )
        except TypeError as error:
            raise UsageError(str(error)) from None
        return replace(start, watcher=watcher(log), say=log.say, way_on=_WAY_ON)


def _connection(conn_id: str) -> Connection:
    """Return an Airflow connection.

    Raises:
        CredentialsError: there is none.
    """
    try:
        found: Connection = AirflowConnection.get(conn_id)
    except AirflowNotFoundException:
        raise CredentialsError(
            f"there is no connection {conn_id}; `airflow connections add {conn_id} --conn-type "
            "generic --conn-password KEY` makes one, or set AIRFLOW_CONN_"
            f"{conn_id.upper()} in the environment of the workers"
        ) from None
    return found


def _carry_out(start: Start, log: TaskLog, tell: Callable[[Outcome], object]) -> None:
    """Run, and `tell` how it ended: also where an exception asked for it, which then goes on.

    Raises:
        BatcherError, OSError: it could not run, or not go on.
        Interruption: it was asked to end before its first call.
    """
    output = start.job.output
    asked = Asked()

    def told(stopping: Stopping) -> RunResult:
        result = start(stopping)
        ending = ending_of(result, output)
        figures = figures_of(result_of(result, output), ending, result.summary.to)
        tell(Outcome(ending, reason(result, ending), figures))
        log.say("\n".join(result.summary.lines()))
        return result

    with _asked_by_signals(asked):
        wait(told, asked=asked, heard_as=_heard_as)


def _heard_as(interruption: BaseException) -> signal.Signals:
    """Return the signal behind an exception: the time limit is that of Airflow's timer."""
    return signal.SIGALRM if isinstance(interruption, AirflowTaskTimeout) else signal.SIGINT


@contextlib.contextmanager
def _asked_by_signals(asked: Asked) -> Iterator[None]:
    """Let SIGTERM ask a run to end, and then do what it did before: call the task's `on_kill`.

    SIGINT does the same where it would end the process at once, as it does in one that Airflow's
    supervisor began. However often they come, they ask once: Airflow itself kills what takes too
    long.
    """
    if threading.current_thread() is not threading.main_thread():
        # No handler can be set here, nor is any signal heard.
        yield
        return
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        numbers.append(signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    heard = False

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            return
        heard = True
        asked.ask(signal.Signals(number))
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in numbers:
        signal.signal(number, hear)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
