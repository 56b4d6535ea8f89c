"""The example notebook, in a real kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("default")  # the kernel's libraries warn of each other


def _outputs(cell: Any) -> str:  # noqa: ANN401 # nbformat has no types
    texts = [output.get("text") or output["data"]["text/plain"] for output in cell.outputs]
    return "".join(texts)


def _folder(tmp_path: Path) -> Path:
    """Return a folder like `jobs/`, beside the sample data."""
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    folder = tmp_path / "jobs"
    folder.mkdir()
    return folder


def test_it_labels_shows_and_counts(tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / "jobs" / "notebook.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, resources=_at(_folder(tmp_path))).execute()
    shown = [_outputs(cell) for cell in notebook.cells if cell.cell_type == "code"]
    assert "200 results, 0 errors, 0 pending" in "".join(shown)
    assert "200/200" in "".join(shown)
    assert "Traceback" not in "".join(shown)
    assert "out.label" in shown[-1]


def test_it_is_kept_without_outputs() -> None:
    notebook = nbformat.read(ROOT / "jobs" / "notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert [
        cell.outputs for cell in notebook.cells if cell.cell_type == "code" and cell.outputs
    ] == []


_INTERRUPTED = """
import batcher, os, pathlib, signal, threading, time
rows = [{"id": str(n), "prompt": f"Say {n}."} for n in range(40)]
slow = batcher.SimulatorConfig(latency_s=0.4)
ledger = pathlib.Path("a.batch/simulator.jsonl")
def interrupt():
    while not (ledger.exists() and ledger.read_text().count('"arrived"') >= 8):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    batcher.run(rows, output="a.batch", simulate=slow, concurrency=4)
except KeyboardInterrupt:
    print("interrupted")
"""
_GOES_ON = """
before = ledger.read_text().count('"arrived"')
done = await batcher.arun(rows, output="a.batch", simulate=slow, progress=False)
print(before, done.succeeded, ledger.read_text().count('"arrived"'))
"""


def test_a_cell_that_is_interrupted_keeps_its_answers_and_goes_on(tmp_path: Path) -> None:
    """The kernel interrupts itself as its menu does, by SIGINT, once some calls were made."""
    folder = _folder(tmp_path)
    cells = [nbformat.v4.new_code_cell(cell) for cell in (_INTERRUPTED, _GOES_ON)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, resources=_at(folder)).execute()
    first, second = (_outputs(cell) for cell in notebook.cells)
    assert first.endswith("interrupted\n")
    before, *after = map(int, second.split())
    assert 8 <= before < 40
    assert after == [40, 40]


def _at(folder: Path) -> dict[str, dict[str, str]]:
    return {"metadata": {"path": str(folder)}}
