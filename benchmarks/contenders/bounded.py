"""What the bare loops share: so many workers, each of which asks, parses and asks again.

They only call. One prompt, read once, is sent for every row; nothing is written.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MODEL = "glm-4.7"


@dataclass(frozen=True, slots=True)
class Task:
    """So many calls of one address, with one body, so many of them at once."""

    url: str
    body: Mapping[str, object]
    rows: int
    in_flight: int


def task(arguments: Sequence[str]) -> Task:
    """Read the command line of a contender: the prompt file, the base URL, the calls at once."""
    prompts, base_url, in_flight = arguments
    lines = Path(prompts).read_text(encoding="utf-8").splitlines()
    messages = [{"role": "user", "content": json.loads(lines[0])["prompt"]}]
    body = {"model": MODEL, "messages": messages}
    return Task(f"{base_url}/chat/completions", body, len(lines), int(in_flight))


async def ask_for_all(task: Task, ask: Callable[[], Awaitable[bytes]]) -> int:
    """Ask as often as there are rows; return how many answers hold a text."""
    turns = iter(range(task.rows))
    answered = 0

    async def work() -> None:
        nonlocal answered
        for _ in turns:
            answer = json.loads(await ask())
            answered += bool(answer["choices"][0]["message"]["content"])

    await asyncio.gather(*(work() for _ in range(task.in_flight)))
    return answered
