"""What a shell offers at the Tab key."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from click.shell_completion import BashComplete

from batcher.cli.group import main
from batcher.cli.suggestions import PROVIDERS
from batcher.job import ProviderSpec


def _offered(*words: str) -> list[str]:
    """Return what is offered for the last of the words behind `batcher`."""
    shell = BashComplete(main, {}, "batcher", "_BATCHER_COMPLETE")
    items = shell.get_completions(list(words[:-1]), words[-1])
    return [item.value if item.type == "plain" else f"<{item.type}>" for item in items]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("he",), ["head"]),
        (("run", "--max-c"), ["--max-concurrency", "--max-cost"]),
        (("run", "--provider", ""), list(PROVIDERS)),
        (("prices", "--provider", "z"), ["zai"]),
        (("check", "--auth", ""), ["bearer", "jwt"]),
        (("run", "--sync", "r"), ["row"]),
        (("run", "-c", ""), ["auto"]),
        (("run", "-p", "temp"), ["temperature="]),
        (("run", "--sim-fault", "time"), ["timeout="]),
        (("simulate", "--sim-fault", "trunc"), ["truncated="]),
        (("run", "-m", "glm-5.3"), ["glm-5.3", "glm-5.3-flash"]),
        (("run", "--provider", "zai", "-m", "glm-4-"), []),
        (("run", "--provider", "nobody", "-m", ""), []),
        (("export", "--format", "p"), ["parquet"]),
        (("retry", "--class", "content"), ["content_filtered"]),
        (("export", "--to", ""), ["<dir>"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("run", "prom"), ["<file>"]),
        (("run", "--job", ""), ["<file>"]),
        (("simulate", "--ledger", ""), ["<file>"]),
    ],
)
def test_what_is_offered(words: tuple[str, ...], offered: list[str]) -> None:
    assert _offered(*words) == offered


def test_the_providers_are_those_of_the_job() -> None:
    assert get_args(get_type_hints(ProviderSpec)["name"]) == PROVIDERS


@pytest.mark.parametrize("command", ["head", "status", "export", "verify", "retry"])
def test_directories_of_runs_are_offered(command: str, folder: Path) -> None:
    for name in ("a.batch", "b.batch"):
        (folder / name).mkdir()
        (folder / name / "checkpoint.db").touch()
    (folder / "another").mkdir()
    assert _offered(command, "") == ["a.batch", "b.batch"]
    assert _offered(command, "b") == ["b.batch"]
    assert _offered(command, f"{folder}/a") == [f"{folder}/a.batch"]


@pytest.mark.parametrize("start", ["", "nowhere/at/all"])
def test_without_a_run_every_directory_may_be_the_way_to_one(start: str) -> None:
    assert _offered("head", start) == ["<dir>"]
    assert _offered("run", "prompts.jsonl", "-o", start) == ["<dir>"]
