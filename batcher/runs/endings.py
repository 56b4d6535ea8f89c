"""How a run ended: in a word, and as the sentence or two that its summary begins with."""

from __future__ import annotations

import signal

from batcher.errors import Halt
from batcher.history import Ended
from batcher.observe import Tally
from batcher.wording import counted

NO_ROW = "There was no row at all: see whether the input was written as it should be."


def how_ended(
    halted: Halt | None,
    interrupted: signal.Signals | None,
    left: int | None,
    pending: int | None,
    *,
    disk_full: bool,
) -> Ended:
    """Return what ended a run: of several things the gravest one.

    `left` are the rows that were to be called in this process and were not, `pending` those of the
    whole run that have no outcome; None where nobody knows. A halt that left none is none, and a
    run that nothing stopped is done with all that could be read.
    """
    if disk_full:
        return Ended.DISK_FULL
    if halted is not None and left != 0:
        return Ended.HALTED
    if interrupted is not None:
        return Ended.INTERRUPTED
    return Ended.PENDING if pending else Ended.DONE


def ending(
    how: Ended,
    halted: Halt | None,
    interrupted: signal.Signals | None,
    tally: Tally,
    chosen: str | None,
) -> str:
    """Say how the calls of a run ended; `chosen` names a part of the input."""
    match how:
        case Ended.DISK_FULL:
            return (
                "The disk is full. Every answer that came is recorded; free space, then run the "
                "same command again."
            )
        case Ended.HALTED if halted is not None:
            return halted.reason
        case Ended.INTERRUPTED if interrupted is not None:
            return f"Stopped by {interrupted.name}; the same command goes on where it stopped."
        case _:
            return _at_the_end(tally, chosen, pending=how is Ended.PENDING)


def _at_the_end(tally: Tally, chosen: str | None, *, pending: bool) -> str:
    """Say what was done by a run that nothing stopped."""
    if tally.chosen == 0:
        return "No error was chosen; nothing was called."
    if tally.chosen is not None:
        again = f"{counted(tally.done_before + tally.rows, 'chosen error')} taken up again."
        return f"{again} `batcher run` goes on with the pending rows." if pending else again
    if tally.total == 0:
        return f"Done. {NO_ROW}"
    if pending:
        return "Rows are pending; the same command goes on with them."
    if chosen is not None:
        return f"Done: {chosen}. The same command without this choice goes on with the rest."
    return "Done."
