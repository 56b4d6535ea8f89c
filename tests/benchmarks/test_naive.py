"""The naive loop against the simulator."""

from __future__ import annotations

import json
from pathlib import Path

from batcher.simulator import SimulatorConfig, read_ledger, serve
from benchmarks.naive import ANSWERS, PROMPTS, work

ROWS = 12
KEYS = ("key-1.of-the-simulator", "key-2.of-the-simulator")


async def worked(folder: Path, config: SimulatorConfig) -> set[str]:
    """Let it work, and return the ids of the rows that it has answers for."""
    rows = ({"id": f"r{n}", "prompt": f"Say {n}."} for n in range(ROWS))
    (folder / PROMPTS).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    async with serve(config) as simulator:
        variables = {"ZHIPUAI_BASE_URL": simulator.base_url, "ZHIPUAI_API_KEYS": ",".join(KEYS)}
        await work(folder, variables)
    answers = [json.loads(line) for line in (folder / ANSWERS).read_text().splitlines()]
    assert all(answer["answer"] for answer in answers)
    return {answer["id"] for answer in answers}


async def test_it_answers_all_rows_of_a_server_in_health(tmp_path: Path) -> None:
    assert await worked(tmp_path, SimulatorConfig(latency_s=0)) == {f"r{n}" for n in range(ROWS)}


async def test_it_gives_the_rows_of_an_exhausted_key_up(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    config = SimulatorConfig(latency_s=0, ledger=ledger, key_faults={"key-2": (0, "1113")})
    assert await worked(tmp_path, config) == {f"r{n}" for n in range(0, ROWS, 2)}
    calls = read_ledger(ledger)
    assert sum(entry.code == "1113" for entry in calls) == 3 * ROWS // 2


async def test_it_goes_on_after_a_connection_that_broke(tmp_path: Path) -> None:
    config = SimulatorConfig(latency_s=0, faults={"reset": 0.2}, seed=1)
    assert len(await worked(tmp_path, config)) > ROWS / 2
