"""The watch on an event loop: it sees a turn that is long, and where it is."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from benchmarks.watched import Watch, loop_of


def test_a_turn_that_is_held_up_is_seen_with_where_it_was() -> None:
    """Until the watch has looked, however long that takes; and only while there are connections."""
    watch = Watch()
    looking = threading.Thread(target=watch.look)
    looking.start()
    here, there = os.pipe()

    def hold_up() -> None:
        while not watch.seen:
            pass

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(here, lambda: None)
        await asyncio.sleep(0)
        hold_up()
        await asyncio.sleep(0)
        loop.remove_reader(here)

    with asyncio.Runner(loop_factory=lambda: loop_of(watch)) as runner:
        runner.run(main())
    report = watch.report()
    looking.join()
    os.close(here)
    os.close(there)
    assert report.turns >= 2
    assert report.longest.wall_s >= max(report.usual_s, 0.01)
    assert "benchmarks/test_watched.py:hold_up" in dict(report.longest.doing)


def test_without_connections_no_turn_counts() -> None:
    watch = Watch()
    with asyncio.Runner(loop_factory=lambda: loop_of(watch)) as runner:
        runner.run(asyncio.sleep(0))
    assert watch.report().turns == 0


def test_the_command_runs_as_it_is_and_leaves_a_report(tmp_path: Path) -> None:
    """Its simulator listens in the same loop, so that turns count."""
    prompts, report = tmp_path / "prompts.jsonl", tmp_path / "report.json"
    prompts.write_text('{"prompt": "Say one."}\n')
    watched = Path(__file__).parents[2] / "benchmarks" / "watched.py"
    subprocess.run(  # noqa: S603 -- our own command
        [sys.executable, str(watched), str(report), "run", str(prompts), "--simulate"],
        check=True,
        capture_output=True,
    )
    seen = json.loads(report.read_text())
    assert (tmp_path / "prompts.batch" / "results.parquet").exists()
    assert seen["turns"] > 0
    assert seen["longest"]["wall_s"] >= seen["usual_s"] > 0
