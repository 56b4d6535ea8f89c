"""From options to a job."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.pictures import bare, picture

Batcher = Callable[..., Result]


def _request(done: Result) -> Any:  # noqa: ANN401 -- a request is any JSON object
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["request"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("temperature=0.2", 0.2),
        ("temperature=1", 1),
        ("temperature=true", True),
        ("temperature=hot", "hot"),
        ("temperature=NaN", "NaN"),
        ('temperature={"type":"disabled"}', {"type": "disabled"}),
        ("temperature=a=b", "a=b"),
        ("temperature=", ""),
    ],
)
def test_a_parameter_is_json_where_it_is_json_and_text_elsewhere(
    batcher: Batcher, text: str, value: object
) -> None:
    done = batcher("preview", "prompts.jsonl", "-n", "1", "-m", "glm-4-flash", "-p", text)
    assert _request(done)["temperature"] == value


def test_a_parameter_without_a_name_or_value_is_a_usage_error(batcher: Batcher) -> None:
    done = batcher("preview", "prompts.jsonl", "-m", "glm-4-flash", "-p", "temperature")
    assert done.exit_code == 2
    assert "NAME=VALUE" in done.stderr


def test_flags_win_over_the_job_file(batcher: Batcher, folder: Path) -> None:
    (folder / "job.toml").write_text(
        'input = ["prompts.jsonl"]\n'
        '[provider]\nmodel = "glm-5"\n'
        "[parameters]\ntemperature = 0.1\nmax_tokens = 5\n"
    )
    done = batcher("preview", "--job", "job.toml", "-n", "1", "-m", "glm-4.7", "-p", "max_tokens=9")
    request = _request(done)
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("glm-4.7", 0.1, 9)


def test_an_unknown_key_of_a_job_file_names_the_nearest_one(batcher: Batcher, folder: Path) -> None:
    (folder / "job.toml").write_text('[provider]\nmodle = "glm-5"\n')
    done = batcher("preview", "prompts.jsonl", "--job", "job.toml")
    assert done.exit_code == 78
    assert "job.toml" in done.stderr
    assert "did you mean `model`?" in done.stderr


def test_a_value_out_of_range_names_table_and_key(batcher: Batcher) -> None:
    done = batcher("preview", "prompts.jsonl", "-m", "glm-5", "--concurrency", "0")
    assert done.exit_code == 78
    assert "[limits] concurrency = 0" in done.stderr


def test_an_answer_must_be_allowed_some_size(batcher: Batcher) -> None:
    done = batcher("preview", "prompts.jsonl", "-m", "glm-5", "--max-response-bytes", "10")
    assert done.exit_code == 78
    assert "[limits] max_response_bytes = 10" in done.stderr


def test_samples_are_between_1_and_1000(batcher: Batcher) -> None:
    for samples in ("0", "1001"):
        done = batcher("preview", "prompts.jsonl", "-m", "glm-5", "--samples", samples)
        assert done.exit_code == 78
        assert f"[sampling] samples = {samples}: " in done.stderr


def test_a_parameter_that_looks_misspelt_is_sent_with_a_warning(batcher: Batcher) -> None:
    done = batcher("preview", "prompts.jsonl", "-n", "1", "-m", "glm-5", "-p", "temprature=0.5")
    assert _request(done)["temprature"] == 0.5
    assert "`temprature` is sent as it is; did you mean `temperature`?" in done.stderr


def test_a_directory_that_is_not_there_is_told_with_the_nearest(
    batcher: Batcher, folder: Path
) -> None:
    (folder / "prompts.batch").mkdir()
    done = batcher("head", "prompts.bach")
    assert done.exit_code == 2
    assert "'prompts.bach' does not exist; did you mean `prompts.batch`?" in done.stderr
    assert "'nowhere/at/all' does not exist.\n" in batcher("head", "nowhere/at/all").stderr


def test_an_input_that_is_not_there_is_told_with_the_nearest(batcher: Batcher) -> None:
    done = batcher("check", "promts.jsonl")
    assert done.exit_code == 2
    assert "no such file: promts.jsonl; did you mean `prompts.jsonl`?" in done.stderr


def test_fields_on_the_command_line_are_choices_or_types(batcher: Batcher) -> None:
    fields = ("--field", "label=pos, neg", "--field", "tags=string[]", "--field", "score=number?")
    done = batcher("preview", "prompts.jsonl", "-n", "1", "-m", "glm-4-flash", *fields)
    (system, _) = _request(done)["messages"]
    schema = json.loads(system["content"].rpartition("\n")[2])
    assert schema["properties"] == {
        "label": {"type": "string", "enum": ["pos", "neg"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "score": {"type": ["number", "null"]},
    }


@pytest.mark.parametrize("field", ["label", "=number", "label="])
def test_a_field_without_a_name_or_a_type_is_a_usage_error(batcher: Batcher, field: str) -> None:
    done = batcher("preview", "prompts.jsonl", "-m", "glm-4-flash", "--field", field)
    assert done.exit_code == 2
    assert "NAME=TYPE" in done.stderr


def test_an_unknown_type_of_a_field_is_told_which_there_are(batcher: Batcher) -> None:
    done = batcher("check", "prompts.jsonl", "--field", "label=text")
    assert done.exit_code == 78
    assert "[output.fields] label = 'text': write one of string, integer" in done.stderr


def test_a_schema_is_read_from_the_working_directory(batcher: Batcher, folder: Path) -> None:
    schema = {"type": "object", "properties": {"label": {"type": "string"}}}
    (folder / "label.json").write_text(json.dumps(schema))
    done = batcher("preview", "prompts.jsonl", "-n", "1", "-m", "m", "--schema", "label.json")
    assert json.dumps(schema, separators=(",", ":")) in _request(done)["messages"][0]["content"]


@pytest.mark.parametrize("provider", ["glm", "openai", "deepseek"])
def test_a_run_takes_these_options_and_ends_with_the_columns(
    batcher: Batcher, folder: Path, provider: str
) -> None:
    options = ("--field", "label=pos,neg", "--repair-attempts", "0", "--sim-latency", "0")
    command = ("run", "prompts.jsonl", "--simulate", "--provider", provider)
    assert batcher(*command, *options).exit_code == 0
    job = json.loads((folder / "prompts.batch" / "run.json").read_text())["job"]
    assert job["output"]["fields"] == {"label": ["pos", "neg"]}
    assert job["output"]["repair_attempts"] == 0
    row = json.loads(batcher("head", "prompts.batch", "-n", "1").stdout)
    assert row["out.label"] in ("pos", "neg")


def test_openai_of_another_maker_is_told_the_schema_and_openai_is_not(
    batcher: Batcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address may come from the environment, as in a run."""
    command = ("preview", "prompts.jsonl", "-n", "1", "-m", "m", "--provider", "openai")
    field = ("--field", "label=pos,neg")
    own = _request(batcher(*command, *field))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")
    other = _request(batcher(*command, *field))
    assert own["response_format"] == other["response_format"]
    assert [len(one["messages"]) for one in (own, other)] == [1, 2]


def test_images_and_tools_are_named_by_options(batcher: Batcher, folder: Path) -> None:
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").write_bytes(picture("PNG"))
    tool = {"type": "function", "function": {"name": "look"}}
    (folder / "tools.json").write_text(json.dumps([tool]))
    row = {"prompt": "What?", "photo": "a.png", "links": ["https://a/b.png"], "own": [tool]}
    (folder / "rows.jsonl").write_text(json.dumps(row))
    images = ("--image-column", "photo", "--image-column", "links", "--images-from", "pictures")
    words = ("preview", "rows.jsonl", "-m", "glm-4.6v", *images)
    for tools in (("-p", "tools=@tools.json"), ("--tools-column", "own")):
        request = _request(batcher(*words, *tools))
        assert request["tools"] == [tool]
        (message,) = request["messages"]
        urls = [part["image_url"]["url"] for part in message["content"][1:]]
        assert urls == [bare(picture("PNG")), "https://a/b.png"]


def test_an_image_outside_of_its_folder_is_told_with_the_way_out(
    batcher: Batcher, folder: Path
) -> None:
    row = {"prompt": "What?", "photo": "/etc/hostname"}
    (folder / "rows.jsonl").write_text(json.dumps(row))
    done = batcher("check", "rows.jsonl", "-m", "glm-4.6v", "--image-column", "photo")
    assert done.exit_code == 65
    assert "rows.jsonl:1: invalid_row: the image in column `photo`: '/etc/hostname'" in done.stdout
    assert "--images-from" in done.stdout


def test_tools_beside_a_wanted_value_are_refused_also_as_a_column(batcher: Batcher) -> None:
    words = ("preview", "prompts.jsonl", "-m", "glm-4.7", "--field", "label=a,b")
    done = batcher(*words, "--tools-column", "tools")
    assert done.exit_code == 78
    assert "tools" in done.stderr


def test_a_cache_for_answers_that_nobody_shares_is_refused_in_time(batcher: Batcher) -> None:
    done = batcher("preview", "prompts.jsonl", "-m", "m", "--cache", "answers", "--no-dedup")
    assert done.exit_code == 78
    assert "the command line: [reuse] cache and dedup = false contradict each other" in done.stderr
    assert batcher("preview", "prompts.jsonl", "-m", "m", "--cache", "answers").exit_code == 0
