"""`batcher verify`."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from batcher.cli.group import main
from tests.simulated import Place


@pytest.fixture
def finished(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.write({"prompt": f"Say {n}."} for n in range(3))
    place.run()
    return place


def _verify(place: Place, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["verify", str(place.directory.path), *options])
    return done.exit_code, done.output


def test_a_sound_run_ends_with_0(finished: Place) -> None:
    code, output = _verify(finished)
    assert (code, output) == (0, "Sound: 3 results and 0 errors, each as it was recorded\n")


def test_damage_ends_with_74_and_mend_drops_it(finished: Place) -> None:
    with contextlib.closing(
        sqlite3.connect(finished.directory.checkpoint, isolation_level=None)
    ) as connection:
        connection.execute("UPDATE outcomes SET response = 'other' WHERE row = 1")
    code, output = _verify(finished)
    assert code == 74
    assert "row 1" in output
    code, output = _verify(finished, "--mend")
    # The files still hold the row that is pending again now.
    assert code == 74
    assert "Dropped: 1 outcome;" in output
    assert "results.parquet holds 1 row not recorded as such" in output
