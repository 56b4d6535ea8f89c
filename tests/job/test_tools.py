"""Tools that a model may call: read from files, and checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batcher.errors import ConfigurationError
from batcher.job import fault_of_tools, load_job
from batcher.job.tools import MOST_TOOLS

WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
}


def named(name: object, **fields: object) -> dict[str, object]:
    return {"type": "function", "function": {"name": name, **fields}}


@pytest.mark.parametrize(
    "tools",
    [
        [],
        [WEATHER, named("other"), {"type": "web_search", "web_search": {"enable": True}}],
        [named("a" * 64), named("A-b_9")],
        [named(f"f{number}") for number in range(MOST_TOOLS)],
    ],
)
def test_what_the_api_takes_is_without_fault(tools: object) -> None:
    assert fault_of_tools(tools) is None


@pytest.mark.parametrize(
    ("tools", "fault"),
    [
        ({}, "an object in place of a list such as"),
        ("tools.json", "of type str in place of a list"),
        ([named(f"f{number}") for number in range(129)], "129 tools, where 128 are the most"),
        ([WEATHER, 7], "[1] is a number, not an object"),
        ([{"type": "functoin"}], "[0] has the type 'functoin', not one of function, retrieval,"),
        ([{"name": "f"}], "[0] has the type None, not one of"),
        ([{"name": "f"}], 'write {"type": "function", "function": {"name": ..., '),
        ([{"type": "function", "name": "f"}], "[0] has no object `function`; write"),
        ([named(None)], "[0] has the function name None; it takes 1 to 64 of letters"),
        ([named("get weather")], "[0] has the function name 'get weather'"),
        ([named("天气")], "[0] has the function name '天气'"),
        ([named("f\n")], "[0] has the function name"),
        ([named("a" * 65)], "[0] has the function name"),
        ([named("f"), named("f")], "[1] names the function 'f' a second time"),
        ([named("f", parameters=[])], "[0] has `parameters` of 'f' that are no JSON Schema"),
    ],
)
def test_a_fault_names_its_place_and_what_is_right(tools: object, fault: str) -> None:
    assert fault in str(fault_of_tools(tools))


def test_tools_of_a_file_are_read_from_the_jobs_folder(tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text("\ufeff" + json.dumps([WEATHER]), "utf-8")
    (tmp_path / "job.toml").write_text('[parameters]\ntools = "@tools.json"')
    assert load_job(tmp_path / "job.toml", {}).parameters == {"tools": [WEATHER]}


def test_tools_of_a_flag_are_read_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tools.json").write_text(json.dumps([WEATHER]))
    monkeypatch.chdir(tmp_path)
    job = load_job(None, {"parameters": {"tools": "@tools.json"}})
    assert job.parameters == {"tools": [WEATHER]}


def test_a_changed_file_of_tools_is_a_changed_job(tmp_path: Path) -> None:
    def settings(name: str) -> dict[str, object]:
        (tmp_path / "tools.json").write_text(json.dumps([named(name)]))
        flags = {"parameters": {"tools": f"@{tmp_path}/tools.json"}}
        return load_job(None, flags).request_settings()

    assert settings("a") != settings("b")
    assert settings("a") == settings("a")


def test_other_parameters_are_sent_as_they_are() -> None:
    assert load_job(None, {"parameters": {"user_id": "@tools"}}).parameters == {"user_id": "@tools"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the tools .*tools.json: No such file"),
        (b"[", "the tools .*tools.json are no JSON"),
        (b"\xff", "the tools .*tools.json are no JSON"),
        (b"{}", r"the command line: \[parameters\] tools: an object in place of a list"),
    ],
)
def test_a_file_that_holds_no_tools_is_an_error_of_the_job(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "tools.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        load_job(None, {"parameters": {"tools": f"@{tmp_path}/tools.json"}})


def test_wrong_tools_are_an_error_of_the_job_that_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text('[[parameters.tools]]\ntype = "functoin"')
    with pytest.raises(ConfigurationError, match=r"job.toml: \[parameters\] tools: \[0\] has"):
        load_job(tmp_path / "job.toml", {})
