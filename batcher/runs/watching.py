"""`batcher watch`: a run that goes on in another process, as a live page."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from batcher.errors import Interruption
from batcher.observe.language import Lang
from batcher.observe.live import Board, State, event, page, serve
from batcher.runs.directory import RunDirectory
from batcher.runs.looking import Look
from batcher.runs.report import Reporter
from batcher.runs.signals import Signals
from batcher.runs.stopping import soon

LOOK_S = 2.0
"""Seconds between two looks at a run."""
# A look that waits for a disk is not waited for.
_PATIENCE_S = 1.0


def watch(
    directory: RunDirectory, port: int, lang: Lang | None, tell: Callable[[str], None]
) -> None:
    """Serve the live page of a run until Ctrl-C; `tell` its address.

    It is in the language of the run's report where none is named.

    Raises:
        StorageError: the directory holds no run.
        OutputError: the port is taken.
        Interruption: another signal than Ctrl-C asks to end.
    """
    lang = Reporter.of(directory, lang=lang).lang
    number = asyncio.run(_serve(directory, port, lang, tell))
    if number != signal.SIGINT:
        raise Interruption(number)


async def _serve(
    directory: RunDirectory, port: int, lang: Lang, tell: Callable[[str], None]
) -> signal.Signals:
    """Serve until a signal comes; return which."""
    ended: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()
    board = Board()

    def end(number: signal.Signals) -> None:
        if not ended.done():
            ended.set_result(number)

    def failed(error: BaseException) -> None:
        if not ended.done():
            ended.set_exception(error)

    show = soon(board.show)
    looking = _Looking(
        Look(directory), lambda state: show(event(state, lang)), soon(failed), board.watched
    )
    with Signals().calling(end):
        name = directory.path.resolve().name
        async with serve(lambda nonce: page(nonce, lang, name), board, port) as address:
            tell(address)
            with looking.going_on():
                return await ended


@dataclass(slots=True)
class _Looking:
    """A thread that looks at a run while a page is open, and hands on what is new."""

    look: Look
    show: Callable[[State], None]
    failed: Callable[[BaseException], None]
    watched: threading.Event
    _over: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """Look until the block ends."""
        # A daemon: a disk that hangs must not keep the command from ending.
        thread = threading.Thread(target=self._run, daemon=True, name="looking")
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            self.watched.set()
            thread.join(_PATIENCE_S)

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self.watched.wait()
                if (state := self.look()) is not None:
                    self.show(state)
                self._over.wait(LOOK_S)
            self.look.close()
        except BaseException as error:  # noqa: BLE001 -- told by the thread that is waited for
            self.failed(error)
