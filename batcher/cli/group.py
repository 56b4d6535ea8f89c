"""`batcher` itself: finds the command, and turns errors into exit codes at one place."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click

import batcher
from batcher.errors import BatcherError

# Name -> one-line help. Kept here, so that `--help` imports no command and none of its libraries.
_COMMANDS = {
    "run": "Call the model for every row that has no answer yet.",
    "status": "Show how far a run is, also while it goes on.",
    "export": "Write results and errors of a run again.",
    "check": "Read the whole input and report every bad row, without a call.",
    "preview": "Show the exact requests of the first rows, without a call.",
    "simulate": "Serve a local GLM that answers from no model.",
}

INTERNAL = 70
INTERRUPTED = 130


class _Commands(click.Group):
    """Loads a command's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"batcher.cli.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        with exit_codes(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


@contextmanager
def exit_codes(*, debug: bool) -> Iterator[None]:
    """End the process with the code of whatever is raised inside, and a message for the user."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)
    except BatcherError as error:
        if debug:
            traceback.print_exc()
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 -- the last door: no traceback reaches a user unasked
        if debug:
            traceback.print_exc()
        click.echo(
            f"Error: internal: {type(error).__name__}: {error}. What was recorded is safe; "
            "--debug shows where it happened",
            err=True,
        )
        sys.exit(INTERNAL)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(batcher.__version__, prog_name="batcher")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
def main(*, debug: bool) -> None:
    """Send every row of a prompt file through a language model, once, and keep every answer."""
