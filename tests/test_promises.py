"""The sheet of promises: every file and row of the matrix that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults.matrix import MATRIX

ROOT = Path(__file__).parents[1]
SHEET = (ROOT / "docs" / "promises.md").read_text("utf-8")
ROWS = re.findall(r"^\| (\d+) [^|]*\| ([^|]*) \|$", SHEET, re.MULTILINE)


def test_each_promise_of_the_readme_has_its_line() -> None:
    readme = (ROOT / "README.md").read_text("utf-8").partition("## What it promises")[2]
    promised = re.findall(r"^(\d+)\. ", readme.partition("\n## ")[0], re.MULTILINE)
    assert promised == [number for number, _ in ROWS] == [str(n) for n in range(1, 16)]


def test_the_tests_it_names_are_there() -> None:
    named = re.findall(r"`(tests/[^`]*)`", SHEET)
    assert len(named) > 8
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_rows_it_names_are_in_the_matrix_and_have_tests() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "tests/faults").glob("test_*.py"))
    numbers = {
        int(number)
        for _, tests in ROWS
        for number in re.findall(r"(?<![\w/])\d+(?![\w%])", re.sub(r"`[^`]*`", "", tests))
    }
    assert numbers <= MATRIX.keys()
    tested = {int(number) for number in re.findall(r"def test_(\d\d)_", sources)}
    assert numbers <= tested
