"""Rows that ask the same share one answer, wherever the run is broken off."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.checkpoint import Checkpoint
from batcher.errors import ErrorClass, Problem, ProviderError
from batcher.recorded import Recorded
from batcher.records import Completion, Request, Usage
from tests.laws.test_resume import CONCURRENCY, Break, Provider, breaks_of, deaf, run
from tests.simulated import Place

REFUSED = "ask 3"


@dataclass
class Capricious(Provider):
    """Stands for the network: each of its answers is another one, but a refusal is one for good."""

    answered: Counter[str] = field(default_factory=Counter)
    under_way: set[str] = field(default_factory=set)

    async def __call__(self, request: Request, _request_id: str) -> Completion:
        messages = request.body["messages"]
        assert isinstance(messages, list)
        prompt = messages[-1]["content"]
        assert prompt not in self.under_way
        self.under_way.add(prompt)
        try:
            self.pass_moment()
            for _ in range(1 + request.row % 4):
                await asyncio.sleep(0)
            self.pass_moment()
        finally:
            self.under_way.remove(prompt)
        if prompt == REFUSED:
            raise ProviderError(Problem(ErrorClass.BAD_REQUEST, "never", "1210", 400))
        self.answered[prompt] += 1
        text = f"answer {self.answered.total()}"
        return Completion(text, None, None, "stop", "glm-4-flash", Usage(1, 1))


def _recorded(place: Place) -> dict[int, Recorded]:
    if not place.directory.checkpoint.exists():
        return {}
    with Checkpoint.read(place.directory.checkpoint) as checkpoint:
        return {found.row: found for found in checkpoint.outcomes()}


def _shares_one_answer(prompts: Sequence[str], recorded: Mapping[int, Recorded]) -> None:
    answers = defaultdict(set)
    called = Counter[str]()
    for row, found in recorded.items():
        answers[prompts[row]].add(found.response)
        called[prompts[row]] += found.answered_by == "call"
        assert found.attempts == (found.answered_by == "call")
        assert (found.error_class is not None) == (prompts[row] == REFUSED)
    assert all(len(texts) == 1 for texts in answers.values())
    assert all(called[prompt] == 1 for prompt in answers if prompt != REFUSED)


@settings(max_examples=30)
@given(
    rows=st.sampled_from([1, 5, 100, 500]),
    contents=st.integers(1, 40),
    seed=st.integers(0),
    breaks=st.just([]) | breaks_of("crash", "signal", "two signals", most=4),
)
def test_rows_that_ask_the_same_have_one_answer_wherever_a_run_is_broken_off(
    rows: int, contents: int, seed: int, breaks: list[Break]
) -> None:
    """And no call is made again, but for those that a break cut off.

    500 rows are more than the pool holds, so that answers come while some are read but not begun.
    """
    drawn = random.Random(seed).choices(range(contents), k=rows)  # noqa: S311 -- rows of a test
    prompts = [f"ask {content}" for content in drawn]
    with TemporaryDirectory() as name, deaf():
        place = Place(Path(name))
        place.write({"prompt": prompt} for prompt in prompts)
        job = place.job(parameters={"temperature": 0})
        provider = Capricious([])
        for broken in (*breaks, None):
            before = _recorded(place)
            run(place, provider, broken, job=job)
            recorded = _recorded(place)
            assert recorded.items() >= before.items()
            _shares_one_answer(prompts, recorded)
        assert list(recorded) == list(range(len(prompts)))
    asked = {*prompts} - {REFUSED}
    assert len(asked) <= provider.answered.total() <= len(asked) + CONCURRENCY * len(breaks)
