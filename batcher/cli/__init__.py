"""The command line: one file a command, imported only when it is called."""

import signal
from typing import Any


def main(*args: Any, **kwargs: Any) -> None:
    """Be the command `batcher`, and end the process; the arguments are those of a click command.

    Until that heeds Ctrl-C (`group`), which takes longest to load, it ends the process as any
    signal does, without a traceback.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from batcher.cli import group

    group.main(*args, **kwargs)
