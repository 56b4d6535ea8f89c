"""The simulated service: what is asked over HTTP, checked, counted, answered and recorded."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

from aiohttp import web
from aiohttp.http import HttpProcessingError

from batcher.errors import OutputError
from batcher.simulator import delivery, replies
from batcher.simulator.answers import compose
from batcher.simulator.auth import Doorkeeper
from batcher.simulator.capacity import Capacity
from batcher.simulator.chances import Chances, draw_chances, prompt_key
from batcher.simulator.codes import RefusedError, speaks_english
from batcher.simulator.config import SIMULATED_KEY, SimulatorConfig
from batcher.simulator.delivery import Sleep
from batcher.simulator.faults import JSON_FAULTS, FaultDice
from batcher.simulator.ledger import Ledger, LedgerEntry, open_ledger
from batcher.simulator.replies import Reply
from batcher.simulator.validate import (
    Asked,
    Body,
    check_prompt,
    last_user_text,
    read_body,
    validate,
)
from batcher.simulator.wire import Shell

_BASE = "/api/paas/v4"
_CHAT = f"{_BASE}/chat/completions"
_TOKENIZER = f"{_BASE}/tokenizer"
_LARGEST_BODY = 64 * 1024 * 1024
_PROMPT_SHOWN = 60
_TO_BE_RETRIED = frozenset({429, 503})
# Turns of the event loop after which every connection that was accepted is known.
_TURNS = 5
_REMEMBERED = 10_000
# Never needed: each handler ends when its connection does.
_STOP_S = 5.0

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
            except (OSError, OverflowError) as error:
                reason = getattr(error, "strerror", None) or error
                raise OutputError(
                    f"cannot listen on {host}:{port}: {reason}; choose another port"
                ) from None
            name = f"[{host}]" if ":" in host else host
            yield Simulator(f"http://{name}:{site.port}{_BASE}")
        finally:
            await site.stop()
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            connections = runner.server.connections if runner.server else ()
            for transport in [c.transport for c in connections if c.transport]:
                transport.abort()
            await runner.cleanup()


class _Service:
    """Answers requests. Keeps nothing of a request after its end, but what its key has used."""

    def __init__(
        self,
        config: SimulatorConfig,
        ledger: Ledger | None,
        clock: Callable[[], float],
        sleep: Sleep,
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
        self._asked: dict[str, int] = {}
        self._in_flight = 0
        self._capacity = Capacity(config, clock)

    def application(self) -> web.Application:
        """Return the routes of the service."""
        application = web.Application(client_max_size=_LARGEST_BODY)
        for path, handle in ((_CHAT, self._chat), (_TOKENIZER, self._tokenizer)):
            application.router.add_post(path, handle)
            application.router.add_route("*", path, self._wrong_method)
        application.router.add_route("*", "/{path:.*}", self._wrong_path)
        return application

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body, unreadable = _read(await request.read())
        with self._recorded(request, body) as entry:
            try:
                key_id = self._admit(request, unreadable)
                asked = validate(body)
            except RefusedError as refused:
                return await self._deliver(request, self._refusal(request, refused), entry)
            return await self._serve(request, key_id, asked, entry)

    async def _tokenizer(self, request: web.Request) -> web.StreamResponse:
        body, unreadable = _read(await request.read())
        try:
            self._admit(request, unreadable)
            reply = replies.token_count(check_prompt(body))
        except RefusedError as refused:
            reply = self._refusal(request, refused)
        return _response(reply)

    async def _wrong_method(self, request: web.Request) -> web.StreamResponse:
        message = f"Request method '{request.method}' is not supported"
        return _response(replies.misdirected(405, message), {"Allow": "POST"})

    async def _wrong_path(self, request: web.Request) -> web.StreamResponse:
        return _response(replies.misdirected(404, f"No endpoint {request.method} {request.path}"))

    @contextmanager
    def _recorded(self, request: web.Request, body: Body) -> Iterator[LedgerEntry]:
        """Count a request that has been read as in flight, and record its two moments."""
        entry = self._entry(request, body)
        self._in_flight += 1
        try:
            if self._ledger:
                self._ledger.arrived(entry)
            yield entry
        finally:
            self._in_flight -= 1
            entry.finished_at = self._clock()
            if self._ledger:
                self._ledger.answered(entry)

    def _entry(self, request: web.Request, body: Body) -> LedgerEntry:
        self._arrivals += 1
        model, messages = body.get("model"), body.get("messages")
        request_id = body.get("request_id")
        if not isinstance(request_id, str):
            request_id = _sound(request.headers.get("X-Client-Request-Id"))
        return LedgerEntry(
            server=self._name,
            seq=self._arrivals,
            arrived_at=self._clock(),
            in_flight=self._in_flight + 1,
            request_id=request_id,
            prompt_key=prompt_key(model, messages) if body else "",
            prompt=last_user_text(messages)[:_PROMPT_SHOWN],
            model=model if isinstance(model, str) else None,
        )

    def _admit(self, request: web.Request, unreadable: RefusedError | None) -> str:
        """Turn away who may not ask, and then what nobody can read; return the key's id."""
        key_id = self._doorkeeper.check(request.headers.get("Authorization"), self._clock())
        if unreadable:
            raise unreadable
        return key_id

    async def _serve(
        self, request: web.Request, key_id: str, asked: Asked, entry: LedgerEntry
    ) -> web.StreamResponse:
        """Answer a request, with the fault it meets, if there is room for it and on its turn."""
        chances = draw_chances(self._config.seed, entry.prompt_key)
        varied = self._varied(entry.prompt_key, chances) if asked.varies else chances
        said = compose(asked, varied)
        account = None
        with ExitStack() as held:
            try:
                entry.fault = self._capacity.fault(key_id)
                if entry.fault is None:
                    account = self._capacity.account(key_id, asked.model)
                    await account.admit(said.tokens, self._clock(), held)
                    entry.fault = self._fault(entry, chances)
                if entry.fault in JSON_FAULTS and not said.is_json:
                    entry.fault = None  # there is nothing to spoil
                name = f"{self._name}-{entry.seq}"
                shell = Shell(name, entry.request_id or name, int(entry.arrived_at), asked.model)
                reply = replies.answer(
                    asked, said, shell, chances, entry.fault, self._config.latency_s
                )
            except RefusedError as refused:
                reply = self._refusal(request, refused)
            if account and self._config.rate_headers:
                reply = replace(reply, headers=account.rates.headers(self._clock()))
            return await self._deliver(request, reply, entry)

    def _varied(self, row: str, chances: Chances) -> Chances:
        """Return the chances of one more answer to the same: the first one has the row's own.

        Of the rows, the latest ten thousand are remembered.
        """
        before = self._asked.pop(row, 0)
        self._asked[row] = before + 1
        if len(self._asked) > _REMEMBERED:
            del self._asked[next(iter(self._asked))]
        return draw_chances(self._config.seed, f"{row}#{before}") if before else chances

    def _fault(self, entry: LedgerEntry, chances: Chances) -> str | None:
        if self._config.fail_after and entry.seq > self._config.fail_after[0]:
            return self._config.fail_after[1]
        return self._dice.draw(entry.prompt_key, chances)

    def _refusal(self, request: web.Request, refused: RefusedError) -> Reply:
        return replies.refusal(
            refused,
            english=speaks_english(request.headers.get("Accept-Language")),
            reset_at=self._clock() + self._config.reset_after_s,
        )

    async def _deliver(
        self, request: web.Request, reply: Reply, entry: LedgerEntry
    ) -> web.StreamResponse:
        match entry.fault:
            case "timeout":
                await self._hang()
                delivery.close(request)
                return web.Response()  # nobody sees it: the connection is closed
            case "reset":
                await self._sleep(reply.latency_s)
                delivery.reset(request)
                return web.Response()
            case "truncated":
                reply = replies.halved(reply)
            case "drip":
                reply = replies.dripping(reply, self._config.drip_s)
        headers = dict(reply.headers)
        if self._config.retry_after is not None and reply.status in _TO_BE_RETRIED:
            headers["Retry-After"] = self._config.retry_after
        try:
            return await delivery.send(request, reply, headers, entry, self._sleep)
        except ConnectionError:  # the client left between two writes
            return web.Response()

    async def _hang(self) -> None:
        if self._config.hang_s is None:
            await asyncio.Event().wait()  # until the client leaves, which cancels it
        else:
            await self._sleep(self._config.hang_s)


def _read(raw: bytes) -> tuple[Body, RefusedError | None]:
    """Decode a body; one that cannot be read is empty, and refused after it has been recorded."""
    try:
        return read_body(raw), None
    except RefusedError as unreadable:
        return {}, unreadable


def _response(reply: Reply, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=reply.status,
        body=b"".join(reply.pieces),
        content_type=reply.content_type,
        headers=headers,
    )


def _sound(header: str | None) -> str | None:
    """Return a header's text as UTF-8 can write it; bytes that are none came as surrogates."""
    return None if header is None else header.encode("utf-8", "replace").decode()
