"""Options by topic."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner

from batcher.cli.group import main
from batcher.cli.topics import ByTopic, TopicOption, topic

_near = topic("Near")
_far = topic("Far")


@click.command(cls=ByTopic)
@click.argument("place")
@_near("--left", help="To the left.")
@_far("--away-from-here-and-very-far-indeed", help="Away.")
@_near("--right", is_flag=True, help="To the right.")
@click.option("--plain", help="Without a topic.")
@_far("--secret", hidden=True)
def _command(**_options: object) -> None: ...


def test_options_stand_under_their_topics_as_declared_and_others_come_last() -> None:
    shown = CliRunner().invoke(_command, ["--help"]).stdout
    sections = re.findall(r"^(\w+):\n(.*?)(?:\n\n|\Z)", shown, re.MULTILINE | re.DOTALL)
    names = [(name, re.findall(r"--[\w-]+", body)) for name, body in sections]
    assert names == [
        ("Near", ["--left", "--right"]),
        ("Far", ["--away-from-here-and-very-far-indeed"]),
        ("Others", ["--plain", "--help"]),
    ]


def test_all_sections_have_their_second_column_at_the_same_place() -> None:
    shown = CliRunner().invoke(_command, ["--help"]).stdout
    places = {line.index("To the") for line in shown.splitlines() if "To the" in line}
    places |= {line.index("Show this") for line in shown.splitlines() if "Show this" in line}
    assert len(places) == 1


@pytest.mark.parametrize("name", ["run", "retry", "check", "preview", "estimate", "simulate"])
def test_every_option_of_a_job_or_a_simulator_has_a_topic(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    own = {"debug", "rows", "host", "port", "ledger", "as_json"}
    plain = {
        param.name
        for param in command.params
        if isinstance(param, click.Option) and not isinstance(param, TopicOption)
    }
    assert plain <= own
