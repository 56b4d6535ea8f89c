"""`batcher` itself: finds the command, and turns errors into exit codes at one place."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.exceptions import NoSuchCommand

import batcher
from batcher.errors import BatcherError, Interruption, StorageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Topic -> name -> one-line help. Kept here, so that `--help` imports no command and none of its
# libraries.
_TOPICS = {
    "Runs": {
        "run": "Call the model for every row that has no answer yet.",
        "retry": "Call rows of a run again that ended in an error.",
        "merge": "Join the shards of an input into one run.",
    },
    "Before a run": {
        "check": "Read the whole input and report every bad row, without a call.",
        "preview": "Show the exact requests of the first rows, without a call.",
        "estimate": "Estimate tokens and cost of a run, without a paid call.",
        "alert": "Show what the webhooks of a job would be told, or tell them a test.",
        "prices": "Show what the models cost, and of which day that is known.",
    },
    "What came of it": {
        "status": "Show how far a run is, also while it goes on.",
        "watch": "Show a run as a live page, also while it goes on.",
        "report": "Write the report of a run again, a page for people.",
        "head": "Show the first results of a run.",
        "export": "Write results and errors of a run again.",
        "diff": "Compare two runs of the same input, row by row.",
        "verify": "Check the checkpoint and the Parquet files of a run.",
    },
    "For your machine": {
        "simulate": "Serve a local GLM that answers from no model.",
        "completion": "Print the script that completes commands in your shell.",
    },
}
_COMMANDS = {name: text for topic in _TOPICS.values() for name, text in topic.items()}


_ELSEWHERE = (
    "Make room there or send it elsewhere; what was recorded is safe, and `batcher status DIR` "
    "shows where a run stands"
)


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:
            # click knows only of commands that are loaded.
            raise NoSuchCommand(error.command_name, possibilities=_COMMANDS, ctx=ctx) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Suggest commands, without loading them, and options."""
        from click.shell_completion import CompletionItem

        commands = [
            CompletionItem(name, help=text)
            for name, text in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        widest = max(map(len, _COMMANDS))
        for topic, commands in _TOPICS.items():
            with formatter.section(topic):
                formatter.write_dl([(f"{name:{widest}}", text) for name, text in commands.items()])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        _fill_closed_streams()
        return super().__call__(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        with _not_held_up(), exit_codes(lambda: bool(ctx.obj)), _heeding_ctrl_c():
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


@contextlib.contextmanager
def exit_codes(debug: Callable[[], bool]) -> Iterator[None]:
    """End the process with the code of whatever is raised inside, and a message for the user."""
    try:
        yield
    # click has its own words for the wrong use of a command.
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except BrokenPipeError:
        # As any other program does whose reader left, as in `batcher check FILE | head -1`.
        _leave(128 + signal.SIGPIPE)
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, Interruption) else signal.SIGINT
        _leave(128 + number, f"Stopped by {number.name}.")
    except Exception as error:  # noqa: BLE001 -- the last door: no traceback reaches a user unasked
        if debug():
            traceback.print_exc()
        if isinstance(error, OSError):
            what = f"cannot write to standard output: {error.strerror}. {_ELSEWHERE}"
            if not _is_of_output(error):
                what = f"{error}. What was recorded is safe"
            _leave(StorageError.exit_code, f"Error: {what}")
        if isinstance(error, BatcherError):
            _leave(error.exit_code, f"Error: {error}")
        _leave(
            BatcherError.exit_code,
            f"Error: internal: {type(error).__name__}: {error}. What was recorded is safe; "
            "--debug shows where it happened",
        )
    finally:
        _drop_what_nobody_reads()


@contextlib.contextmanager
def _heeding_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C be an exception in the block, where it ended the process at once (`main`)."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def _not_held_up() -> Iterator[None]:
    """End at once where a store is silent: at the exit, its library would wait for it once more."""
    try:
        yield
    except SystemExit as end:
        # Most commands never load it.
        storage = sys.modules.get("batcher.storage")
        if storage is not None and storage.at_work() and isinstance(end.code, int):
            os._exit(end.code)
        raise


def _leave(code: int, message: str | None = None) -> NoReturn:
    """End with `code`, whether or not there is anyone left to be told."""
    if message is not None:
        with contextlib.suppress(OSError):
            click.echo(message, err=True)
    sys.exit(code)


def _fill_closed_streams() -> None:
    """Put /dev/null where a daemon or a scheduler closed a stream, which Python has as None.

    In this order, so that each gets the number it should have, and no file of ours gets it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 -- no file; open to the end


def _is_of_output(error: OSError) -> bool:
    """Tell whether printing failed; such an error names no file."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code is click.echo.__code__ for frame, _ in frames)


def _drop_what_nobody_reads() -> None:
    """Keep Python from complaining, and from another exit code, about streams that are closed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(batcher.__version__, prog_name="batcher")
def main() -> None:
    """Send every row of a prompt file through a language model, once, and keep every answer."""
