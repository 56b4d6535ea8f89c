"""What can go wrong, and what is done about it.

Two trees. The first ends a command; each leaf knows its exit code (docs/errors.md)::

    BatcherError                70  internal
    ├── UsageError               2  the command line cannot mean what it says
    ├── InputError               2  an input file is missing, unreadable or of no known format
    ├── ConfigurationError      78  the job, a template or a setting is wrong
    ├── CredentialsError        77  no key, a malformed key, or one the provider refuses
    ├── OutputError             73  the run directory or an output cannot be created
    ├── StorageError            74  writing or reading the checkpoint or an output failed
    │   └── DiskFullError       74  there is no room for more
    ├── RowsPendingError        75  rows are left; the same command goes on with them
    │   └── LockedError         75  another process works in this run directory
    └── TooManyRowErrorsError   65  every row has an outcome, more of them errors than allowed

The second concerns one call or one row and is a value before it is an exception:
a `Problem` says what happened, its `ErrorClass` decides what follows (`Action`), and
`ProviderError` carries it from the one place that sees the answer to the one that retries.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum

from batcher.limits import RateLimits


class BatcherError(Exception):
    """An error whose message is written for the user: what is wrong, where, and the way out."""

    exit_code = 70


class UsageError(BatcherError):
    """The command line cannot mean what it says."""

    exit_code = 2


class InputError(BatcherError):
    """An input file is missing, unreadable or of no known format."""

    exit_code = 2


class ConfigurationError(BatcherError):
    """The job, a template or a setting is wrong."""

    exit_code = 78


class CredentialsError(BatcherError):
    """No key, a malformed key, or an account that the provider refuses."""

    exit_code = 77


class OutputError(BatcherError):
    """The run directory or an output file cannot be created."""

    exit_code = 73


class StorageError(BatcherError):
    """Reading or writing the checkpoint or an output failed."""

    exit_code = 74


class DiskFullError(StorageError):
    """There is no room for more; what was being written can be written again once there is."""


class RowsPendingError(BatcherError):
    """The run stopped with rows pending; the same command goes on with them."""

    exit_code = 75


class LockedError(RowsPendingError):
    """Another process works in this run directory."""


class TooManyRowErrorsError(BatcherError):
    """Every row has an outcome, but more of them are errors than the job allows."""

    exit_code = 65


class Interruption(KeyboardInterrupt):
    """A signal asked this process to end; `number` says which. Ends with 128 + number."""

    def __init__(self, number: signal.Signals) -> None:
        """End because of signal `number`."""
        super().__init__(number.name)
        self.number = number


class Action(Enum):
    """What follows from a problem (the classes of protocol.md section 3)."""

    RETRY = "retry with backoff"
    WAIT = "wait until the limit resets"
    FAIL_ROW = "record the row as an error and go on"
    STOP_RUN = "stop the run and leave the rows pending"


@dataclass(frozen=True, slots=True)
class Rule:
    """What an `ErrorClass` means for its row and its run.

    `hint` is one sentence for the summary. A failure that does not `count` uses up none of its
    row's attempts (a throttle says nothing about the row). `exit_code` ends a run it stops.
    """

    action: Action
    hint: str
    counts: bool = True
    exit_code: int = 75


class ErrorClass(StrEnum):
    """The kinds of problem, as users see them in `errors.parquet`; each has its `rule`."""

    # The row itself, before any call.
    INVALID_ROW = "invalid_row"
    DUPLICATE_ID = "duplicate_id"
    TEMPLATE_ERROR = "template_error"

    # The request, refused for good.
    BAD_REQUEST = "bad_request"
    PROMPT_TOO_LONG = "prompt_too_long"
    CONTENT_FILTERED = "content_filtered"

    # The answer, in time and whole, but not what the job wants, however often it was asked again.
    INVALID_OUTPUT = "invalid_output"

    # The call, worth another try.
    THROTTLED = "throttled"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    NOT_SENT = "not_sent"
    AMBIGUOUS = "ambiguous"
    INFERENCE_FAILED = "inference_failed"
    MALFORMED_ANSWER = "malformed_answer"
    EMPTY_COMPLETION = "empty_completion"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 -- the name of a class, no password

    # The account, until a moment the provider names.
    QUOTA_EXHAUSTED = "quota_exhausted"

    # Every further call would end the same way.
    AUTHENTICATION = "authentication"
    BALANCE = "balance"
    PERMISSION = "permission"
    MODEL_UNAVAILABLE = "model_unavailable"
    ENDPOINT_UNKNOWN = "endpoint_unknown"

    @property
    def rule(self) -> Rule:
        """What this kind of problem means for its row and its run."""
        return _RULES[self]


OF_THE_ROW = frozenset({ErrorClass.INVALID_ROW, ErrorClass.DUPLICATE_ID, ErrorClass.TEMPLATE_ERROR})
"""What is wrong with a row before any call, which is said in batcher's own words."""

_RULES = {
    ErrorClass.INVALID_ROW: Rule(
        Action.FAIL_ROW, "Correct the named lines; `batcher check` lists them without a call."
    ),
    ErrorClass.DUPLICATE_ID: Rule(
        Action.FAIL_ROW, "Give each row its own id, or name another column with --id-column."
    ),
    ErrorClass.TEMPLATE_ERROR: Rule(
        Action.FAIL_ROW, "Correct the template or the rows; `batcher preview` shows what it makes."
    ),
    ErrorClass.BAD_REQUEST: Rule(
        Action.FAIL_ROW,
        "The provider refuses these parameters or messages; see the message column.",
    ),
    ErrorClass.PROMPT_TOO_LONG: Rule(
        Action.FAIL_ROW, "Shorten these prompts or choose a model with a longer context."
    ),
    ErrorClass.CONTENT_FILTERED: Rule(
        Action.FAIL_ROW, "The provider's content policy blocked prompt or answer."
    ),
    ErrorClass.INVALID_OUTPUT: Rule(
        Action.FAIL_ROW,
        "The answers do not hold what [output] asks for; the response column keeps the last one.",
    ),
    ErrorClass.THROTTLED: Rule(
        Action.RETRY,
        "The account's limit was reached, for longer than --max-wait; run the same command later.",
        counts=False,
    ),
    ErrorClass.OVERLOADED: Rule(
        Action.RETRY, "The provider was overloaded; call it again later with `batcher retry`."
    ),
    ErrorClass.SERVER_ERROR: Rule(
        Action.RETRY, "The provider failed on its side; call it again with `batcher retry`."
    ),
    ErrorClass.NOT_SENT: Rule(
        Action.RETRY, "No connection to the endpoint; check the network and --base-url."
    ),
    ErrorClass.AMBIGUOUS: Rule(
        Action.RETRY,
        "Sent, but no whole answer came back: possibly billed; a longer --timeout may help.",
    ),
    ErrorClass.INFERENCE_FAILED: Rule(
        Action.RETRY,
        "The provider answered 200 but its inference failed; call it again with `batcher retry`.",
    ),
    ErrorClass.MALFORMED_ANSWER: Rule(
        Action.RETRY,
        "The endpoint answered something that is no chat completion; check --base-url.",
    ),
    ErrorClass.EMPTY_COMPLETION: Rule(
        Action.RETRY,
        "The model answered with no text; allow it with --allow-empty if that is expected.",
    ),
    ErrorClass.TOKEN_EXPIRED: Rule(
        Action.RETRY,
        "The signed token was refused; check this machine's clock.",
        counts=False,
        exit_code=77,
    ),
    ErrorClass.QUOTA_EXHAUSTED: Rule(
        Action.WAIT,
        "The account's quota is used up until it resets; run the same command then.",
        counts=False,
    ),
    ErrorClass.AUTHENTICATION: Rule(
        Action.STOP_RUN,
        "The provider refuses the key; check the environment variable or --api-key-file.",
        exit_code=77,
    ),
    ErrorClass.BALANCE: Rule(
        Action.STOP_RUN,
        "The account is out of balance or its plan has ended; recharge, then run again.",
        exit_code=77,
    ),
    ErrorClass.PERMISSION: Rule(
        Action.STOP_RUN,
        "The account may not use this API; see the provider's console.",
        exit_code=77,
    ),
    ErrorClass.MODEL_UNAVAILABLE: Rule(
        Action.STOP_RUN,
        "The provider does not know this model, or this account may not use it; check --model.",
        exit_code=78,
    ),
    ErrorClass.ENDPOINT_UNKNOWN: Rule(
        Action.STOP_RUN,
        "No chat-completion API answers at this address; check --provider and --base-url.",
        exit_code=78,
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What happened to a row or a call.

    `code` is the provider's own code as a string, `http_status` the status of the answer; both
    are None where there was none. `message` never holds a key or a header.
    """

    error_class: ErrorClass
    message: str
    code: str | None = None
    http_status: int | None = None


class ProviderError(Exception):
    """A call that did not end in a completion.

    `retry_after` is the provider's wish in seconds, `resets_at` the (aware) moment a used-up
    limit is renewed, `rate_limits` what is left of them; each is None where the answer names none.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        retry_after: float | None = None,
        resets_at: datetime | None = None,
        rate_limits: RateLimits | None = None,
    ) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.retry_after = retry_after
        self.resets_at = resets_at
        self.rate_limits = rate_limits


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a run stops with rows pending, as a sentence or two for the user; and its exit code.

    `error_class` is that of the problem behind it, where there is one: then `reason` quotes the
    provider, which may quote a prompt. A `ceiling` is one that the user set: the same command stops
    there again, or spends as much once more.
    """

    reason: str
    exit_code: int = RowsPendingError.exit_code
    error_class: ErrorClass | None = None
    ceiling: bool = False


class RowError(Exception):
    """A row that cannot become a request; `problem` says why."""

    def __init__(self, error_class: ErrorClass, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(error_class, message)
