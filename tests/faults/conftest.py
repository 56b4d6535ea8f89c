"""The verdicts: which row of the matrix passed, printed at the end; and what the tests share."""

from __future__ import annotations

import os
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.faults.children import Parent
from tests.faults.children import parent as open_parent
from tests.faults.matrix import MATRIX

HERE = Path(__file__).parent
_NUMBER = re.compile(r"::test_(\d\d)_")
SEED = "FAULT_SEED"


@pytest.fixture(scope="session")
def parent() -> Iterator[Parent]:
    """Return the parent of all children that this worker starts."""
    with open_parent() as opened:
        yield opened


@pytest.fixture(scope="session")
def seed() -> int:
    """Return the seed of all that is drawn by lot; the variable FAULT_SEED sets it."""
    return int(os.environ[SEED])


def pytest_configure() -> None:
    # Here, so that the workers inherit one.
    os.environ.setdefault(SEED, str(random.SystemRandom().randrange(2**32)))


def pytest_report_header() -> str:
    return f"{SEED}={os.environ[SEED]}"


def verdicts(outcomes: Mapping[int, set[str]]) -> dict[int, str]:
    """Return what is to be said of each row of the matrix, by the outcomes of its tests."""

    def verdict(number: int) -> str:
        if bad := outcomes.get(number, set()) & {"failed", "error"}:
            return f"FAILED ({', '.join(sorted(bad))})"
        if "passed" in outcomes.get(number, ()):
            return "passed"
        if "skipped" in outcomes.get(number, ()):
            return "skipped: see -rs"
        return "NO TEST"

    return {number: verdict(number) for number in MATRIX}


def _outcomes(reporter: pytest.TerminalReporter) -> dict[int, set[str]]:
    outcomes = defaultdict[int, set[str]](set)
    for outcome in ("passed", "failed", "error", "skipped", "xfailed"):
        for report in reporter.getreports(outcome):
            if found := _NUMBER.search(report.nodeid):
                outcomes[int(found[1])].add(outcome)
    return outcomes


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    outcomes = _outcomes(terminalreporter)
    said = verdicts(outcomes)
    terminalreporter.section(f"fault matrix ({SEED}={os.environ[SEED]})")
    shown = MATRIX if _all_wanted(terminalreporter.config) else outcomes
    for number, row in ((number, MATRIX[number]) for number in sorted(shown)):
        terminalreporter.line(
            f"{number:>2}  {row.fault:<54}  exit {row.codes:<12}  {said[number]}",
            red=said[number].startswith(("FAILED", "NO TEST")),
        )


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where a row has no test, and all of them were to run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if hasattr(session.config, "workerinput") or not _all_wanted(session.config) or not reporter:
        return
    if "NO TEST" in verdicts(_outcomes(reporter)).values() and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _all_wanted(config: pytest.Config) -> bool:
    narrowed = config.getoption("keyword") or config.getoption("markexpr")
    return not narrowed and [Path(argument).resolve() for argument in config.args] == [HERE]
