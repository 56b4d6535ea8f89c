"""`batcher.airflow`: what it takes to be imported."""

from __future__ import annotations

import subprocess
import sys


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 # a fresh interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )


def test_without_airflow_it_says_how_to_install_it() -> None:
    # As if there were none: None stands for what cannot be imported.
    process = _python("import sys; sys.modules['airflow'] = None; import batcher.airflow")
    assert process.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: batcher.airflow needs Airflow 3: pip install '.[airflow]' in a "
        "checkout of batcher (docs/airflow.md)"
    )


def test_a_dag_that_is_read_loads_nothing_that_makes_calls() -> None:
    """Airflow reads each again and again."""
    process = _python(
        "import sys, airflow.sdk; before = set(sys.modules)\n"
        "from batcher.airflow import BatcherOperator, MergeOperator, estimate, run\n"
        "label = BatcherOperator(task_id='label', input='a.jsonl', options={'max_rows': 3})\n"
        "MergeOperator(task_id='merge', runs=['a'])\n"
        "print(sorted(name for name in sys.modules.keys() - before if name.startswith(\n"
        "    ('batcher.runs', 'batcher.engine', 'batcher.providers', 'pyarrow', 'aiohttp'))))"
    )
    assert process.stdout.splitlines()[-1:] == ["[]"], process.stderr
