"""The simulated service: what is asked over HTTP, checked, counted, answered and recorded."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http import HttpProcessingError

from batcher.errors import OutputError
from batcher.simulator import delivery, replies
from batcher.simulator.auth import Doorkeeper
from batcher.simulator.chances import draw_chances, prompt_key
from batcher.simulator.codes import RefusedError, speaks_english
from batcher.simulator.config import SIMULATED_KEY, SimulatorConfig
from batcher.simulator.delivery import Sleep
from batcher.simulator.faults import FaultDice
from batcher.simulator.ledger import Ledger, LedgerEntry, open_ledger
from batcher.simulator.validate import Body, check_prompt, last_user_text, read_body, validate
from batcher.simulator.wire import Shell

_BASE = "/api/paas/v4"
_CHAT = f"{_BASE}/chat/completions"
_TOKENIZER = f"{_BASE}/tokenizer"
_LARGEST_BODY = 64 * 1024 * 1024
_PROMPT_SHOWN = 60
_TO_BE_RETRIED = frozenset({429, 503})
_STOP_S = 1.0

_logger = logging.getLogger("batcher.simulator")
# What is no HTTP gets its 400; it is the client's mistake and needs no traceback here.
_logger.addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
)


@dataclass(frozen=True, slots=True)
class Simulator:
    """A simulator that is listening; clients are given its `base_url`."""

    base_url: str


@asynccontextmanager
async def serve(
    config: SimulatorConfig,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    clock: Callable[[], float] = time.time,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[Simulator]:
    """Serve until the block ends; port 0 takes a free one.

    At the end it stops at once: requests under way are cut, and the ledger is closed after them.

    Raises:
        OutputError: the ledger cannot be opened, or nothing can listen on that address.
    """
    with open_ledger(config.ledger) as ledger:
        runner = web.AppRunner(
            _Service(config, ledger, clock, sleep).application(),
            access_log=None,
            logger=_logger,
            handler_cancellation=True,  # a client that leaves ends its request
            shutdown_timeout=_STOP_S,
        )
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        try:
            try:
                await site.start()
            except OSError as error:
                raise OutputError(
                    f"cannot listen on {host}:{port}: {error.strerror or error}; "
                    "choose another --port, or 0 for a free one"
                ) from None
            name = f"[{host}]" if ":" in host else host
            yield Simulator(f"http://{name}:{site.port}{_BASE}")
        finally:
            for connection in runner.server.connections if runner.server else ():
                if connection.transport is not None:
                    connection.transport.abort()
            await runner.cleanup()


class _Service:
    """Answers requests. Keeps nothing of a request after its end."""

    def __init__(
        self, config: SimulatorConfig, ledger: Ledger | None, clock: Callable[[], float], sleep: Sleep
    ) -> None:
        keys = {SIMULATED_KEY} if config.keys is None else config.keys
        pairs = (key.partition(".") for key in keys)
        self._config = config
        self._ledger = ledger
        self._clock = clock
        self._sleep = sleep
        self._doorkeeper = Doorkeeper(
            {key_id: secret for key_id, _, secret in pairs}, strict=config.keys is not None
        )
        self._dice = FaultDice(config.faults, config.seed)
        self._name = uuid.uuid4().hex[:12]
        self._arrivals = 0
        self._in_flight: Counter[str | None] = Counter()

    def application(self) -> web.Application:
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.router.add_post(_CHAT, self._chat)
        application.router.add_post(_TOKENIZER, self._tokenizer)
        for path in (_CHAT, _TOKENIZER):
            application.router.add_route("*", path, self._wrong_method)
        application.router.add_route("*", "/{path:.*}", self._wrong_path)
        return application
