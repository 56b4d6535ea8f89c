"""The loop that the bare contenders share."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from benchmarks.contenders.bounded import Task, ask_for_all, task

ANSWER = json.dumps({"choices": [{"message": {"content": "yes"}}]}).encode()
EMPTY = json.dumps({"choices": [{"message": {"content": ""}}]}).encode()


def test_a_task_is_as_many_calls_as_there_are_rows_all_with_the_first_prompt(
    tmp_path: Path,
) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"prompt": "first"}\n{"prompt": "second"}\n')
    given = task([str(prompts), "http://localhost/v4", "8"])
    messages = [{"role": "user", "content": "first"}]
    assert (given.url, given.rows, given.in_flight) == (
        "http://localhost/v4/chat/completions",
        2,
        8,
    )
    assert given.body["messages"] == messages


async def test_no_more_calls_are_made_at_once_than_asked() -> None:
    now = most = 0

    async def ask() -> bytes:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return ANSWER

    assert await ask_for_all(Task("", {}, 20, 3), ask) == 20
    assert most == 3


async def test_only_answers_with_a_text_count() -> None:
    answers = iter([ANSWER, EMPTY, ANSWER])

    async def ask() -> bytes:
        return next(answers)

    assert await ask_for_all(Task("", {}, 3, 1), ask) == 2
