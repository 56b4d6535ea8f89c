"""The options that choose rows to begin with."""

from __future__ import annotations

from collections.abc import Callable

from click.testing import Result

Batcher = Callable[..., Result]


def test_rows_are_chosen_in_one_way(batcher: Batcher) -> None:
    for command in ("run", "check", "preview"):
        done = batcher(command, "prompts.jsonl", "-m", "m", "--limit", "1", "--sample", "1")
        assert done.exit_code == 2
        assert "--limit and --sample" in done.stderr
    assert batcher("check", "prompts.jsonl", "--limit", "0").exit_code == 2


def test_chosen_rows_alone_are_checked_and_shown(batcher: Batcher) -> None:
    assert "2 rows, 0 bad" in batcher("check", "prompts.jsonl", "--limit", "2").stdout
    done = batcher("preview", "prompts.jsonl", "-m", "m", "--sample", "2", "--seed", "3")
    assert done.stdout.count('"row": ') == 2


def test_a_shard_is_checked_shown_and_estimated_alone(batcher: Batcher) -> None:
    assert "3 rows, 0 bad" in batcher("check", "prompts.jsonl", "--shard", "2/2").stdout
    done = batcher("preview", "prompts.jsonl", "-m", "m", "--shard", "2/2", "--limit", "1")
    assert done.stdout.count('"row": ') == 1
    assert '"row": 2' in done.stdout
    estimate = ("estimate", "prompts.jsonl", "--simulate", "--shard", "2/2")
    assert "3 rows" in batcher(*estimate).stdout
    run = ("run", "prompts.jsonl", "--shard", "2/2", "--simulate", "--sim-latency", "0")
    assert batcher(*run, "--limit", "2").exit_code == 0
    assert "2 of 3 rows are done" in batcher(*estimate).stdout
    assert batcher(*estimate, "-o", "prompts.2-of-2.batch").exit_code == 0
    done = batcher(*estimate[:3], "--shard", "1/2", "-o", "prompts.2-of-2.batch")
    assert done.exit_code == 78


def test_what_is_no_shard_is_refused(batcher: Batcher) -> None:
    for shard, said in (("0/4", "there is no shard 0 of 4"), ("2", "write I/N, such as 2/4")):
        done = batcher("run", "prompts.jsonl", "--simulate", "--shard", shard)
        assert done.exit_code == 2
        assert said in done.stderr
