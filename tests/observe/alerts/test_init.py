"""The room as others see it."""

from __future__ import annotations

import subprocess
import sys


def test_a_run_that_tells_webhooks_loads_no_pages() -> None:
    code = "import sys, batcher.observe.alerts; print('jinja2' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 -- our own interpreter
    assert ran.stdout == "False\n"
