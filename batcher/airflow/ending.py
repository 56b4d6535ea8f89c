"""How a run ended, and what its task does about that: succeed, be skipped, be retried, or fail."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)

from batcher.api.words import Words
from batcher.errors import (
    BatcherError,
    ConfigurationError,
    CredentialsError,
    InputError,
    OutputError,
    RowsPendingError,
    StorageError,
    TooManyRowErrorsError,
    UsageError,
)
from batcher.history import Ended
from batcher.job import OutputSpec
from batcher.recorded import Counts
from batcher.wording import did_you_mean

if TYPE_CHECKING:
    from batcher.runs.result import RunResult

DAG = Words(
    "directory",
    "name a connection with conn_id",
    {
        # Signals ask a task once, and nobody gives it a command.
        "; a second signal stops at once": "",
        "same command": "same task",
        # By this signal Airflow's timer ends what takes too long.
        "SIGALRM: ": "The time limit of the task: ",
        "SIGALRM": "the time limit of the task",
    },
)


class Ending(StrEnum):
    """How a run ended, by what can be done about it (docs/airflow.md)."""

    DONE = "done"
    EMPTY = "empty"
    ROW_ERRORS = "row_errors"
    CEILING = "ceiling"
    PENDING = "pending"
    STOPPED = "stopped"
    STORAGE = "storage"
    CREDENTIALS = "credentials"
    CONFIGURATION = "configuration"
    INPUT = "input"
    INTERNAL = "internal"


class Consequence(StrEnum):
    """What follows for a task."""

    SUCCEED = "succeed"
    SKIP = "skip"
    RETRY = "retry"
    FAIL = "fail"


Consequences = Mapping[Ending, Consequence]

USUAL: Consequences = {
    Ending.DONE: Consequence.SUCCEED,
    Ending.EMPTY: Consequence.SUCCEED,
    # The next try would find the same errors.
    Ending.ROW_ERRORS: Consequence.FAIL,
    # What the user allowed is used up; a retry would spend as much again.
    Ending.CEILING: Consequence.FAIL,
    Ending.PENDING: Consequence.RETRY,
    Ending.STOPPED: Consequence.RETRY,
    Ending.STORAGE: Consequence.RETRY,
    Ending.CREDENTIALS: Consequence.FAIL,
    Ending.CONFIGURATION: Consequence.FAIL,
    Ending.INPUT: Consequence.FAIL,
    Ending.INTERNAL: Consequence.RETRY,
}

# Elsewhere there is nothing that a task downstream could go on with.
_MAY_SUCCEED = (Ending.DONE, Ending.EMPTY, Ending.ROW_ERRORS, Ending.CEILING)

_BY_CODE = {
    UsageError.exit_code: Ending.INPUT,
    InputError.exit_code: Ending.INPUT,
    ConfigurationError.exit_code: Ending.CONFIGURATION,
    CredentialsError.exit_code: Ending.CREDENTIALS,
    OutputError.exit_code: Ending.STORAGE,
    StorageError.exit_code: Ending.STORAGE,
    RowsPendingError.exit_code: Ending.PENDING,
    TooManyRowErrorsError.exit_code: Ending.ROW_ERRORS,
}

Word = TypeVar("Word", Ending, Consequence)


def consequences(on: Mapping[str, str] | None) -> Consequences:
    """Return what follows from each ending: the usual, but as `on` has it.

    Raises:
        UsageError: there is no such ending or consequence, or the two do not go together.
    """
    chosen = dict(USUAL)
    for name, what in (on or {}).items():
        ending, consequence = _word(Ending, name), _word(Consequence, what)
        if consequence is Consequence.SUCCEED and ending not in _MAY_SUCCEED:
            raise UsageError(
                f"on={{{name!r}: {what!r}}}: a run that ends so has no results to succeed with; "
                "skip, retry or fail"
            )
        chosen[ending] = consequence
    return chosen


def ending_of(result: RunResult, output: OutputSpec) -> Ending:
    """Return how a run ended that came to its end in order."""
    code = result.exit_code(output)
    match result.ended:
        case Ended.INTERRUPTED:
            return Ending.STOPPED
        case Ended.HALTED if result.halted is not None and result.halted.ceiling:
            return Ending.CEILING
        case _:
            return ending_of_code(code, result.summary.counts)


def ending_of_code(code: int, counts: Counts) -> Ending:
    """Return how something ended whose process would have this exit code."""
    if code == 0:
        return Ending.DONE if counts.rows else Ending.EMPTY
    return _BY_CODE.get(code, Ending.INTERNAL)


def ending_of_error(error: BatcherError | OSError) -> Ending:
    """Return how a run ended that raised `error`."""
    if isinstance(error, OSError):
        return Ending.STORAGE
    return _BY_CODE.get(error.exit_code, Ending.INTERNAL)


def said(error: BatcherError | OSError) -> str:
    """Return what an error says, in the words of a DAG."""
    return DAG.of(str(error))


def reason(result: RunResult, ending: Ending) -> str:
    """Say why a run ended so, in what may stand in a mail: no word of the provider's."""
    return DAG.of(_reason(result, ending))


def _reason(result: RunResult, ending: Ending) -> str:
    halted, summary = result.halted, result.summary
    match ending:
        case Ending.ROW_ERRORS:
            counts = summary.counts
            return f"{counts.error_rows:,} of {counts.rows:,} rows ended in errors, too many"
        case Ending.STORAGE if result.ended is Ended.DONE:
            return summary.undelivered or summary.copy or summary.ended
        case Ending.INPUT if result.ended is not Ended.HALTED:
            return summary.unexported or summary.ended
        case _ if result.ended is Ended.HALTED and halted and halted.error_class:
            return f"The run stopped ({halted.error_class.value}). {halted.error_class.rule.hint}"
        case _:
            return summary.ended


def what_follows(consequence: Consequence, why: str) -> AirflowException:
    """Return what to raise: neither what is skipped nor what fails is retried."""
    match consequence:
        case Consequence.SKIP:
            return AirflowSkipException(why)
        case Consequence.FAIL:
            return AirflowFailException(why)
        case _:
            return AirflowException(why)


def _word(kind: type[Word], name: str) -> Word:
    try:
        return kind(name)
    except ValueError:
        known = [word.value for word in kind]
        raise UsageError(
            f"on: there is no {kind.__name__.lower()} {name!r}{did_you_mean(name, known)} "
            f"There are {', '.join(known)}"
        ) from None
