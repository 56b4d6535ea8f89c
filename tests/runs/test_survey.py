"""What can be said of an input before any call."""

from __future__ import annotations

import io

from batcher.providers import provider_named
from batcher.runs.selection import Portion
from batcher.runs.survey import STAND_IN, check, preview
from tests.simulated import Place


def test_check_counts_and_reports_and_needs_no_model(place: Place) -> None:
    place.write([{"id": "a", "prompt": "abcd"}, "[", {"id": "a", "prompt": "x"}, {"id": "b"}])
    lines: list[str] = []
    job = place.job(provider={})
    found = check(job, provider_named("glm"), io.BytesIO(), lines.append)
    assert (found.rows, found.bad, found.prompt_tokens) == (4, 3, 1 + 6)
    assert [line.partition(": ")[0].rpartition(":")[2] for line in lines] == ["2", "3", "4"]


def test_preview_shows_the_first_rows_good_and_bad_and_makes_nothing(place: Place) -> None:
    place.write([{"id": "a", "prompt": "abcd"}, "[", {"id": "b", "prompt": "x"}])
    shown = list(preview(place.job(), provider_named("glm"), io.BytesIO(), 2))
    assert [row["id"] for row in shown] == ["a", "1"]
    assert "request" in shown[0]
    assert shown[1]["error_class"] == "invalid_row"
    assert not place.directory.path.exists()


def test_preview_without_a_model_has_a_stand_in_for_it_and_no_key(place: Place) -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "model": "glm-5"}
    place.write([{"id": "a", "prompt": "abcd"}, {"custom_id": "b", "body": body}])
    open_, named = preview(place.job(provider={}), provider_named("glm"), io.BytesIO(), 2)
    assert open_["request"] == {
        "model": STAND_IN,
        "messages": [{"role": "user", "content": "abcd"}],
    }
    assert open_["key"] is None
    assert named["request"] == body
    assert named["key"] is not None


def test_only_chosen_rows_are_looked_at(place: Place) -> None:
    lines: list[str] = []
    provider = provider_named("glm")
    place.write([*({"id": f"id-{n}", "prompt": "abcd"} for n in range(10)), "["])
    found = check(place.job(), provider, io.BytesIO(), lines.append, Portion(limit=4))
    assert (found.rows, found.bad, lines) == (4, 0, [])
    drawn = [
        [row["row"] for row in preview(place.job(), provider, io.BytesIO(), 11, Portion(sample=n))]
        for n in (3, 6)
    ]
    assert [len(rows) for rows in drawn] == [3, 6]
    assert set(drawn[0]) < set(drawn[1])


def test_the_tokens_of_all_samples_are_counted(place: Place) -> None:
    provider = provider_named("glm")
    once = check(place.job(), provider, io.BytesIO(), print)
    job = place.job(sampling={"samples": 5})
    found = check(job, provider, io.BytesIO(), print)
    assert found.prompt_tokens == 5 * once.prompt_tokens
    assert "in the good ones, 5 times each (" in list(found.lines())[1]


def test_preview_shows_how_the_provider_is_asked_for_a_value(place: Place) -> None:
    place.write([{"id": "a", "prompt": "abcd"}])
    job = place.job(output={"fields": {"label": ["pos", "neg"]}})
    providers = (provider_named("glm"), provider_named("openai"))
    told, shown = (next(preview(job, one, io.BytesIO(), 1))["request"] for one in providers)
    assert "JSON Schema:" in str(told)
    assert "json_object" in str(told)
    assert "JSON Schema:" not in str(shown)
    assert "json_schema" in str(shown)
