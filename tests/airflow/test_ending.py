"""What follows for a task from how its run ended."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)

from batcher.airflow.ending import (
    USUAL,
    Consequence,
    Ending,
    consequences,
    ending_of_error,
    what_follows,
)
from batcher.errors import (
    BatcherError,
    ConfigurationError,
    CredentialsError,
    DiskFullError,
    InputError,
    LockedError,
    OutputError,
    StorageError,
    UsageError,
)

SUCCEED, SKIP, RETRY, FAIL = Consequence


@pytest.mark.parametrize(
    ("error", "ending", "consequence"),
    [
        (UsageError("x"), Ending.INPUT, FAIL),
        (InputError("x"), Ending.INPUT, FAIL),
        (ConfigurationError("x"), Ending.CONFIGURATION, FAIL),
        (CredentialsError("x"), Ending.CREDENTIALS, FAIL),
        (LockedError("x"), Ending.PENDING, RETRY),
        (OutputError("x"), Ending.STORAGE, RETRY),
        (StorageError("x"), Ending.STORAGE, RETRY),
        (DiskFullError("x"), Ending.STORAGE, RETRY),
        (OSError("x"), Ending.STORAGE, RETRY),
        (BatcherError("x"), Ending.INTERNAL, RETRY),
    ],
)
def test_what_another_try_cannot_mend_fails_and_all_else_is_retried(
    error: BatcherError | OSError, ending: Ending, consequence: Consequence
) -> None:
    assert ending_of_error(error) is ending
    assert USUAL[ending] is consequence


@pytest.mark.parametrize(
    ("consequence", "raised"),
    [(SKIP, AirflowSkipException), (FAIL, AirflowFailException), (RETRY, AirflowException)],
)
def test_each_consequence_has_its_exception(
    consequence: Consequence, raised: type[AirflowException]
) -> None:
    error = what_follows(consequence, "why")
    assert type(error) is raised
    assert str(error) == "why"


def test_every_ending_has_its_usual_consequence() -> None:
    assert set(USUAL) == set(Ending)


def test_a_dag_says_what_follows_where_it_wants_something_else() -> None:
    chosen = consequences({"empty": "skip", "ceiling": "retry"})
    assert chosen[Ending.EMPTY] is SKIP
    assert chosen[Ending.CEILING] is RETRY
    others = set(Ending) - {Ending.EMPTY, Ending.CEILING}
    assert {ending: chosen[ending] for ending in others} == {e: USUAL[e] for e in others}


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ({"emty": "skip"}, "no ending 'emty'; did you mean `empty`"),
        ({"xyzzy": "skip"}, r"no ending 'xyzzy'\. There are done, "),
        ({"empty": "skipped"}, "no consequence 'skipped'; did you mean `skip`"),
        ({"credentials": "succeed"}, "no results to succeed with"),
    ],
)
def test_a_slip_is_named(on: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        consequences(on)
