"""The naive loop over a real socket: a pool of 64, and the retries of a well-known SDK.

It stands for the script that many would write first. It reads `prompts.jsonl` and appends to
`answers.jsonl` in the working directory; address and keys come from the environment, as for
`batcher run`. Of several keys each row has its own, as with one SDK client for each key.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import aiohttp

from batcher.errors import ErrorClass, Problem, ProviderError
from batcher.records import Request, Source
from benchmarks.scenarios import MODEL
from tests.overload.naive import WORKERS, run_naively

PROMPTS, ANSWERS = Path("prompts.jsonl"), Path("answers.jsonl")
_OK = 200
# openai-python's default.
_TIMEOUT = aiohttp.ClientTimeout(total=600)


def requests(lines: Iterator[str]) -> Iterator[Request]:
    """Yield the requests of a prompt file."""
    for number, line in enumerate(lines, start=1):
        row = json.loads(line)
        messages = [{"role": "user", "content": row["prompt"]}]
        body = {"model": MODEL, "messages": messages}
        yield Request(number - 1, row["id"], row["id"], body, Source(str(PROMPTS), number))


def caller(
    session: aiohttp.ClientSession, base_url: str, keys: Sequence[str], answers: IO[str]
) -> Callable[[Request, str], Awaitable[None]]:
    """Return what makes one call and writes its answer down.

    It raises ProviderError where there is none: the loop tries each of them again, as in these
    scenarios an SDK does.
    """

    async def call(request: Request, _name: str) -> None:
        key = keys[request.row % len(keys)]
        headers = {"Authorization": f"Bearer {key}"}
        url = f"{base_url}/chat/completions"
        try:
            async with session.post(url, json=request.body, headers=headers) as response:
                status, text = response.status, await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProviderError(Problem(ErrorClass.NOT_SENT, str(error))) from error
        if status != _OK:
            raise ProviderError(Problem(ErrorClass.SERVER_ERROR, text, http_status=status))
        answer = json.loads(text)["choices"][0]["message"]["content"]
        answers.write(json.dumps({"id": request.id, "answer": answer}) + "\n")

    return call


async def work(folder: Path, variables: Mapping[str, str]) -> None:
    """Ask for every row of the folder's prompts."""
    connector = aiohttp.TCPConnector(limit=WORKERS)
    with (folder / PROMPTS).open() as prompts, (folder / ANSWERS).open("a") as answers:
        async with aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as session:
            keys = variables["ZHIPUAI_API_KEYS"].split(",")
            call = caller(session, variables["ZHIPUAI_BASE_URL"], keys, answers)
            await run_naively(call, requests(prompts), random.uniform)


if __name__ == "__main__":
    asyncio.run(work(Path(), os.environ))
