"""How many bytes of answers are held at once: being received, or not written down yet.

How long an answer becomes is not known before it is there. So room is taken as its pieces come; and
where it is used up, the others read on only when one has been written down. Whoever came first
always reads on, so that there is an end to it. Calls are begun no faster than that: as many as
answers of the usual size fit.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

# Python holds an answer twice while it is decoded, and once more while it is written; those that
# wait for room hold up to 128 KiB each beside it, in their connection's own buffer.
MOST_BYTES = 128 * 1024 * 1024
# Answers that the usual size is the mean of, the last ones counting most.
_USUAL_OF = 16


@dataclass(slots=True)
class Room:
    """Room for `most` bytes, shared by the attempts of a run; each goes by its request id."""

    most: int = MOST_BYTES
    _held: dict[str, int] = field(default_factory=dict)
    _total: int = 0
    _usual: float = 0.0
    _waiting: dict[str, asyncio.Future[None]] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        """How many calls may be under way, if their answers are as long as usual."""
        return max(1, int(self.most / max(self._usual, 1.0)))

    def hold(self, attempt: str, size: int) -> bool:
        """Hold `size` bytes for an attempt; return whether it may go on and read."""
        self._total += size - self._held.get(attempt, 0)
        self._held[attempt] = size
        return self._may_read(attempt)

    async def turn(self, attempt: str) -> None:
        """Wait until an attempt may go on."""
        while not self._may_read(attempt):
            self._waiting[attempt] = asyncio.get_running_loop().create_future()
            try:
                await self._waiting[attempt]
            finally:
                del self._waiting[attempt]

    def leave(self, attempt: str) -> None:
        """Give back all that an attempt holds."""
        size = self._held.pop(attempt, 0)
        self._total -= size
        self._usual += (size - self._usual) / _USUAL_OF
        for waiting, turn in self._waiting.items():
            if self._may_read(waiting) and not turn.done():
                turn.set_result(None)

    def _may_read(self, attempt: str) -> bool:
        # Where none is held, whoever asks is the first. A dict keeps the order they came in.
        return self._total <= self.most or next(iter(self._held), attempt) == attempt
