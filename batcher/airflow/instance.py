"""The task instance that a run belongs to, and where such a run lies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import quote

from airflow.sdk import get_current_context

from batcher.api.options import PathName
from batcher.errors import UsageError
from batcher.storage import is_url


class TaskInstance(Protocol):
    """What is used of the task instance that a run belongs to."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int | None
    try_number: int

    def xcom_push(self, key: str, value: Any) -> None:  # noqa: ANN401 # Airflow's own signature
        """Tell tasks downstream."""


def current() -> TaskInstance:
    """Return the task instance whose code this is called from."""
    return cast("TaskInstance", get_current_context()["ti"])


def lasting_directory(ti: TaskInstance) -> Path:
    """Return where a task's run lies if its user names no place: the same for each of its tries.

    Laid out like Airflow's own logs.
    """
    home = Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()
    names = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id}
    path = home / "batcher"
    for key, name in names.items():
        path /= f"{key}={quote(name, safe=':+')}"
    if ti.map_index is not None and ti.map_index >= 0:
        path /= f"map_index={ti.map_index}"
    return path


def whole(directory: object) -> PathName:
    """Return where a run is to lie, if that says the same to each of its tries.

    Raises:
        UsageError: it is relative, so that it depends on where a worker was started; or no path.
    """
    if not isinstance(directory, str | os.PathLike) or not (
        Path(directory).is_absolute() or is_url(os.fspath(directory))
    ):
        raise UsageError(
            f"directory is {directory!r:.80}; name a whole path, such as /data/labelled: a "
            "relative one is another wherever a worker was started"
        )
    return directory
