"""The command line: one file a command, imported only when it is called."""

from batcher.cli.group import main

__all__ = ["main"]
