"""Runs as tasks of Airflow 3: the same engine, in the process of the task (docs/airflow.md).

Airflow reads each DAG again and again: what makes calls is loaded when a task needs it.
"""

try:
    import airflow.sdk  # noqa: F401 # without which nothing below can be imported
except ModuleNotFoundError as error:
    if error.name not in ("airflow", "airflow.sdk"):
        raise
    raise ModuleNotFoundError(
        "batcher.airflow needs Airflow 3: pip install '.[airflow]' in a checkout of batcher "
        "(docs/airflow.md)",
        name=error.name,
    ) from None

from batcher.airflow.code import estimate, run
from batcher.airflow.ending import Consequence, Ending
from batcher.airflow.figures import Figures
from batcher.airflow.link import ReportLink
from batcher.airflow.merging import MergeOperator
from batcher.airflow.operator import BatcherOperator

__all__ = [
    "BatcherOperator",
    "Consequence",
    "Ending",
    "Figures",
    "MergeOperator",
    "ReportLink",
    "estimate",
    "run",
]
