"""How a run ended, as the sentence or two that its summary begins with."""

from __future__ import annotations

import signal

from batcher.observe import Tally
from batcher.runs.live import LiveRun
from batcher.wording import counted

NO_ROW = "There was no row at all: see whether the input was written as it should be."


def ending(
    live: LiveRun,
    interrupted: signal.Signals | None,
    pending: int | None,
    tally: Tally,
    chosen: str | None,
) -> str:
    """Say how the calls of a run ended; `chosen` names a part of the input."""
    if live.disk_full:
        return (
            "The disk is full. Every answer that came is recorded; free space, then run the same "
            "command again."
        )
    if live.executor.halted is not None and tally.left != 0:
        return live.executor.halted.reason
    if interrupted is not None:
        return f"Stopped by {interrupted.name}; the same command goes on where it stopped."
    return _at_the_end(pending, tally, chosen)


def _at_the_end(pending: int | None, tally: Tally, chosen: str | None) -> str:
    """Say what was done by a run that nothing stopped."""
    if tally.chosen == 0:
        return "No error was chosen; nothing was called."
    if tally.chosen is not None:
        again = f"{counted(tally.rows, 'chosen error')} taken up again."
        return f"{again} `batcher run` goes on with the pending rows." if pending else again
    if tally.total == 0:
        return f"Done. {NO_ROW}"
    if pending:
        return "Rows are pending; the same command goes on with them."
    if chosen is not None:
        return f"Done: {chosen}. The same command without this choice goes on with the rest."
    return "Done."
