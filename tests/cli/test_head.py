"""`batcher head`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Batcher = Callable[..., Result]


def test_the_first_results_are_shown_as_json(batcher: Batcher, finished: Path) -> None:
    done = batcher("head", str(finished), "-n", "1")
    shown = json.loads(done.stdout)
    assert (shown["row"], shown["id"], shown["prompt"]) == (0, "id-0", "Say 0.")


def test_without_results_the_way_out_is_named(batcher: Batcher, folder: Path) -> None:
    done = batcher("head", str(folder))
    assert done.exit_code == 74
    assert "results.parquet" in done.stderr
