"""The options that choose rows to begin with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from batcher.cli.topics import adding, topic

if TYPE_CHECKING:
    from batcher.runs.selection import Portion


def portion_of(options: Mapping[str, Any]) -> Portion:
    """Return the rows that a command's options choose.

    Raises:
        UsageError: the options contradict each other.
    """
    from batcher.runs.selection import Portion
    from batcher.runs.shard import Shard

    shard = None if options["shard"] is None else Shard.parsed(options["shard"])
    return Portion(options["limit"], options["sample"], options["seed"], shard)


_first = topic("First tries")
_part = topic("Shards")

portion_options = adding(
    _first(
        "--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows, for now."
    ),
    _first(
        "--sample",
        type=click.IntRange(min=1),
        metavar="N",
        help="Only N rows drawn at random, for now; a larger N holds the smaller.",
    ),
    _first("--seed", type=int, metavar="S", help="What --sample draws by [0]."),
    _part(
        "--shard",
        metavar="I/N",
        help="Only part I of N equal parts, in a directory of its own; `batcher merge` joins them.",
    ),
)
"""Adds --limit, --sample, --seed and --shard."""
