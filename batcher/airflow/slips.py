"""Slips that are known when a DAG is read: it is broken then, not when the task runs at night."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batcher.airflow.rendered import as_meant
from batcher.api.options import refuse_unknown
from batcher.errors import UsageError

_OPERATORS_OWN = ("input", "job", "directory", "conn_id", "simulate", "on", "report_url")


def refuse_slips(options: Any, shard: Any) -> None:  # noqa: ANN401 # or what Airflow resolves
    """Refuse names that no option has, and what is no shard, but for what templates make.

    In a DAG as it is read; and of what code of a task gives `batcher.airflow.run`.

    Raises:
        UsageError: there is such a slip; no value of an option is shown.
    """
    if isinstance(options, Mapping):
        _refuse_names(options)
        shard = options.get("shard") if shard is None else shard
    if shard is not None and _is_plain(shard):
        # All that makes calls is loaded with it, and most DAGs are read without.
        from batcher.api.running import portion_of  # noqa: PLC0415 -- see above

        portion_of(as_meant({"shard": shard}))


def _refuse_names(options: Mapping[str, Any]) -> None:
    if "api_key" in options:
        raise UsageError(
            "options: a DAG holds no api_key, which Airflow would show as a rendered template; "
            "name a connection with conn_id, or set the key in the environment of the workers"
        )
    if "progress" in options:
        raise UsageError("options: a task shows no progress but in its log; leave it out")
    for name in _OPERATORS_OWN:
        if name in options:
            raise UsageError(f"options: {name} is an argument of the operator itself")
    try:
        refuse_unknown(options)
    except TypeError as error:
        raise UsageError(f"options: {error}") from None


def _is_plain(shard: object) -> bool:
    """Tell what stands in the DAG itself from templates and outputs of other tasks."""
    parts = shard if isinstance(shard, list | tuple) else [shard]
    return all(isinstance(part, int | str) and "{" not in str(part) for part in parts)
