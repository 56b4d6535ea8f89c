"""A task instance without an Airflow."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Instance:
    """A task instance that keeps what it is told."""

    dag_id: str = "daily"
    run_id: str = "manual__2026-01-01T00:00:00+00:00"
    task_id: str = "label"
    map_index: int | None = -1
    try_number: int = 1
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:  # noqa: ANN401 # Airflow's own signature
        self.pushed[key] = json.loads(json.dumps(value))
