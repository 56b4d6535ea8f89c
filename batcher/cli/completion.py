"""`batcher completion`."""

from __future__ import annotations

import click

_PROGRAM = "batcher"


@click.command("completion")
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and values in your shell.

    \b
    bash  echo 'eval "$(batcher completion bash)"' >> ~/.bashrc
    zsh   echo 'eval "$(batcher completion zsh)"' >> ~/.zshrc
    fish  batcher completion fish > ~/.config/fish/completions/batcher.fish

    Then open a new shell. The Tab key completes commands, options, choices such as providers and
    faults, models of the price list, files, and directories of runs.
    """  # noqa: D301 -- click's mark for lines to be left as they are is that very character
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 -- click has all three
    script = kind(ctx.find_root().command, {}, _PROGRAM, f"_{_PROGRAM.upper()}_COMPLETE")
    click.echo(script.source())
