"""`batcher` itself: finds the command, and turns errors into exit codes at one place."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

import batcher
from batcher.errors import BatcherError, Interruption, StorageError

# Name -> one-line help. Kept here, so that `--help` imports no command and none of its libraries.
_COMMANDS = {
    "run": "Call the model for every row that has no answer yet.",
    "head": "Show the first results of a run.",
    "status": "Show how far a run is, also while it goes on.",
    "export": "Write results and errors of a run again.",
    "verify": "Check the checkpoint and the Parquet files of a run.",
    "check": "Read the whole input and report every bad row, without a call.",
    "preview": "Show the exact requests of the first rows, without a call.",
    "simulate": "Serve a local GLM that answers from no model.",
}


class _Commands(click.Group):
    """Loads a command's module when it is called; each command knows --debug."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"batcher.cli.{cmd_name}").command
        if _DEBUG not in command.params:
            command.params.append(_DEBUG)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        with exit_codes(lambda: bool(ctx.obj)):
            return super().invoke(ctx)


def _remember_debug(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 -- click's way
    root = ctx.find_root()
    root.obj = root.obj or value


_DEBUG = click.Option(
    ["--debug"],
    is_flag=True,
    expose_value=False,
    callback=_remember_debug,
    help="Show a traceback with an error.",
)


@contextmanager
def exit_codes(debug: Callable[[], bool]) -> Iterator[None]:
    """End the process with the code of whatever is raised inside, and a message for the user."""
    try:
        yield
    # click has its own words for the wrong use of a command.
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except BrokenPipeError:
        _leave_quietly()
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, Interruption) else signal.SIGINT
        click.echo(f"Stopped by {number.name}.", err=True)
        sys.exit(128 + number)
    except Exception as error:  # noqa: BLE001 -- the last door: no traceback reaches a user unasked
        if debug():
            traceback.print_exc()
        if isinstance(error, OSError):
            click.echo(f"Error: {error}. What was recorded is safe", err=True)
            sys.exit(StorageError.exit_code)
        if isinstance(error, BatcherError):
            click.echo(f"Error: {error}", err=True)
            sys.exit(error.exit_code)
        click.echo(
            f"Error: internal: {type(error).__name__}: {error}. What was recorded is safe; "
            "--debug shows where it happened",
            err=True,
        )
        sys.exit(BatcherError.exit_code)


def _leave_quietly() -> NoReturn:
    """End as any other program does whose reader left, as in `batcher check FILE | head -1`."""
    # What is still buffered must go somewhere, or Python complains when it closes the streams.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    sys.exit(128 + signal.SIGPIPE)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(batcher.__version__, prog_name="batcher")
def main() -> None:
    """Send every row of a prompt file through a language model, once, and keep every answer."""
