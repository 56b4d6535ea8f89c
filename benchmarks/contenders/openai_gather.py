"""OpenAI's SDK as many scripts use it: every row a task, and a semaphore before the call."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from openai import AsyncOpenAI

from benchmarks.contenders.bounded import MODEL


async def main(rows: Iterable[Mapping[str, str]], base_url: str, in_flight: str) -> int:
    """Return the number of answers."""
    permits = asyncio.Semaphore(int(in_flight))
    async with AsyncOpenAI(base_url=base_url, api_key="any") as client:

        async def ask(prompt: str) -> str | None:
            messages = [{"role": "user", "content": prompt}]
            async with permits:
                answer = await client.chat.completions.create(model=MODEL, messages=messages)
            text: str | None = answer.choices[0].message.content
            return text

        texts = await asyncio.gather(*(ask(row["prompt"]) for row in rows))
    return sum(map(bool, texts))


if __name__ == "__main__":
    prompts, *more = sys.argv[1:]
    lines = Path(prompts).read_text(encoding="utf-8").splitlines()
    print(asyncio.run(main(map(json.loads, lines), *more)))
