"""What can be said of an input before any call."""

from __future__ import annotations

import io

from batcher.providers import provider_named
from batcher.runs import STAND_IN, check, preview
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


def test_preview_shows_how_the_provider_is_asked_for_a_value(place: Place) -> None:
    place.write([{"id": "a", "prompt": "abcd"}])
    job = place.job(output={"fields": {"label": ["pos", "neg"]}})
    providers = (provider_named("glm"), provider_named("openai"))
    told, shown = (next(preview(job, one, io.BytesIO(), 1))["request"] for one in providers)
    assert "JSON Schema:" in str(told)
    assert "json_object" in str(told)
    assert "JSON Schema:" not in str(shown)
    assert "json_schema" in str(shown)
