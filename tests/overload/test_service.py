"""Services: how long jobs take together."""

from __future__ import annotations

import asyncio

import pytest

from tests.overload import virtual
from tests.overload.ledger import steps
from tests.overload.service import Service, batching, collapsing


def _ends(service: Service, jobs: list[tuple[float, float]]) -> list[float]:
    """Return when each job ends, given by its start and its seconds."""

    async def serve(start: float, seconds: float) -> float:
        await asyncio.sleep(start)
        await service.serve(seconds)
        return virtual.monotonic()

    async def main() -> list[float]:
        return await asyncio.gather(*(serve(*job) for job in jobs))

    return virtual.run(main())


def test_a_steady_service_serves_all_as_if_each_were_alone() -> None:
    assert _ends(Service(), [(0, 3), (0, 1), (2, 5)]) == pytest.approx([3, 1, 7])


def test_beyond_its_slots_jobs_wait_in_the_order_they_came() -> None:
    service = Service(slots=steps(2))
    assert _ends(service, [(0, 4), (0, 1), (0.1, 2), (0.2, 3)]) == pytest.approx([4, 1, 3, 6])


def test_slots_that_are_taken_away_finish_their_jobs_first() -> None:
    service = Service(slots=steps(2, (1, 1)))
    assert _ends(service, [(0, 4), (0, 3), (2, 1)]) == pytest.approx([4, 3, 5])


def test_a_batch_shares_what_its_knee_gives() -> None:
    """Far beyond the knee, that is as much as ever; far below, each job is at full speed."""
    service = Service(batching(steps(4)))
    assert _ends(service, [(0, 1)] * 40) == pytest.approx([10] * 40, rel=0.01)
    assert _ends(service, [(0, 1)]) == pytest.approx([1], rel=0.01)


def test_a_collapsing_service_does_less_the_more_is_asked_of_it() -> None:
    service = Service(collapsing(steps(4)))
    assert _ends(service, [(0, 1)] * 4) == pytest.approx([1] * 4)
    assert _ends(service, [(0, 1)] * 8) == pytest.approx([4] * 8)


@pytest.mark.parametrize("place", [0, 1])
def test_a_job_that_is_given_up_makes_room(place: int) -> None:
    """Whether it was being served or still waited."""
    service = Service(slots=steps(1))

    async def main() -> float:
        jobs = [asyncio.create_task(service.serve(10)) for _ in range(2)]
        await asyncio.sleep(1)
        jobs[place].cancel()
        await asyncio.wait(jobs)
        await service.serve(1)
        return virtual.monotonic()

    assert virtual.run(main()) == pytest.approx([12, 11][place])
