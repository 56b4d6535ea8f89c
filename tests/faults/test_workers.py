"""A worker raises or hangs wherever it waits: the run ends with the error, and never hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from batcher.checkpoint import Checkpoint, CheckpointReader, Reserve
from batcher.engine.client import Client, Receiving, Timeouts, open_transport
from batcher.engine.policy.lane import Call
from batcher.inputs import Dataset
from batcher.providers import Bearer, provider_named
from batcher.records import Completion, Failure, Prompt, Request
from batcher.runs.live import LiveRun
from batcher.simulator import SIMULATED_KEY, SimulatorConfig, serve
from tests.engines import Engine
from tests.faults.children import PATIENCE_S
from tests.simulated import Place, QuickTime

ROWS = 3
# Far longer than a simulator needs that answers at once.
DEADLINE_S = 0.5


class SabotageError(Exception):
    """What no part of the product expects."""


@dataclass
class Sabotage:
    """Counts the waits of all calls; at wait number `at` raises `error`, or else never ends."""

    at: int
    error: BaseException | None
    waits: int = 0

    def of(self, call: Call) -> Call:
        """Return `call`, sabotaged."""

        async def sabotaged(request: Request, request_id: str) -> Completion:
            return await _Waits(call(request, request_id), self)  # type: ignore[arg-type]

        return sabotaged


@dataclass
class _Waits:
    """Drives a coroutine from wait to wait."""

    victim: Coroutine[Any, Any, Completion]
    sabotage: Sabotage

    def __await__(self) -> Generator[Any, Any, Completion]:
        plan, raised = self.sabotage, None
        while True:
            try:
                wait: asyncio.Future[Any] = (
                    self.victim.throw(raised) if raised else self.victim.send(None)
                )
            except StopIteration as end:
                answer: Completion = end.value
                return answer
            plan.waits, raised = plan.waits + 1, None
            waits: Iterable[asyncio.Future[Any]] = [wait]
            if plan.waits == plan.at:
                # Nobody waits for it any more.
                wait.add_done_callback(lambda done: done.cancelled() or done.exception())
                waits, raised = _for_ever(), plan.error
            try:
                if raised is None:
                    yield from waits
            except BaseException as error:  # noqa: BLE001 -- whatever it is, it is the victim's
                raised = error


def _for_ever() -> Generator[Any, Any, object]:
    return (yield from asyncio.Event().wait().__await__())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.write([{"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(ROWS)])
    return place


@asynccontextmanager
async def _simulated_call() -> AsyncIterator[Call]:
    """Yield what makes a call to a simulator, over a real connection, with an answer in pieces."""
    timeouts = Timeouts(connect=DEADLINE_S, idle=DEADLINE_S, total=DEADLINE_S)
    async with serve(SimulatorConfig(latency_s=0.01)) as simulator:
        provider = provider_named("glm", simulator.base_url)
        async with open_transport(provider.base_url, 1, environment={}) as transport:
            auth = Bearer(SIMULATED_KEY)
            limits: dict[str, Any] = {"timeouts": timeouts, "receiving": Receiving(1024 * 1024)}
            yield Client(transport, provider, auth, stream=True, **limits).complete


async def _run(
    place: Place,
    call: Call,
    *,
    kind: type[Checkpoint] = Checkpoint,
    change: Callable[[LiveRun], LiveRun] = lambda live: live,
) -> None:
    """Run what is to be done; fail if that does not end."""
    place.directory.create()
    time = QuickTime()
    retrier = Engine([call], 1, sleep=time.sleep, monotonic=time.monotonic).retrier()
    with (
        kind.open(place.directory.checkpoint) as checkpoint,
        Reserve.held(place.directory.reserve, 2, 1024) as reserve,
    ):
        live = place.live(checkpoint, reserve, retrier)
        async with asyncio.timeout(PATIENCE_S):
            await change(live).run()


def _recorded(place: Place) -> list[str | None]:
    """Return the error of each recorded row, which is None for a success."""
    with CheckpointReader.read(place.directory.checkpoint) as checkpoint:
        return [outcome.error_class for outcome in checkpoint.outcomes()]


async def _until_not_reached(
    place: Place, error: BaseException | None
) -> AsyncIterator[BaseException | None]:
    """Sabotage a fresh run at its first wait, the next at its second, and so on to the last."""
    async with _simulated_call() as call:
        for at in range(1, 10_000):
            sabotage = Sabotage(at, error)
            try:
                await _run(place, sabotage.of(call))
            except (SabotageError, MemoryError) as raised:
                yield raised
            else:
                if sabotage.waits < at:
                    assert at > 3 * ROWS
                    return
                yield None
            place.directory.checkpoint.unlink()


async def test_09_a_call_that_raises_at_any_wait_ends_the_run_with_that_error(
    place: Place,
) -> None:
    error = SabotageError()
    async for raised in _until_not_reached(place, error):
        assert raised is error
        assert set(_recorded(place)) <= {None}


async def test_09_a_call_that_hangs_at_any_wait_is_ended_by_its_deadline(place: Place) -> None:
    """And made again: the row has its answer in the end."""
    async for raised in _until_not_reached(place, None):
        assert raised is None
        assert _recorded(place) == [None] * ROWS


async def test_04_memory_that_is_used_up_at_any_wait_of_a_call_loses_nothing_recorded(
    place: Place,
) -> None:
    error = MemoryError()
    async for raised in _until_not_reached(place, error):
        assert raised is error
        assert set(_recorded(place)) <= {None}


class _CannotWrite(Checkpoint):
    def write(self, *_args: object, **_kwargs: object) -> None:
        raise SabotageError


class _CannotSync(Checkpoint):
    def sync(self) -> None:
        raise SabotageError


class _CannotFind(Checkpoint):
    def first_with_ids(self, *_args: object) -> dict[str, tuple[int, str]]:
        raise SabotageError


class _Unreadable(Dataset):
    def rows(self, *_args: object, **_kwargs: object) -> Generator[Prompt | Failure, None, None]:
        yield from ()
        raise SabotageError


def _raise(*_args: object) -> None:
    raise SabotageError


@pytest.mark.parametrize("kind", [_CannotWrite, _CannotSync, _CannotFind])
async def test_09_a_checkpoint_that_raises_ends_the_run_with_that_error(
    place: Place, kind: type[Checkpoint]
) -> None:
    async with _simulated_call() as call:
        with pytest.raises(SabotageError):
            await _run(place, call, kind=kind)
        await _run(place, call)
    assert _recorded(place) == [None] * ROWS


@pytest.mark.parametrize(
    "change",
    [
        lambda live: replace(live, on_recorded=_raise),
        lambda live: replace(live, prepare=replace(live.prepare, render=_raise)),
        lambda live: replace(
            live, dataset=_Unreadable(live.dataset.files, id_column=live.dataset.id_column)
        ),
    ],
    ids=["on_recorded", "prepare", "dataset"],
)
async def test_09_a_part_that_raises_ends_the_run_with_that_error(
    place: Place, change: Callable[[LiveRun], LiveRun]
) -> None:
    async with _simulated_call() as call:
        with pytest.raises(SabotageError):
            await _run(place, call, change=change)
        await _run(place, call)
    assert _recorded(place) == [None] * ROWS


async def test_09_a_pulse_that_raises_loses_no_row(place: Place) -> None:
    """Only the screen stands still."""
    async with _simulated_call() as call:
        await _run(place, call, change=lambda live: replace(live, on_pulse=_raise))
    assert _recorded(place) == [None] * ROWS
