"""What a run will cost, in lines and as JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from batcher.job import load_job
from batcher.providers import Pricing
from batcher.providers.token_ratio import TokenRatio
from batcher.providers.workload import Answers, Workload
from batcher.recorded import Counts
from batcher.runs.ceilings import Spent
from batcher.runs.quote import Assumed, Fit, Quote, Rows
from batcher.runs.quote_lines import quote_lines
from batcher.runs.tokenizing import Tokenized

SPENT = Counts(
    results=5,
    truncated=0,
    errors={},
    attempts=5,
    ambiguous_attempts=0,
    prompt_tokens=900,
    completion_tokens=100,
    cached_tokens=0,
    reasoning_tokens=0,
    cost=40_000_000,
    possible_cost=10_000_000,
    currency="CNY",
)


def _quote(
    bodies: Sequence[dict[str, object]],
    answers: Answers,
    assumed: Assumed,
    *,
    tokenized: Tokenized | None = None,
    counts: Counts | None = None,
    untold: int = 0,
    **ceilings: Any,  # noqa: ANN401 -- those of a job file
) -> Quote:
    job = load_job(None, {"ceilings": ceilings})
    pricing = Pricing.of("glm", {})
    workload = Workload(pricing.models)
    for body in bodies:
        workload.add(body)
    tokenized = tokenized or Tokenized()
    portions = tuple(workload.band_totals(tokenized.ratios, answers, pricing))
    done = counts.rows if counts else 0
    spent = Spent(counts.most_cost + untold, counts.tokens, untold) if counts else Spent()
    rows = len(bodies) + done
    return Quote(
        job,
        Rows(rows, 0, done, 0),
        workload,
        portions,
        tokenized,
        assumed,
        pricing,
        counts,
        spent,
        simulated=False,
    )


def _body(model: str = "glm-5.3", **rest: object) -> dict[str, object]:
    messages = [{"role": "user", "content": "abcd" * 94}]
    return {"model": model, "messages": messages, **rest}


def _text(quote: Quote) -> str:
    return "\n".join(quote_lines(quote))


GIVEN = (Answers([100]), Assumed("given"))
BOUND = (Answers(), Assumed("bound"))


def test_tokens_and_cost_are_told_with_the_day_and_the_source_of_the_prices() -> None:
    text = _text(_quote([_body()] * 1_000, *GIVEN))
    assert "0 of 1,000 rows are done\n" in text
    assert "requests  1,000 to be made" in text
    assert "prompts   about 100,000 tokens\n" in text
    assert "answers   about 100,000 tokens: as --output-tokens says" in text
    assert "cost      about 3.60 CNY by the prices of 2026-07-01; today's stand at https" in text
    assert "no cached tokens are assumed" in text


def test_each_band_has_its_line_and_all_of_them_a_sum() -> None:
    answers = (Answers([100, 100, 300]), Assumed("recorded", 3))
    text = _text(_quote([_body("glm-4.7")] * 300, *answers))
    lines = [line.split() for line in text.splitlines()]
    bands = [line for line in lines if line[0] in ("glm-4.7", "total")]
    below = ["prompts", "below", "32,000"]
    assert bands[0] == ["glm-4.7", "200", "20,000", "20,000", "0.2000", *below[:2], "32,000,",
                        "answers", "below", "200"]  # fmt: skip
    assert bands[1] == ["glm-4.7", "100", "10,000", "30,000", "0.4500", *below]
    assert bands[2] == ["total", "300", "30,000", "50,000", "0.6500"]
    assert "as long as those of 3 results of this run" in text


def test_without_a_known_length_answers_are_at_most_as_long_as_they_can_be() -> None:
    text = _text(_quote([_body(max_tokens=50)] * 2, *BOUND))
    assert "answers   at most 100 tokens" in text
    assert "cost      at most 0.0044 CNY" in text
    assert "--output-tokens" in text


def test_a_counted_sample_is_told_with_its_error_and_its_spread() -> None:
    ratio = TokenRatio(1.5, 100, 0.15, 0.9, 2.2)
    quote = _quote([_body()] * 10, *GIVEN, tokenized=Tokenized({"glm-5.3": ratio}))
    assert quote.prompt_error == pytest.approx(150)
    text = _text(quote)
    assert "prompts   about 1,500 tokens (± 150)" in text
    assert (
        "glm-5.3: 1.50 times the documented ratio, by its tokenizer on 100 rows "
        "(single rows 0.90 to 2.20)"
    ) in text


def test_without_a_count_the_reason_is_told() -> None:
    text = _text(_quote([_body()], *GIVEN, tokenized=Tokenized({}, {"glm-5.3": "no API key"})))
    assert "glm-5.3: by the documented ratio: no API key" in text


def test_a_sample_of_which_some_rows_failed_is_told_as_such() -> None:
    tokenized = Tokenized({"glm-5.3": TokenRatio(1, 9)}, {"glm-5.3": "too long"})
    text = _text(_quote([_body()], *GIVEN, tokenized=tokenized))
    assert "glm-5.3: not all of the sample was counted: too long" in text


def test_a_model_without_a_price_is_told_how_to_get_one() -> None:
    quote = _quote([_body("glm-4.5"), _body()], *GIVEN)
    assert (quote.unpriced, quote.cost) == (["glm-4.5"], None)
    text = _text(quote)
    assert 'no price is known for glm-4.5: write it into a job, under [prices."glm-4.5"]' in text
    assert "cost      about" not in text


def test_answers_without_any_bound_are_told_how_to_get_one() -> None:
    quote = _quote([_body("mine")], *BOUND)
    assert (quote.unbounded, quote.output_tokens) == (["mine"], None)
    assert "answers   of mine have no known bound: set max_tokens" in _text(quote)


def test_what_no_estimate_holds_is_told() -> None:
    parts = [{"type": "image_url", "image_url": {"url": "u"}}]
    image: dict[str, object] = {
        "model": "glm-5.3",
        "messages": [{"role": "user", "content": parts}],
    }
    text = _text(_quote([image, _body(tools=[{"type": "web_search"}])], *GIVEN))
    assert "without 1 image or other part" in text
    assert "without the fees of tools that 1 request may use" in text


@pytest.mark.parametrize(
    ("ceilings", "words"),
    [
        # 1,000 requests of 0.0036 CNY each, and 0.05 CNY are spent or may be.
        ({"max_cost": "3.65CNY"}, "--max-cost 3.65CNY holds"),
        ({"max_cost": "1.85CNY"}, "--max-cost 1.85CNY ends the run after about 500 of these"),
        ({"max_cost": "0.01CNY"}, "--max-cost 0.01CNY ends the run after about 0 of these"),
        ({"max_tokens_total": 201_000}, "--max-tokens-total 201,000 tokens holds"),
        ({"max_tokens_total": 101_000}, "101,000 tokens ends the run after about 500 of these"),
    ],
)
def test_a_ceiling_holds_or_ends_the_run_and_what_is_spent_counts(
    ceilings: dict[str, Any], words: str
) -> None:
    text = _text(_quote([_body()] * 1_000, *GIVEN, counts=SPENT, **ceilings))
    assert "spent     0.0400 CNY so far, at most 0.0100 more without an answer" in text
    assert words in text


def test_what_a_killed_process_may_have_spent_leaves_no_room_under_a_ceiling() -> None:
    """As the run itself has it, which would make no call."""
    quote = _quote([_body()], *GIVEN, counts=SPENT, untold=1_450_000_000, max_cost="1.50CNY")
    text = _text(quote)
    assert (
        "\n            At most 1.45 CNY more may have been spent by a process that was killed\n"
        in text
    )
    assert "--max-cost 1.50CNY ends the run after about 0 of these" in text
    facts = quote.facts()
    assert (facts["spent"], facts["spent_possibly"]) == (0.04, 1.46)


def test_a_ceiling_that_is_met_has_no_room() -> None:
    assert Fit("max_cost", 1, 2, 3).share == 0
    assert Fit("max_cost", 3, 1, 4).share == 0.5
    assert Fit("max_cost", 3, 3, 0).holds


def test_rows_that_need_no_call_are_told() -> None:
    quote = replace(_quote([_body()], *GIVEN), rows=Rows(1_010, 4, 0, 1_005))
    text = _text(quote)
    assert text.startswith("0 of 1,010 rows are done, 4 bad\n  shared    1,005 need no call")
    assert quote.facts()["shared"] == 1_005


def test_all_of_it_is_there_as_json() -> None:
    tokenized = Tokenized({"glm-5.3": TokenRatio(1.5, 100, 0.15, 0.9, 2.2)}, {"glm-5": "no"})
    bodies = [_body()] * 10 + [_body("glm-4.5")]
    quote = _quote(bodies, *GIVEN, tokenized=tokenized, counts=SPENT, max_tokens_total=5_000)
    facts = json.load(io.StringIO(json.dumps(quote.facts())))
    assert (facts["rows"], facts["done"], facts["requests"]) == (16, 5, 11)
    assert (facts["samples"], facts["records"]) == (1, 16)
    assert (facts["prompt_tokens"], facts["prompt_tokens_error"]) == (1_600, 150)
    assert (facts["output_tokens"], facts["output_tokens_are"]) == (1_100, "given")
    assert (facts["cost"], facts["currency"], facts["spent"]) == (None, "CNY", 0.04)
    assert facts["unpriced_models"] == ["glm-4.5"]
    assert facts["uncounted"] == {"glm-5": "no"}
    assert facts["bands"][0] == {
        "model": "glm-5.3",
        "input_below": None,
        "output_below": None,
        "requests": 10,
        "prompt_tokens": 1_500,
        "output_tokens": 1_000,
        "cost": 0.04,
    }
    assert facts["ceilings"]["max_tokens_total"] == {
        "most": 5_000,
        "spent": 1_000,
        "to_come": 2_700,
        "holds": True,
    }
