"""Why a run failed, in what may be told of it: no text of a provider, and none of an error."""

from __future__ import annotations

import signal

from batcher.errors import BatcherError, InputError, Interruption, StorageError
from batcher.history import Ended
from batcher.job import JobSpec
from batcher.observe.alerts import Cause, Why
from batcher.runs.result import RunResult

# What such a code is told as where the run came to an end all the same: its text names files.
_RAISED = {error.exit_code: error for error in (InputError, StorageError)}


def why_ended(result: RunResult, job: JobSpec) -> Why | None:
    """Return why a run that ended in order did not end well, if so."""
    code = result.exit_code(job.output)
    halted, number = result.halted, result.interrupted
    why: Why | None
    match result.ended:
        case Ended.DISK_FULL:
            why = Why(Cause.DISK_FULL, exit_code=code)
        case Ended.HALTED if halted is not None and halted.error_class is not None:
            # Its reason quotes the provider.
            why = Why(Cause.PROVIDER, halted.error_class.value, code)
        case Ended.HALTED | Ended.DONE | Ended.PENDING if code in _RAISED:
            why = Why(Cause.ERROR, _RAISED[code].__name__, code)
        case Ended.HALTED if halted is not None:
            why = Why(Cause.STOPPED, halted.reason, code)
        case Ended.INTERRUPTED if number is not None:
            why = Why(Cause.INTERRUPTED, number.name, code)
        case Ended.DONE:
            why = Why(Cause.TOO_MANY_ERRORS, exit_code=code) if code else None
        case _:
            why = Why(Cause.PENDING, exit_code=code)
    return why


def why_raised(error: BaseException) -> Why:
    """Return why a run ended that raised `error`, whose text may quote a row."""
    if isinstance(error, KeyboardInterrupt):
        number = error.number if isinstance(error, Interruption) else signal.SIGINT
        return Why(Cause.INTERRUPTED, number.name, 128 + number)
    ended = error if isinstance(error, BatcherError) else BatcherError
    code = StorageError.exit_code if isinstance(error, OSError) else ended.exit_code
    return Why(Cause.ERROR, type(error).__name__, code)
