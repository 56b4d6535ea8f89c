"""A port of the loopback that is kept for a test, though nothing listens there yet."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_port() -> Iterator[int]:
    """Keep a port for the length of a `with` block.

    The system gives it to nobody else meanwhile, connections to it are refused, and a server that
    is told to may listen there.
    """
    with socket.socket() as keeper:
        # As servers do themselves: so those may share it, though no two may listen.
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        yield keeper.getsockname()[1]
