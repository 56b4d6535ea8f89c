"""What one answer takes in: no more than allowed, and no faster than there is room for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from batcher.engine.client.translation import problem
from batcher.engine.room import Room
from batcher.errors import ErrorClass
from batcher.records import Completion

# Answers of so many bytes are decoded beside the loop: a hop to a thread takes 50 us, as long as
# some 100 KB take to decode.
LARGE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Receiving:
    """How the answers of a run are received: each of at most `most` bytes, after decompression.

    All are taken into `room`, each under the id of its request; whoever makes the call leaves it.
    Large ones are decoded by `decoder`, None for the loop's own threads.
    """

    most: int
    room: Room = field(default_factory=Room)
    decoder: Executor | None = None

    async def decoded(self, size: int, decode: Callable[[], Completion]) -> Completion:
        """Decode an answer of `size` bytes, beside the loop if it is large."""
        if size < LARGE:
            return decode()
        return await asyncio.get_running_loop().run_in_executor(self.decoder, decode)


class Intake:
    """Counts the bytes of an answer as they come, after decompression."""

    def __init__(self, receiving: Receiving, attempt: str, deadline: asyncio.Timeout) -> None:
        """Receive the answer to `attempt`, the id of a request, before `deadline`."""
        self.most = receiving.most
        self.size = 0
        self._room = receiving.room
        self._attempt = attempt
        self._deadline = deadline

    def count(self, size: int) -> None:
        """Count `size` bytes more, as they came but for compression.

        Raises:
            ProviderError: they are more than allowed.
        """
        self.size += size
        if self.size > self.most:
            raise problem(
                ErrorClass.MALFORMED_ANSWER,
                f"the answer is larger than {self.most} bytes; allow more with "
                "--max-response-bytes",
            )

    async def hold(self, size: int) -> None:
        """Hold `size` bytes, which may be fewer than came; returns when more may be read."""
        if not self._room.hold(self._attempt, size):
            await self._turn()

    async def _turn(self) -> None:
        """Wait for room; the deadline waits too, for the provider is not to blame."""
        loop = asyncio.get_running_loop()
        due = self._deadline.when()
        since = loop.time()
        self._deadline.reschedule(None)
        try:
            await self._room.turn(self._attempt)
        finally:
            if due is not None:
                self._deadline.reschedule(due + loop.time() - since)
