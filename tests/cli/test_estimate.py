"""`batcher estimate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Batcher = Callable[..., Result]


def test_without_a_key_the_documented_ratio_stands_in_and_it_is_said_why(batcher: Batcher) -> None:
    done = batcher("estimate", "prompts.jsonl", "-m", "glm-4.7", "--output-tokens", "100")
    assert done.exit_code == 0, done.output
    # "Say 0." is 6 characters, a message 6 tokens: 2 + 6 of them, five times.
    assert "prompts   about 40 tokens" in done.stdout
    assert "glm-4.7: by the documented ratio: no API key: set ZHIPUAI_API_KEY" in done.stdout
    assert "0.0041 CNY by the prices of" in done.stdout


def test_the_simulator_counts_and_is_said_to(batcher: Batcher) -> None:
    done = batcher("estimate", "prompts.jsonl", "--simulate")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("SIMULATED: ")
    assert "glm-4-flash: 1.00 times the documented ratio, by its tokenizer on 5 rows" in done.stdout


def test_after_a_run_nothing_is_left(batcher: Batcher, finished: Path) -> None:
    done = batcher("estimate", "prompts.jsonl", "--simulate", "--json", "-o", str(finished))
    assert json.loads(done.stdout)["done"] == 5
    assert json.loads(done.stdout)["requests"] == 0


def test_no_sample_asks_nobody_and_reads_no_key(
    batcher: Batcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZHIPUAI_API_KEY", "not a key")
    told = ("estimate", "prompts.jsonl", "-m", "glm-5", "--json")
    none = json.loads(batcher(*told, "--tokenizer-sample", "0").stdout)
    some = json.loads(batcher(*told).stdout)
    assert none["uncounted"] == {"glm-5": "no sample was to be counted"}
    assert "API key" in some["uncounted"]["glm-5"]
    assert "not a key" not in some["uncounted"]["glm-5"]


def test_a_ceiling_without_a_price_is_an_error_with_the_way_out(batcher: Batcher) -> None:
    done = batcher("estimate", "prompts.jsonl", "-m", "mine", "--max-cost", "1CNY")
    assert done.exit_code == 78
    assert '[prices."mine"]' in done.stderr


def test_no_model_is_an_error_with_the_way_out(batcher: Batcher) -> None:
    done = batcher("estimate", "prompts.jsonl")
    assert done.exit_code == 78
    assert "--model" in done.stderr
