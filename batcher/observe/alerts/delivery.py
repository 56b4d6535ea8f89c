"""Alerts on their way: a thread and a short queue for each webhook, so that none waits for another.

Nothing here is ever waited for while calls are made. A thread that hangs (a name server, say) is
left behind when the process ends.
"""

from __future__ import annotations

import contextlib
import queue
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import tenacity

from batcher.observe.alerts.alert import Alert, Event
from batcher.observe.alerts.payloads import Payload, payload_of, signature_of
from batcher.observe.alerts.posting import Outgoing, Send, UnreachableError
from batcher.observe.alerts.verdict import Verdict, verdict
from batcher.observe.alerts.webhook import Webhook
from batcher.observe.language import Lang

TRIES = 5
# From the first try to the last.
TOTAL_S = 120.0
_LONGEST_BACKOFF_S = 30.0
# No run has more to tell at once.
_WAITING = 16
_LOOK_S = 0.1
_TOO_LATE = "it was still being sent when the run ended"


class Undelivered(NamedTuple):
    """An alert that nobody got: whom it was for, and what came instead."""

    host: str
    event: Event
    said: str


@dataclass(frozen=True, slots=True)
class Clocks:
    """How deliveries tell the time and wait; `wait` returns early once the event is set."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    wait: Callable[[threading.Event, float], object] = threading.Event.wait
    uniform: Callable[[float, float], float] = random.uniform


REAL_CLOCKS = Clocks()


def attempt(webhook: Webhook, send: Send, payload: Payload, now: float) -> Verdict:
    """Post a payload once, signed as its bot wants it."""
    in_body, query = signature_of(webhook.shape, webhook.secret, now)
    try:
        answer = send(Outgoing({**in_body, **payload}, query))
    except UnreachableError as error:
        return Verdict(delivered=False, said=str(error), again=True)
    return verdict(webhook.shape, answer, now)


@dataclass(slots=True)
class Courier:
    """Brings alerts to one webhook, one after the other, each with several tries."""

    webhook: Webhook
    send: Send
    lang: Lang
    failed: Callable[[Undelivered], None]
    clocks: Clocks = REAL_CLOCKS
    _queue: queue.Queue[Alert | None] = field(default_factory=lambda: queue.Queue(_WAITING))
    _unfinished: deque[Event] = field(default_factory=deque)
    _said: str | None = None
    _given_up: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, alert: Alert) -> None:
        """Take an alert along; one for which there is no room is lost, and told of."""
        with self._lock:
            try:
                self._queue.put_nowait(alert)
            except queue.Full:
                self.failed(Undelivered(self.webhook.host, alert.event, "too many wait for it"))
                return
            self._unfinished.append(alert.event)
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="alerts", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # There are too many: `close` tells of what waits, should the next try fail too.
                return
            self._thread = thread

    @property
    def is_busy(self) -> bool:
        """Whether alerts are on their way."""
        return bool(self._unfinished)

    def give_up(self) -> None:
        """Try nothing again, and tell of what is still on its way."""
        with self._lock:
            self._given_up.set()
            for at, event in enumerate(self._unfinished):
                # The first is the one that was tried.
                cause = "" if at or self._said is None else f" (last: {self._said})"
                self.failed(Undelivered(self.webhook.host, event, f"{_TOO_LATE}{cause}"))
            self._unfinished.clear()
            # So that a thread with nothing to do ends.
            with contextlib.suppress(queue.Full):
                self._queue.put_nowait(None)

    def _work(self) -> None:
        while not self._given_up.is_set() and (alert := self._queue.get()) is not None:
            try:
                found = self._deliver(payload_of(self.webhook.shape, alert, self.lang))
            except Exception as error:  # noqa: BLE001 -- whatever it is, it must not pass unseen
                found = Verdict(delivered=False, said=f"internal: {type(error).__name__}")
            with self._lock:
                if self._given_up.is_set():
                    return
                self._unfinished.popleft()
                self._said = None
                if not found.delivered:
                    self.failed(Undelivered(self.webhook.host, alert.event, found.said))

    def _rest(self, seconds: float) -> None:
        self.clocks.wait(self._given_up, seconds)

    def _deliver(self, payload: Payload) -> Verdict:
        """Try until it is delivered, or there is no hope or no time left."""
        clocks = self.clocks
        began = clocks.monotonic()

        def is_over(state: tenacity.RetryCallState) -> bool:
            late = clocks.monotonic() - began + state.upcoming_sleep > TOTAL_S
            return late or state.attempt_number >= TRIES or self._given_up.is_set()

        def pause(state: tenacity.RetryCallState) -> float:
            longest = min(_LONGEST_BACKOFF_S, 2.0**state.attempt_number)
            return _last(state).after + clocks.uniform(longest / 2, longest)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda found: found.again),
            stop=is_over,
            wait=pause,
            sleep=self._rest,
            retry_error_callback=_last,
        )
        found: Verdict = retrying(self._attempt, payload)
        return found

    def _attempt(self, payload: Payload) -> Verdict:
        found = attempt(self.webhook, self.send, payload, self.clocks.now())
        self._said = found.said
        return found


def _last(state: tenacity.RetryCallState) -> Verdict:
    """Return what came of the last try."""
    assert state.outcome is not None  # noqa: S101 -- for the type: it is called after a try
    found: Verdict = state.outcome.result()
    return found


class Delivery:
    """Brings alerts to all webhooks that want them."""

    def __init__(
        self,
        webhooks: Sequence[Webhook],
        send: Callable[[Webhook], Send],
        lang: Lang,
        clocks: Clocks = REAL_CLOCKS,
    ) -> None:
        """Deliver by what `send` makes for each webhook."""
        self._failures: deque[Undelivered] = deque()
        self._couriers = [
            Courier(webhook, send(webhook), lang, self._failures.append, clocks)
            for webhook in webhooks
        ]
        self._clocks = clocks

    def tell(self, alert: Alert) -> None:
        """Take an alert along; never blocks."""
        for courier in self._couriers:
            if courier.webhook.wants(alert.event):
                courier.put(alert)

    def failures(self) -> Sequence[Undelivered]:
        """Return the alerts that were not delivered since this was last asked."""
        return [self._failures.popleft() for _ in range(len(self._failures))]

    def close(self, within: float, check: Callable[[], None]) -> None:
        """Wait at most `within` seconds for what is on its way; then leave it behind.

        `check` is called now and then, and may raise to end the wait.
        """
        until, never = self._clocks.monotonic() + within, threading.Event()
        try:
            while any(courier.is_busy for courier in self._couriers):
                check()
                if self._clocks.monotonic() >= until:
                    break
                self._clocks.wait(never, _LOOK_S)
        finally:
            for courier in self._couriers:
                courier.give_up()
