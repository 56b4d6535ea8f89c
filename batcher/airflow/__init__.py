"""Runs as tasks of Airflow 3: the same engine, in the process of the task (docs/airflow.md)."""

from batcher.airflow.ending import Consequence, Ending
from batcher.airflow.operator import BatcherOperator, ReportLink
from batcher.airflow.task import run

__all__ = ["BatcherOperator", "Consequence", "Ending", "ReportLink", "run"]
