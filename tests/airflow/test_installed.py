"""`batcher.airflow` where there is no Airflow."""

from __future__ import annotations

import subprocess
import sys


def test_without_airflow_it_says_how_to_install_it() -> None:
    # As if there were none: None stands for what cannot be imported.
    code = "import sys; sys.modules['airflow'] = None; import batcher.airflow"
    process = subprocess.run(  # noqa: S603 # a fresh interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert process.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: batcher.airflow needs Airflow 3: pip install '.[airflow]' in a "
        "checkout of batcher (docs/airflow.md)"
    )
