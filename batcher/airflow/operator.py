"""`BatcherOperator`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.sdk import BaseOperator, Context, XComArg, literal

from batcher.airflow.ending import consequences
from batcher.airflow.figures import Figures
from batcher.airflow.instance import TaskInstance
from batcher.airflow.link import ReportLink
from batcher.airflow.rendered import or_none, renderable
from batcher.airflow.slips import refuse_slips
from batcher.api.options import Job, Options, PathName

if TYPE_CHECKING:
    from batcher.api.running import Input
    from batcher.simulator import SimulatorConfig


class BatcherOperator(BaseOperator):
    """Calls a model for every row of `input` that has no answer yet; docs/airflow.md.

    Templated are `input`, `job`, `directory`, `options`, `shard`, `conn_id` and `report_url`; but
    templates of prompts, in the job and the options, are the run's own, and Airflow leaves them.

    Args:
        input: Files, directories, globs or URLs; else the input of the job.
        job: A job file, or its tables as a mapping.
        directory: The run directory, `output` of `batcher.run`, a name that Airflow has taken; else
            one of this task of this DAG run, the same for each of its tries.
        options: What else `batcher.run` takes by its name, but for `api_key` and `progress`.
        shard: (i, n): the i-th of n parts of the input, counted from 1; or "i/n".
        conn_id: The connection whose password is the key; else it comes from the environment or
            .env, as on the command line.
        simulate: Call a local simulator instead of a model.
        on: What follows from which ending, where it is not the usual: {"empty": "skip"}.
        report_url: Where the report can be looked at, if its directory is served; else the link is
            that of the file.
        **kwargs: Those of every operator.

    Returns `Figures` as XCom, also where it fails.
    """

    template_fields: Sequence[str] = (
        *("input", "job", "directory", "options", "shard", "conn_id", "report_url"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"job": "json", "options": "json"}
    operator_extra_links = (ReportLink(),)
    ui_color = "#e8f0d8"

    def __init__(  # noqa: PLR0913 # each is a field of its own in Airflow's templates
        self,
        *,
        input: Input | XComArg | None = None,  # noqa: A002 # the job file's word
        job: Job | XComArg | None = None,
        directory: PathName | None = None,
        options: Mapping[str, Any] | None = None,
        shard: Sequence[int | str] | str | None = None,
        conn_id: str | None = None,
        simulate: bool | SimulatorConfig = False,
        on: Mapping[str, str] | None = None,
        report_url: str | None = None,
        **kwargs: Any,  # noqa: ANN401 # those of Airflow's class
    ) -> None:
        super().__init__(**kwargs)
        self.input: Any = renderable(input)
        self.job = _with_own(renderable(job), ("prompt",))
        self.directory = renderable(directory)
        self.options = _with_own(options, ("template", "system_template"))
        self.shard = shard
        self.conn_id = conn_id
        self.simulate = simulate
        self.on = on
        self.report_url = report_url
        self.report_link: str | None = None
        # A DAG that says what cannot be is found to be broken when it is read.
        consequences(on)
        refuse_slips(options, shard)

    def execute(self, context: Context) -> Figures:
        """Run, in the process of the task.

        Raises:
            AirflowSkipException, AirflowFailException, AirflowException: see `batcher.airflow.run`.
        """
        # Airflow reads each DAG again and again: what makes calls is loaded by the task alone.
        from batcher.airflow.task import Task  # noqa: PLC0415 -- see above

        options = dict(self.options or {})
        if self.shard is not None:
            options["shard"] = self.shard
        task = Task(
            self.input,
            self.job,
            cast("Options", options),
            self.conn_id,
            self.simulate,
            self.directory,
        )
        ti = cast("TaskInstance", context["ti"])
        outcome = task.carried_out(ti)
        self.report_link = outcome.report_link(or_none(self.report_url))
        return outcome.followed(ti, consequences(self.on))


def _with_own(given: Any, names: Sequence[str]) -> Any:  # noqa: ANN401 # or what Airflow resolves
    """Return a mapping whose values of `names` Airflow leaves alone, all else as it is."""
    if not isinstance(given, Mapping):
        return given
    return {
        name: literal(value) if name in names else renderable(value)
        for name, value in given.items()
    }
