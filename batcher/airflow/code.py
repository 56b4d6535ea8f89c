"""What the code of a `@task` calls: `run` and `estimate`.

DAGs that have such tasks are read again and again: what makes calls is loaded by the tasks alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from batcher.airflow.ending import consequences
from batcher.airflow.figures import Figures
from batcher.airflow.instance import current
from batcher.api.options import Job, Options, PathName

if TYPE_CHECKING:
    from batcher.api.running import Input
    from batcher.simulator import SimulatorConfig


def run(
    input: Input | None = None,  # noqa: A002 # the job file's word
    /,
    *,
    job: Job | None = None,
    conn_id: str | None = None,
    simulate: bool | SimulatorConfig = False,
    directory: PathName | None = None,
    on: Mapping[str, str] | None = None,
    **options: Unpack[Options],
) -> Figures:
    """Do in a `@task` what `BatcherOperator` does, and return what that returns.

    `input`, `job`, `simulate` and `options` are those of `batcher.run`; `conn_id` names the
    connection with the key, and `on` says what follows from which ending. `directory` is `output`
    by the operator's word for it; without either, the run directory is one of this task of this
    DAG run, the same for each of its tries; several calls in one task need one each.

    Raises:
        AirflowSkipException, AirflowFailException, AirflowException: what follows from how it
            ended; what there is to tell has been pushed as `return_value`.
    """
    from batcher.airflow.task import Task  # noqa: PLC0415 -- as the module says

    ti = current()
    chosen = consequences(on)
    task = Task(input, job, options, conn_id, simulate, directory)
    return task.carried_out(ti).followed(ti, chosen)


def estimate(
    input: Input | None = None,  # noqa: A002 # the job file's word
    /,
    *,
    job: Job | None = None,
    conn_id: str | None = None,
    simulate: bool | SimulatorConfig = False,
    directory: PathName | None = None,
    output_tokens: int | None = None,
    on: Mapping[str, str] | None = None,
    **options: Unpack[Options],
) -> dict[str, Any]:
    """Do in a `@task` what `batcher estimate --json` does: nothing is called that is paid for.

    Takes what `batcher.airflow.run` takes. `output_tokens` are those of an answer, if they are
    known. Where the run would meet a ceiling of its own (`max_cost`, `max_tokens_total`), or one
    of them cannot be compared since no price or no bound is known, what follows is that of
    "ceiling".

    Raises:
        AirflowSkipException, AirflowFailException, AirflowException: what follows from how it
            ended.
    """
    from batcher.airflow.quoting import quoted  # noqa: PLC0415 -- as the module says
    from batcher.airflow.task import Task  # noqa: PLC0415 -- the same

    task = Task(input, job, options, conn_id, simulate, directory)
    return quoted(task, current(), output_tokens, consequences(on))
