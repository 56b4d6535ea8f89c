"""Finding in an answer what the job wants of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from batcher.records import Completion

Read = Callable[[str], str]
"""Finds in an answer's text the value that the job wants, as JSON; raises InvalidAnswerError."""

# Characters of an answer from which on it is read in a thread, so that the loop goes on: what is no
# JSON is read slowly, a tenth of a millisecond a character.
_LONG = 256


async def value_of(completion: Completion, read: Read | None) -> str | None:
    """Return what the job wants of an answer, None if that is no more than its text.

    Raises:
        InvalidAnswerError: it does not hold it.
    """
    if read is None:
        return None
    text = completion.text or ""
    return await asyncio.to_thread(read, text) if len(text) > _LONG else read(text)
