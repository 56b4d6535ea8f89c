"""Figures in a file, for the textfile collector of Prometheus' node exporter.

https://github.com/prometheus/node_exporter#textfile-collector
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from batcher.errors import ConfigurationError

EVERY_S = 15.0
_PATIENCE_S = 5.0
# The collector runs as a user of its own.
_MODE = 0o644


def write(path: Path, text: bytes) -> None:
    """Replace the file in one step, so that no reader meets half of it.

    Raises:
        OSError: it cannot be written.
    """
    # In the same directory, as renaming wants it; the collector reads only names in .prom.
    temporary = path.with_name(f"{path.name}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, _MODE), "wb") as file:
            # Whatever the umask says.
            os.fchmod(file.fileno(), _MODE)
            file.write(text)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


@contextlib.contextmanager
def kept_current(
    path: Path,
    text: Callable[[], bytes],
    on_trouble: Callable[[str], None],
    every: float = EVERY_S,
) -> Iterator[None]:
    """Write `text` to the file now, each so many seconds, and at the end of the block.

    `on_trouble` is told, by any thread, when it cannot be written for the first time.

    Raises:
        ConfigurationError: no collector would read a file of this name.
    """
    if path.suffix != ".prom":
        raise ConfigurationError(
            f"--metrics-file {path}: the textfile collector reads only names that end in .prom; "
            f"write {path.with_suffix('.prom')}"
        )
    over, told = threading.Event(), threading.Event()

    def attempt() -> None:
        try:
            write(path, text())
        except OSError as error:
            if not told.is_set():
                told.set()
                on_trouble(f"Cannot write the metrics to {path}: {error.strerror}; the run goes on")

    def work() -> None:
        attempt()
        while not over.wait(every):
            attempt()
        attempt()

    thread = threading.Thread(target=work, name="metrics-file", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        # A disk that hangs must not keep the run from its end.
        thread.join(_PATIENCE_S)
