"""What a shell offers to complete the value of an option or an argument with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Suggest = Callable[[click.Context, click.Parameter, str], "list[CompletionItem[str]]"]

# Also those of the job's schema, which a test holds; here, so that Tab loads no schema.
PROVIDERS = ("glm", "zai", "openai", "deepseek")

EVENTS = ("finish", "failure", "outage", "recovered", "error_rate", "cost")


def words(*choices: str) -> Suggest:
    """Suggest one of a few words."""
    return lambda _ctx, _param, incomplete: _items(choices, incomplete)


def files(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Let the shell suggest files."""
    return _of_type("file", incomplete)


def directories(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Let the shell suggest directories."""
    return _of_type("dir", incomplete)


def run_directories(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Suggest directories of runs; where there are none, any, for the way to one."""
    parent, start = os.path.split(incomplete)
    try:
        found = [path for path in Path(parent or ".").iterdir() if path.name.startswith(start)]
        runs = sorted(path.name for path in found if (path / "checkpoint.db").is_file())
    except OSError:
        runs = []
    if not runs:
        return directories(ctx, param, incomplete)
    return _items([os.path.join(parent, name) for name in runs], incomplete)  # noqa: PTH118 -- as typed


def models(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Suggest the models that the price list has of the provider that is named."""
    from batcher.providers import Pricing

    provider = ctx.params.get("provider") or PROVIDERS[0]
    return _items(Pricing.of(str(provider), {}).prices, incomplete)


def parameters(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Suggest the names of request parameters, up to their equals sign."""
    from batcher.job import KNOWN_PARAMETERS

    return _items([f"{name}=" for name in sorted(KNOWN_PARAMETERS)], incomplete)


def error_classes(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Suggest the classes of errors."""
    from batcher.errors import ErrorClass

    return _items(ErrorClass, incomplete)


def faults(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Suggest the simulator's faults, up to their equals sign."""
    from batcher.simulator import KNOWN_FAULTS

    return _items([f"{name}=" for name in KNOWN_FAULTS], incomplete)


def _items(choices: Iterable[str], incomplete: str) -> list[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(choice) for choice in choices if choice.startswith(incomplete)]


def _of_type(kind: str, incomplete: str) -> list[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type=kind)]
