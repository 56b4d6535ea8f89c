"""An estimate, and the run that it is of."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from batcher.checkpoint import SPENT_COST, Checkpoint
from batcher.job import JobSpec
from batcher.money import NANOS
from batcher.providers import Bearer, provider_named
from batcher.runs.calling import Callee
from batcher.runs.estimate import Assumptions, Estimator, _times
from batcher.runs.quote import Quote
from batcher.runs.quote_lines import quote_lines
from batcher.runs.selection import WHOLE_INPUT, Portion
from batcher.runs.status import status_of
from batcher.simulator import SIMULATED_KEY
from tests.simulated import AT_ONCE, Place
from tests.toxic import Exchange, toxic, whole

SIMULATOR = Callee(provider_named("glm"), (Bearer(SIMULATED_KEY),), AT_ONCE)
REVIEWS = "这家店的服务很好，菜也不错，就是等位时间有点长。下次还会再来。"


def _quote(
    job: JobSpec,
    portion: Portion = WHOLE_INPUT,
    **assumptions: Any,  # noqa: ANN401 -- those of Assumptions
) -> Quote:
    given = Assumptions(**assumptions)
    return Estimator(job, SIMULATOR, io.BytesIO(), given, portion=portion).estimate()


def _write(place: Place, rows: int = 60) -> None:
    texts = (REVIEWS[: 4 + row % 28] * (1 + row % 5) for row in range(rows))
    place.write({"id": f"id-{row}", "prompt": text} for row, text in enumerate(texts))


def _priced(place: Place, **flags: Any) -> JobSpec:  # noqa: ANN401 -- tables of a job file
    return place.job(provider={"model": "glm-4.7"}, **flags)


def test_prompt_tokens_are_those_that_the_run_is_billed_for(place: Place) -> None:
    _write(place)
    quote = _quote(_priced(place), sample=20)
    place.run(_priced(place))
    counts = status_of(place.directory).counts
    assert round(quote.prompt_tokens) == counts.prompt_tokens
    assert quote.prompt_error == 0


def test_the_first_rows_foretell_what_the_rest_costs(place: Place) -> None:
    """Answers are taken to be as long as those that the run has had."""
    _write(place)
    place.run(_priced(place, ceilings={"max_rows": 20}))
    first = status_of(place.directory).counts
    quote = _quote(_priced(place))
    assert (quote.rows.done, quote.requests, quote.assumed.ground) == (20, 40, "recorded")
    assert quote.cost is not None
    place.run(_priced(place))
    whole_run = status_of(place.directory).counts
    rest = whole_run.cost - first.cost
    assert quote.cost == pytest.approx(rest, rel=0.1)
    assert quote.output_tokens == pytest.approx(
        whole_run.completion_tokens - first.completion_tokens, rel=0.1
    )
    assert round(quote.prompt_tokens) == whole_run.prompt_tokens - first.prompt_tokens


def test_nothing_is_written_where_results_will_go(place: Place) -> None:
    _write(place)
    _quote(_priced(place, output={"to": f"file://{place.folder}/there"}))
    assert [path.name for path in place.folder.iterdir()] == [place.input.name]


def test_a_finished_run_has_nothing_left_to_pay(place: Place) -> None:
    place.run(_priced(place))
    quote = _quote(_priced(place))
    assert (quote.rows.total, quote.rows.done, quote.requests, quote.cost) == (10, 10, 0, 0)
    assert quote.counts is not None
    assert quote.spent.cost == quote.counts.most_cost > 0


def test_a_ceiling_that_a_killed_process_may_have_used_up_does_not_hold(place: Place) -> None:
    """What the run itself goes by: it would make no call."""
    _write(place)
    job = _priced(place, ceilings={"max_cost": "1.50CNY"})
    replace(place.session(job), portion=Portion(limit=20)).run()
    with Checkpoint.open(place.directory.checkpoint) as checkpoint:
        checkpoint.remember(**{SPENT_COST: 1_500_000_000})
    (fit,) = _quote(job).fits()
    assert (fit.spent, fit.share) == (1.5, 0)
    halted = place.run(job).halted
    assert halted is not None
    assert "At most 1.50 CNY more may have been spent by a process that was killed" in halted.reason


def test_after_an_edit_only_changed_rows_are_counted(place: Place) -> None:
    place.run()
    rows = [{"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(12)]
    rows[3]["prompt"] = "Sing."
    place.write(rows)
    before = place.directory.checkpoint.read_bytes()
    quote = _quote(place.job())
    assert (quote.rows.total, quote.rows.done, quote.requests) == (12, 9, 3)
    assert place.directory.checkpoint.read_bytes() == before


def test_rows_that_ended_in_errors_are_counted_where_they_are_to_be_retried(place: Place) -> None:
    place.write([{"id": "a", "prompt": "x"}, {"id": "b", "prompt": "y"}])
    quote_before = _quote(place.job())
    place.run(simulator=replace(AT_ONCE, faults={"1301": 1.0}))
    assert _quote(place.job()).requests == 0
    assert _quote(place.job(), retry_errors=True).requests == quote_before.requests == 2


def test_bad_rows_and_those_with_the_id_of_another_are_not_called(place: Place) -> None:
    good = {"id": "a", "prompt": "x"}
    place.write([good, "[", {"id": "b"}, {"id": "a", "prompt": "y"}])
    quote = _quote(place.job())
    assert (quote.rows.total, quote.rows.bad, quote.requests) == (4, 3, 1)


def test_an_id_that_a_done_row_has_is_not_called_again(place: Place) -> None:
    place.write({"id": f"id-{n % 2}", "prompt": f"Say {n}."} for n in range(3))
    place.run(place.job(ceilings={"max_rows": 1}))
    quote = _quote(place.job())
    assert (quote.rows.total, quote.rows.done, quote.rows.bad, quote.requests) == (3, 1, 1, 1)


def test_standard_input_is_read_and_nothing_of_it_is_left(place: Place) -> None:
    job = place.job(input=["-"])
    stdin = io.BytesIO(b'{"prompt": "x"}\n{"prompt": "y"}\n')
    quote = Estimator(job, SIMULATOR, stdin, untold="no key").estimate()
    assert quote.requests == 2
    assert sorted(path.name for path in place.folder.iterdir()) == ["prompts.jsonl"]


def test_rows_in_memory_are_counted_as_a_run_of_them_would_call_them(place: Place) -> None:
    job = place.job(input=[], output={"directory": str(place.directory.path)})
    rows = [{"id": str(n), "prompt": f"Say {n}."} for n in range(3)]

    def estimated(rows: list[dict[str, str]]) -> tuple[int, int, int]:
        quote = Estimator(job, SIMULATOR, io.BytesIO(), untold="no key", rows=rows).estimate()
        return quote.rows.total, quote.rows.done, quote.requests

    assert estimated(rows) == (3, 0, 3)
    replace(place.session(job), rows=rows[:2]).run()
    before = sorted(path.name for path in place.directory.path.iterdir())
    assert estimated(rows) == (3, 2, 1)
    assert sorted(path.name for path in place.directory.path.iterdir()) == before


def test_each_model_of_a_batch_file_has_its_own_lines(place: Place) -> None:
    def line(number: int, model: str) -> dict[str, object]:
        messages = [{"role": "user", "content": "x" * 4}]
        return {"custom_id": f"id-{number}", "body": {"model": model, "messages": messages}}

    place.write(line(n, ("glm-4.7", "glm-5")[n % 2]) for n in range(6))
    quote = _quote(place.job(provider={}), output_tokens=100)
    lines = [(one.model, one.requests, one.prompt_tokens) for one in quote.totals]
    assert lines == [("glm-4.7", 3, 21), ("glm-5", 3, 21)]
    assert quote.cost == pytest.approx((21 * 2 + 300 * 8 + 21 * 4 + 300 * 18) / 1_000_000 * NANOS)


def test_a_tokenizer_unlike_the_documents_is_believed(place: Place) -> None:
    """A server that counts 3 tokens for each 2 characters, and bills as it counts."""
    _write(place, 300)

    def counted(messages: list[dict[str, str]]) -> int:
        return sum(len(message["content"]) * 3 // 2 for message in messages)

    async def count(exchange: Exchange) -> None:
        tokens = counted(json.loads(exchange.seen.body)["messages"])
        await exchange.say(whole(json.dumps({"usage": {"prompt_tokens": tokens}}).encode()))

    async def estimated() -> Quote:
        async with toxic(count) as server:
            callee = Callee(provider_named("glm", server.url), (Bearer(SIMULATED_KEY),))
            estimator = Estimator(_priced(place), callee, io.BytesIO(), Assumptions(5, 100))
            return await asyncio.to_thread(estimator.estimate)

    quote = asyncio.run(estimated())
    rows = [json.loads(line) for line in place.input.read_text("utf-8").splitlines()]
    billed = sum(counted([{"content": row["prompt"]}]) for row in rows)
    assert abs(quote.prompt_tokens - billed) <= quote.prompt_error
    assert quote.prompt_tokens == pytest.approx(billed, rel=0.05)
    assert quote.tokenized.ratios["glm-4.7"].rows == 100


@pytest.mark.parametrize("first", [0, 3])
def test_rows_that_ask_the_same_are_called_once_as_the_run_calls_them(
    place: Place, first: int
) -> None:
    place.write({"id": f"id-{n}", "prompt": f"Say {n % 4}."} for n in range(12))
    flags = {"parameters": {"temperature": 0}}
    if first:
        place.run(place.job(**flags, ceilings={"max_rows": first}))
    quote = _quote(place.job(**flags))
    before = len(place.ledger())
    place.run(place.job(**flags))
    assert quote.requests == len(place.ledger()) - before == 4 - first
    assert quote.rows.shared == 12 - quote.rows.done - quote.requests


def test_what_a_cache_has_the_answer_to_is_not_called_and_no_cache_is_made(place: Place) -> None:
    def job(name: str) -> JobSpec:
        reuse = {"cache": str(place.folder / "cache")}
        return place.job(reuse=reuse, output={"directory": str(place.folder / name)})

    assert _quote(job("one.batch")).requests == 10
    assert not (place.folder / "cache").exists()
    place.run(job("one.batch"))
    place.write({"id": f"other-{n}", "prompt": f"Say {n}."} for n in range(5, 15))
    quote = _quote(job("two.batch"))
    assert (quote.rows.shared, quote.requests) == (5, 5)


def test_a_job_that_wants_values_is_estimated_with_what_it_adds_to_each_prompt(
    place: Place,
) -> None:
    job = place.job(output={"fields": {"label": ["pos", "neg"]}})
    quote = _quote(job)
    place.run(job)
    counts = status_of(place.directory).counts
    assert counts.repairs == 0
    assert round(quote.prompt_tokens) == counts.prompt_tokens
    assert _quote(job).requests == 0


def test_answers_that_were_asked_for_again_foretell_how_often_others_are(place: Place) -> None:
    _write(place, 200)
    broken = replace(AT_ONCE, faults={"broken_json": 0.3})
    fields = {"output": {"fields": {"label": ["pos", "neg"]}}}
    place.run(_priced(place, **fields, ceilings={"max_rows": 100}), simulator=broken)
    first = status_of(place.directory).counts
    quote = _quote(_priced(place, **fields))
    place.run(_priced(place, **fields), simulator=broken)
    rest = status_of(place.directory).counts
    assert quote.assumed.prompts > 1.2
    asked = rest.prompt_tokens - first.prompt_tokens
    assert quote.prompt_tokens == pytest.approx(asked, rel=0.15)
    assert quote.cost == pytest.approx(rest.cost - first.cost, rel=0.15)
    assert "times over, as answers of this run were asked again" in "\n".join(quote_lines(quote))


@pytest.mark.parametrize(
    ("once", "again", "times"),
    [
        ([], [], 1),
        ([10, 20], [], 1),
        ([], [50], 1),
        ([0], [50], 1),
        ([10, 10, 10], [40], 70 / 40),
    ],
)
def test_how_many_prompts_an_answer_takes_is_told_by_those_that_took_one(
    once: list[int], again: list[int], times: float
) -> None:
    assert _times(once, again) == pytest.approx(times)


def test_each_sample_of_a_row_is_a_request(place: Place) -> None:
    job = place.job(sampling={"samples": 3}, parameters={"temperature": 1})
    assert _quote(job).requests == 30
    place.run(
        place.job(sampling={"samples": 3}, parameters={"temperature": 1}, ceilings={"max_rows": 7})
    )
    quote = _quote(job)
    before = status_of(place.directory).counts
    assert (quote.rows.total, quote.rows.done, quote.requests) == (30, 7, 23)
    assert next(quote_lines(quote)).startswith("SIMULATED")
    assert "7 of 10 rows x 3 samples are done" in "\n".join(quote_lines(quote))
    place.run(job)
    after = status_of(place.directory).counts
    assert round(quote.prompt_tokens) == after.prompt_tokens - before.prompt_tokens
    more = _quote(place.job(sampling={"samples": 4}, parameters={"temperature": 1}))
    assert (more.rows.total, more.rows.done, more.requests) == (40, 30, 10)


def test_bad_rows_of_several_samples_are_bad_for_each(place: Place) -> None:
    place.write([{"id": "a", "prompt": "x"}, "[", {"id": "a", "prompt": "y"}])
    quote = _quote(place.job(sampling={"samples": 2}, parameters={"temperature": 1}))
    assert (quote.rows.total, quote.rows.bad, quote.requests) == (6, 4, 2)


@pytest.mark.parametrize(
    "portion", [Portion(limit=4), Portion(sample=4, seed=7), Portion(limit=99), Portion(sample=99)]
)
@pytest.mark.parametrize("first", [0, 2])
def test_only_the_rows_that_are_chosen_are_estimated(
    place: Place, portion: Portion, first: int
) -> None:
    if first:
        place.run(place.job(ceilings={"max_rows": first}))
    quote = _quote(place.job(), portion)
    before = len(place.ledger())
    replace(place.session(place.job()), portion=portion).run()
    assert quote.requests == len(place.ledger()) - before
    assert quote.rows.total == min(10, portion.limit or portion.sample or 0)
    assert quote.rows.done == quote.rows.total - quote.requests
