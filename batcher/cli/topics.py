"""Options that are declared under a topic, and the help that shows them by it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Declare = Callable[..., Callable[[Decorated], Decorated]]

# What click itself gives the first column of a help at most.
_WIDEST = 30
_OTHERS = "Others"


class TopicOption(click.Option):
    """An option of a topic."""

    def __init__(self, *args: Any, topic: str, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.topic = topic


def topic(name: str) -> Declare[Any]:
    """Return what declares options, as `click.option` does, under the topic `name`."""
    return functools.partial(click.option, cls=TopicOption, topic=name)


def adding(*options: Callable[[Decorated], Decorated]) -> Callable[[Decorated], Decorated]:
    """Return what adds options to a command, in this order."""

    def add(command: Decorated) -> Decorated:
        for option in reversed(options):
            command = option(command)
        return command

    return add


class ByTopic(click.Command):
    """A command whose help shows its options by topic, in the order of their declaration.

    Those without one come last.
    """

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each topic; all have their second column at the same place."""
        sections: dict[str, list[tuple[str, str]]] = {}
        options = (param for param in self.get_params(ctx) if isinstance(param, click.Option))
        for option in options:
            if (record := option.get_help_record(ctx)) is not None:
                name = option.topic if isinstance(option, TopicOption) else _OTHERS
                sections.setdefault(name, []).append(record)
        others = sections.pop(_OTHERS, [])
        widest = max((len(first) for rows in sections.values() for first, _ in rows), default=0)
        for name, rows in (*sections.items(), (_OTHERS, others)):
            if rows:
                with formatter.section(name):
                    formatter.write_dl(
                        [(f"{first:{min(widest, _WIDEST)}}", second) for first, second in rows]
                    )
