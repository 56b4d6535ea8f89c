"""Messages name what a caller gave by the caller's own names."""

from __future__ import annotations

from typing import cast

import click
import pytest

import batcher
from batcher.api.options import Options
from batcher.api.words import PYTHON, Words
from batcher.cli.run import command
from batcher.errors import UsageError
from batcher.runs.credentials import KEY_FILE


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("or name another directory with -o", "or name another directory with output"),
        ("Stopped after 5 rows (--max-rows).", "Stopped after 5 rows (max_rows)."),
        ("give --shard 2/4, or leave --shard out", "give shard=(2, 4), or leave shard out"),
        ("--seed goes with --sample N", "seed goes with sample N"),
        ("name another with --id-column, or", "name another with id_column, or"),
        ("--image-column a", "image_columns a"),
        ("give --simulate", "give simulate"),
        (f"no API key: {KEY_FILE}", f"no API key: {PYTHON.key}"),
    ],
)
def test_options_become_arguments(said: str, meant: str) -> None:
    assert PYTHON.of(said) == meant


@pytest.mark.parametrize(
    "text",
    [
        "`batcher run INPUT -o ALL --max-rows 3` then calls only what is new",
        "--format jsonl holds any column",
        "reviews--limit.jsonl and a/--limit and --limits",
        "a-o is no option, nor is -ou",
    ],
)
def test_commands_names_of_files_and_what_is_no_argument_stay(text: str) -> None:
    assert PYTHON.of(text) == text


def test_others_have_words_of_their_own() -> None:
    words = Words("directory", "name a connection")
    text = f"with -o, or --output-tokens N; {KEY_FILE}"
    assert words.of(text) == "with directory, or output_tokens N; name a connection"


def test_what_a_terminal_is_told_may_have_phrases_of_others_in_its_place() -> None:
    words = Words("directory", "", {"SIGALRM: ": "Time is up: ", "SIGALRM": "time"})
    assert words.of("SIGALRM: waiting.") == "Time is up: waiting."
    assert words.of("Stopped by SIGALRM (--limit).") == "Stopped by time (limit)."


def test_each_option_of_a_run_is_an_argument_of_its_own_name() -> None:
    """But for those of the simulator's behaviour, and what only a terminal has."""
    names = {*Options.__annotations__, "simulate", "job"}
    for option in command.params:
        long = [text for text in option.opts if text.startswith("--")]
        if isinstance(option, click.Option) and not long[0].startswith(("--sim-", "--debug")):
            assert PYTHON.of(long[0]) in names or long[0] == "--job"


def test_an_error_is_raised_as_it_was_in_other_words() -> None:
    error = UsageError("name another with -o")
    with (
        pytest.raises(batcher.UsageError, match=r"^name another with output$") as caught,
        PYTHON.spoken(),
    ):
        raise error
    assert cast("object", caught.value) is error
