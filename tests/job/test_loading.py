"""A job file and flags, made into one valid job."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from batcher.errors import ConfigurationError, UsageError
from batcher.job import (
    RESERVED_PARAMETERS,
    AlertsSpec,
    JobSpec,
    LimitSpec,
    OutputSpec,
    PriceSpec,
    PromptSpec,
    ProviderSpec,
    ReuseSpec,
    WebhookSpec,
    job_with,
    load_job,
    plain_job,
)
from batcher.job.spec import TABLES
from batcher.job.table import Table

WHOLE = """
input = ["a.jsonl", "/data/b.parquet", "-"]

[provider]
name = "zai"
base_url = "http://localhost:8000/v1"
model = "glm-4.7"
auth = "jwt"
api_key_file = "key.txt"
stream = true
allow_empty = true
allowed_models = ["glm-4.7", "glm-4-flash"]
trust_env = true

[parameters]
temperature = 0
thinking = {type = "disabled"}

[prompt]
template = "Say {{ word }}"
system_template = "Be brief"
prompt_column = "question"
messages_column = "dialog"
id_column = "name"

[limits]
concurrency = 3
timeout = 60
connect_timeout = 2.5
idle_timeout = 30
max_attempts = 5
max_wait = 100
max_response_bytes = 4096

[output]
directory = "out"
allow_errors = "1%"
"""


def _refused(path: Path | None, flags: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as raised:
        load_job(path, flags)
    assert raised.value.exit_code == 78
    return str(raised.value)


# What a file says


def test_every_key_of_a_file_is_read_and_its_paths_are_relative_to_it(job_file: Path) -> None:
    job_file.write_text(WHOLE)
    folder = str(job_file.parent)
    assert load_job(job_file, {}) == JobSpec(
        input=(f"{folder}/a.jsonl", "/data/b.parquet", "-"),
        provider=ProviderSpec(
            name="zai",
            base_url="http://localhost:8000/v1",
            model="glm-4.7",
            auth="jwt",
            api_key_file=f"{folder}/key.txt",
            stream=True,
            allow_empty=True,
            allowed_models=("glm-4.7", "glm-4-flash"),
            trust_env=True,
        ),
        parameters={"temperature": 0, "thinking": {"type": "disabled"}},
        prompt=PromptSpec(
            template="Say {{ word }}",
            system_template="Be brief",
            prompt_column="question",
            messages_column="dialog",
            id_column="name",
        ),
        limits=LimitSpec(
            concurrency=3,
            timeout=60.0,
            connect_timeout=2.5,
            idle_timeout=30.0,
            max_attempts=5,
            max_wait=100.0,
            max_response_bytes=4096,
        ),
        output=OutputSpec(directory=f"{folder}/out", allow_errors="1%"),
    )


def test_an_input_that_is_one_may_stand_without_a_list(tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text('input = "a.jsonl"\n')
    assert load_job(file, {}).input == (str(tmp_path / "a.jsonl"),)
    file.write_text('input = "a.jsonl"\n[provider]\nmodle = "glm-4.7"\n')
    with pytest.raises(ConfigurationError, match="unknown key `modle`"):
        load_job(file, {})


def test_a_job_cannot_be_changed(job_file: Path) -> None:
    job_file.write_text(WHOLE)
    job = load_job(job_file, {})
    for value in (job, job.provider, job.prompt, job.limits, job.output):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(value, value.__struct_fields__[0], None)


def test_a_file_saved_with_a_byte_order_mark_is_read(job_file: Path) -> None:
    job_file.write_text('[provider]\nmodel = "模型"\n', "utf-8-sig")
    assert load_job(job_file, {}).provider.model == "模型"


def test_templates_named_by_a_sign_are_read_from_the_folder_of_the_file(job_file: Path) -> None:
    (job_file.parent / "templates").mkdir()
    (job_file.parent / "templates" / "p.j2").write_text("标注 {{ x }}\n", "utf-8-sig")
    job_file.write_text('[prompt]\ntemplate = "@templates/p.j2"\nprompt_column = "@x"')
    prompt = load_job(job_file, {}).prompt
    assert (prompt.template, prompt.prompt_column) == ("标注 {{ x }}\n", "@x")


# Flags


def test_a_flag_wins_over_the_file_and_the_rest_of_its_table_stays(job_file: Path) -> None:
    job_file.write_text(WHOLE)
    job = load_job(
        job_file,
        {"provider": {"model": "glm-5"}, "limits": {"concurrency": 9}, "input": ["other.jsonl"]},
    )
    assert (job.provider.model, job.provider.name) == ("glm-5", "zai")
    assert (job.limits.concurrency, job.limits.timeout) == (9, 60.0)
    assert job.input == ("other.jsonl",)


def test_a_parameter_given_as_a_flag_replaces_the_whole_value(job_file: Path) -> None:
    """What is left of an old table under a new one would be no one's wish."""
    job_file.write_text('[parameters.thinking]\ntype = "enabled"\nclear_thinking = true')
    job = load_job(job_file, {"parameters": {"thinking": {"type": "disabled"}}})
    assert job.parameters == {"thinking": {"type": "disabled"}}


def test_a_flag_that_is_none_takes_the_value_of_the_file_away(job_file: Path) -> None:
    job_file.write_text("[parameters]\ntemperature = 0.5\ntop_p = 0.9")
    assert load_job(job_file, {"parameters": {"top_p": None}}).parameters == {"temperature": 0.5}
    assert load_job(None, {"parameters": {"seed": None}}).parameters == {}


def test_paths_of_flags_are_relative_to_the_working_directory(
    job_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_file.write_text(WHOLE)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "t.j2").write_text("from the working directory")
    monkeypatch.chdir(tmp_path / "work")
    job = load_job(
        job_file,
        {
            "input": ["b.jsonl"],
            "provider": {"api_key_file": "k"},
            "output": {"directory": "d"},
            "reuse": {"cache": "c"},
            "prompt": {"template": "@t.j2"},
        },
    )
    assert job.input == ("b.jsonl",)
    assert (job.provider.api_key_file, job.output.directory) == ("k", "d")
    assert job.reuse.cache == "c"
    assert job.prompt.template == "from the working directory"


_PRICE = {"input": 1, "output": 2, "currency": "CNY"}


def test_prices_are_by_model_and_change_no_request(job_file: Path) -> None:
    job_file.write_text(WHOLE)
    before = load_job(job_file, {})
    job_file.write_text(f'{WHOLE}\n[prices."glm-4.7"]\ninput = 2\noutput = 8.5\ncurrency = "CNY"\n')
    job = load_job(job_file, {})
    assert job.prices == {"glm-4.7": PriceSpec(input=2, output=8.5, currency="CNY")}
    assert job.request_settings() == before.request_settings()


# What is refused


def test_prices_in_several_currencies_are_refused() -> None:
    prices = {"a": _PRICE, "b": {**_PRICE, "currency": "USD"}}
    assert "[prices] are in CNY and USD" in _refused(None, {"prices": prices})


@pytest.mark.parametrize(
    ("table", "typo", "nearest"),
    [
        (None, "provder", "provider"),
        ("provider", "modle", "model"),
        ("prompt", "tempalte", "template"),
        ("limits", "concurency", "concurrency"),
        ("output", "directry", "directory"),
    ],
)
def test_an_unknown_key_is_told_its_nearest_in_every_table(
    job_file: Path, table: str | None, typo: str, nearest: str
) -> None:
    head = f"[{table}]\n" if table else ""
    job_file.write_text(f"{head}{typo} = 1")
    place = f" in [{table}]" if table else ""
    assert _refused(job_file, {}) == (
        f"{job_file}: unknown key `{typo}`{place}; did you mean `{nearest}`?"
    )


def test_an_unknown_key_like_no_other_is_told_all_there_are() -> None:
    assert _refused(None, {"output": {"zzz": 1}}) == (
        "the command line: unknown key `zzz` in [output]; known: directory, to, sync, "
        "sync_checkpoint, sync_every, allow_errors, schema, fields, repair_attempts"
    )


@pytest.mark.parametrize("at", [None, "limits"])
def test_a_key_in_the_wrong_place_is_told_where_it_belongs(at: str | None) -> None:
    flags: dict[str, Any] = {at: {"model": "m"}} if at else {"model": "m"}
    assert _refused(None, flags).endswith("; it belongs under [provider]")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            {"limits": {"concurrency": 0}},
            "[limits] concurrency = 0: takes a whole number, at least 1",
        ),
        (
            {"limits": {"concurrency": True}},
            "[limits] concurrency = True: takes a whole number or text",
        ),
        ({"limits": {"concurrency": "all"}}, "concurrency = 'all': not one of a number, auto"),
        ({"limits": {"max_outage": "6"}}, "= '6': not a time such as \"90s\""),
        ({"ceilings": {"max_duration": ""}}, "= '': not a time such as"),
        ({"ceilings": {"max_cost": "5"}}, "= '5': not an amount and its currency"),
        ({"ceilings": {"deadline": "24:00"}}, "= '24:00': not a time of day"),
        ({"ceilings": {"max_error_rate": "5"}}, "= '5': not a share such as"),
        (
            {"ceilings": {"max_error_rate": 5}},
            '= 5: not a share such as "1%", at most "100%"; write "5%"',
        ),
        (
            {"ceilings": {"max_error_rate": 0.05}},
            '= 0.05: not a share such as "1%", at most "100%"',
        ),
        (
            {"ceilings": {"max_error_rate": True}},
            '= True: not a share such as "1%", at most "100%"',
        ),
        ({"ceilings": {"max_cost": 5}}, "= 5: not an amount and its currency"),
        ({"output": {"allow_errors": 0.05}}, "= 0.05: neither a number of rows nor a share"),
        ({"observe": {"metrics_port": "abc"}}, "metrics_port = 'abc': not a port such as 9400"),
        ({"observe": {"metrics_port": ":9400"}}, "metrics_port = ':9400': not a port such as"),
        (
            {"observe": {"metrics_port": 70000}},
            "metrics_port = 70000: takes a whole number, at most 65535",
        ),
        (
            {"ceilings": {"max_rows": 0}},
            "[ceilings] max_rows = 0: takes a whole number, at least 1",
        ),
        (
            {"provider": {"models": ["a", "b"], "fallback_on": ["busy"]}},
            "not one of overloaded, content_filtered, prompt_too_long",
        ),
        ({"provider": {"models": ["a", "b"]}}, "[provider] models and fallback_on go together"),
        ({"provider": {"fallback_on": ["overloaded"]}}, "models and fallback_on go together"),
        ({"limits": {"timeout": "9"}}, "[limits] timeout = '9': takes a number, not text"),
        ({"limits": {"timeout": 0}}, "[limits] timeout = 0: takes a number, more than 0"),
        ({"limits": {"timeout": float("nan")}}, "[limits] timeout = nan: takes a number"),
        ({"limits": {"timeout": float("inf")}}, "[limits] timeout = inf: takes a number, at most "),
        (
            {"limits": {"max_wait": float("inf")}},
            "[limits] max_wait = inf: takes a number, at most ",
        ),
        (
            {"provider": {"name": "gml"}},
            "'gml': not one of glm, zai, openai, deepseek; did you mean `glm`?",
        ),
        (
            {"provider": {"models": ["a", "b"], "fallback_on": ["overloaded", "contentfiltered"]}},
            "prompt_too_long; did you mean `content_filtered`?",
        ),
        ({"provider": {"auth": "basic"}}, "[provider] auth = 'basic': not one of bearer, jwt"),
        (
            {"provider": {"stream": 1}},
            "[provider] stream = 1: takes true or false, not a whole number",
        ),
        ({"provider": {"allowed_models": [3]}}, "= [3]: takes text, not a whole number"),
        ({"provider": {"allowed_models": [""]}}, "= ['']: takes text, of a length of at least 1"),
        ({"provider": {"trust_env": "yes"}}, "trust_env = 'yes': takes true or false, not text"),
        (
            {"limits": {"max_response_bytes": 1023}},
            "bytes = 1023: takes a whole number, at least 1024",
        ),
        ({"provider": {"model": 3}}, "[provider] model = 3: takes text, not a whole number"),
        ({"prompt": {"template": 3}}, "[prompt] template = 3: takes text, not a whole number"),
        ({"output": {"directory": 3}}, "[output] directory = 3: takes text, not a whole number"),
        (
            {"output": {"allow_errors": -1}},
            "[output] allow_errors = -1: takes a whole number, at least 0",
        ),
        ({"output": {"allow_errors": "few"}}, "= 'few': neither a number of rows nor a share"),
        ({"output": {"allow_errors": "150%"}}, "= '150%': neither a number of rows nor a share"),
        ({"output": {"allow_errors": "100.1%"}}, 'such as "1%", at most "100%"'),
        ({"output": {"allow_errors": "1%\n"}}, "neither a number of rows nor a share"),
        ({"provider": 3}, "the command line: provider: takes a table, not a whole number"),
        ({"prompt": 3}, "the command line: prompt: takes a table, not a whole number"),
        ({"parameters": []}, "the command line: parameters: takes a table, not a list"),
        ({"input": 3}, "the command line: input: takes a list, not a whole number"),
        ({"input": [3]}, "the command line: input[0]: takes text, not a whole number"),
        ({"provider": {"name": "g\nlm"}}, "[provider] name = 'g\\nlm': not one of glm, "),
        ({"prices": 3}, "the command line: prices: takes a table, not a whole number"),
        ({"prices": {"m": {"input": 1}}}, '[prices."m"]: missing key `output`'),
        ({"prices": {"m": {**_PRICE, "input": -1}}}, '[prices."m"] input = -1: takes a number'),
        ({"prices": {"m": {**_PRICE, "output": float("nan")}}}, "output = nan: takes a number"),
        (
            {"prices": {"m": {**_PRICE, "cached": 1e7}}},
            "cached = 10000000.0: takes a number, at most ",
        ),
        (
            {"prices": {"m": {**_PRICE, "context": 0}}},
            "context = 0: takes a whole number, at least 1",
        ),
        ({"prices": {"m": {**_PRICE, "currency": "cny"}}}, "= 'cny': not the three capital lett"),
        ({"prices": {"m": {**_PRICE, "inptu": 1}}}, '[prices."m"]; did you mean `input`?'),
        ({"prices": {"glm-4": {"7": _PRICE}}}, 'takes quotes, [prices."glm-4.7"]'),
        ({"pro\nvider": 3}, "unknown key `pro\nvider`; did you mean `provider`?"),
    ],
)
def test_a_wrong_value_is_named_with_its_table_and_key(flags: dict[str, Any], said: str) -> None:
    message = _refused(None, flags)
    assert message.startswith("the command line: ")
    assert said in message


FALLING_BACK = """
[provider]
models = ["glm-5.1", "glm-4.7"]
fallback_on = ["overloaded"]
"""


def test_the_first_of_several_models_is_the_model(job_file: Path) -> None:
    job_file.write_text(FALLING_BACK)
    job = load_job(job_file, {})
    assert job.provider.model == "glm-5.1"
    assert job.provider.models == ("glm-5.1", "glm-4.7")


def test_a_model_that_is_given_stands_alone(job_file: Path) -> None:
    job_file.write_text(FALLING_BACK)
    job = load_job(job_file, {"provider": {"model": "glm-5"}})
    assert job.provider.model == "glm-5"
    assert (job.provider.models, job.provider.fallback_on) == ((), ())


def test_a_model_that_is_not_the_first_of_several_contradicts_them(job_file: Path) -> None:
    job_file.write_text(f'{FALLING_BACK}model = "glm-4.7"\n')
    assert "model = 'glm-4.7' is not the first of models" in _refused(job_file, {})


@pytest.mark.parametrize("name", RESERVED_PARAMETERS)
def test_a_parameter_that_the_run_decides_cannot_be_set(name: str) -> None:
    assert _refused(None, {"parameters": {name: 1}}) == (
        f"the command line: the parameter `{name}` cannot be set: {RESERVED_PARAMETERS[name]}"
    )


@pytest.mark.parametrize("value", ["nan", "[1, inf]", "2026-01-01", "{a = 07:32:00}"])
def test_a_parameter_that_json_does_not_hold_is_refused(job_file: Path, value: str) -> None:
    job_file.write_text(f"[parameters]\nodd = {value}")
    assert "the parameter `odd` is " in _refused(job_file, {})


def test_a_parameter_of_broken_text_is_refused() -> None:
    """As a shell may hand it over, in another encoding."""
    assert "the parameter `stop` is 'a\\udcff'" in _refused(
        None, {"parameters": {"stop": "a\udcff"}}
    )


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"output": {"directory": "out\udcff"}}, r"[output] directory: out\xff is not UTF-8"),
        ({"output": {"sync_checkpoint": "a\udcff"}}, r"[output] sync_checkpoint: a\xff is not"),
        ({"prompt": {"template": "\udcb5"}}, r"[prompt] template: \xb5 is not UTF-8"),
        ({"input": ["a.jsonl", "b\udcff.jsonl"]}, r"input: b\xff.jsonl is not UTF-8"),
        ({"reuse": {"cache": "c\udcff"}}, r"[reuse] cache: c\xff is not UTF-8"),
    ],
)
def test_what_is_no_utf_8_on_the_command_line_is_refused(flags: dict[str, Any], said: str) -> None:
    """It could be written into no checkpoint, and into no JSON."""
    with pytest.raises(UsageError) as raised:
        load_job(None, flags)
    assert f"the command line: {said}" in str(raised.value)


def test_so_is_the_folder_of_a_job_file(tmp_path: Path) -> None:
    """Since its paths become relative to it."""
    folder = tmp_path / "j\udcff"
    folder.mkdir()
    (folder / "job.toml").write_text("")
    with pytest.raises(UsageError, match=r"j\\xff/job\.toml is not UTF-8"):
        load_job(folder / "job.toml", {})


def test_a_file_that_is_no_toml_is_told_its_line(job_file: Path) -> None:
    job_file.write_text('[provider]\nmodel = "m"\nname = \n')
    message = _refused(job_file, {})
    assert message.startswith(f"the job file {job_file} is not TOML: ")
    assert "line 3" in message


def test_a_file_that_is_no_utf_8_is_refused(job_file: Path) -> None:
    job_file.write_bytes(b'model = "\xff"')
    assert _refused(job_file, {}).startswith(f"the job file {job_file} is not TOML: ")


def test_a_file_that_is_not_there_is_named(job_file: Path) -> None:
    assert (
        _refused(job_file, {}) == f"cannot read the job file {job_file}: No such file or directory"
    )


def test_a_template_that_is_not_there_is_named() -> None:
    assert _refused(None, {"prompt": {"template": "@gone.j2"}}) == (
        "cannot read the template gone.j2: No such file or directory"
    )


def test_a_sign_without_a_file_is_told_what_belongs_behind_it() -> None:
    assert _refused(None, {"prompt": {"template": "@"}}) == (
        "the template `@` names no file; write @FILE, or the text itself"
    )


def test_a_template_that_is_no_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_bytes("标注".encode("gbk"))
    message = _refused(None, {"prompt": {"system_template": f"@{tmp_path}/t.j2"}})
    assert message.startswith(f"the template {tmp_path}/t.j2 is not UTF-8")


def test_a_key_has_no_place_in_a_job_and_is_not_printed() -> None:
    message = _refused(None, {"provider": {"api_key": "canary-id.canary-secret"}})
    assert "did you mean `api_key_file`?" in message
    assert "canary" not in message
    names = {name for table in TABLES.values() for name in table.__struct_fields__}
    assert {name for name in names if re.search("key|secret|token", name)} == {
        "api_key_file",
        "max_tokens_total",
    }


def test_every_table_of_a_job_is_known_to_its_error_messages() -> None:
    hints = get_type_hints(JobSpec)
    tables = {name: kind for name, kind in hints.items() if hasattr(kind, "__struct_fields__")}
    assert tables == {**TABLES, "alerts": AlertsSpec}


_TABLES: dict[str, type[Table]] = {
    **TABLES,
    "alerts": AlertsSpec,
    "prices": PriceSpec,
    "webhooks": WebhookSpec,
}


def _keys_with_a_pattern() -> list[tuple[str, str]]:
    """Return table and key of each value whose text must be like a pattern."""
    return [
        (name, field.name)
        for name, table in _TABLES.items()
        for field in msgspec.structs.fields(table)
        if "pattern=" in repr(field.type)
    ]


@pytest.mark.parametrize(("table", "key"), _keys_with_a_pattern())
def test_every_key_with_a_pattern_is_explained_without_it(table: str, key: str) -> None:
    wrong: dict[str, Any] = {key: "\n"}
    tables: dict[str, Any] = {table: wrong}
    if table == "prices":
        tables = {table: {"m": {**_PRICE, **wrong}}}
    elif table == "webhooks":
        tables = {"alerts": {table: [wrong]}}
    said = _refused(None, tables)
    assert re.search(rf"\b{key}( = '\\n')?: n(ot|either) ", said, re.ASCII)
    assert "regex" not in said


def test_every_key_stands_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "job-file.md").read_text("utf-8")
    whole, short = map(msgspec.toml.decode, re.findall(r"```toml\n(.*?)```", text, re.DOTALL))
    # What does not go with a schema stands apart, or as a comment.
    example = {**whole, "output": whole["output"] | short["output"]}
    assert "# tools_column = " in text
    example["prompt"]["tools_column"] = "tools"
    for name, table in TABLES.items():
        assert set(example[name]) == set(table.__struct_fields__)
    assert set(example["alerts"]) == set(AlertsSpec.__struct_fields__)
    webhooks = example["alerts"]["webhooks"]
    assert {key for webhook in webhooks for key in webhook} == set(WebhookSpec.__struct_fields__)
    assert set(example) == set(JobSpec.__struct_fields__)
    assert set(get_args(get_type_hints(ProviderSpec)["name"])) <= set(re.findall(r"\w+", text))


# What answers hold

SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}


def test_the_schema_that_a_file_names_becomes_part_of_the_job(job_file: Path) -> None:
    (job_file.parent / "label.json").write_text(json.dumps(SCHEMA), "utf-8-sig")
    job_file.write_text('[output]\nschema = "label.json"\nrepair_attempts = 0\n')
    job = load_job(job_file, {})
    assert (job.output.schema, job.output.repair_attempts) == (SCHEMA, 0)
    assert json.dumps(job.output.schema) == json.dumps(SCHEMA)  # and in the same order
    assert job.request_settings()["output.schema"] == SCHEMA
    assert msgspec.to_builtins(job)["output"]["schema"] == SCHEMA


def test_the_schema_of_a_flag_is_read_from_the_working_directory_or_is_the_value_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "label.json").write_text(json.dumps(SCHEMA))
    monkeypatch.chdir(tmp_path)
    for given in ("label.json", SCHEMA):
        assert load_job(None, {"output": {"schema": given}}).output.schema == SCHEMA


def test_fields_are_kept_as_they_are_written_and_shape_requests(job_file: Path) -> None:
    job_file.write_text('[output.fields]\nlabel = ["pos", "neg"]\nwho = {name = "string?"}\n')
    job = load_job(job_file, {})
    assert job.output.fields == {"label": ["pos", "neg"], "who": {"name": "string?"}}
    assert job.request_settings()["output.fields"] == job.output.fields


@pytest.mark.parametrize("given", [{"schema": SCHEMA}, {"fields": {"label": "string"}}])
@pytest.mark.parametrize("written", ["schema = {type = 'object'}", "fields = {x = 'integer'}"])
def test_a_schema_or_fields_of_a_flag_take_the_place_of_either_in_the_file(
    job_file: Path, given: dict[str, Any], written: str
) -> None:
    job_file.write_text(f"[output]\nsync = 'row'\n{written}\n")
    output = load_job(job_file, {"output": given}).output
    assert output == OutputSpec(sync="row", **given)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ({"schema": SCHEMA, "fields": {"a": "string"}}, "[output] schema and fields both say"),
        ({"schema": "gone.json"}, "cannot read the schema gone.json: No such file"),
        ({"schema": 5}, "[output] schema = 5: takes a table"),
        ({"fields": "label"}, "[output] fields = 'label': takes a table"),
        ({"schema": {"default": date(2026, 1, 1)}}, "[output] schema holds a value that is no"),
        (
            {"repair_attempts": 11},
            "[output] repair_attempts = 11: takes a whole number, at most 10",
        ),
        (
            {"repair_attempts": -1},
            "[output] repair_attempts = -1: takes a whole number, at least 0",
        ),
        ({"repair_attempt": 1}, "did you mean `repair_attempts`?"),
    ],
)
def test_what_is_wrong_with_what_answers_hold_is_told(output: dict[str, Any], said: str) -> None:
    assert said in _refused(None, {"output": output})


@pytest.mark.parametrize("content", ["{", "[]", "5", '{"a": "\udc00"}', "[" * 100_000])
def test_a_schema_file_that_holds_no_object_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "label.json"
    path.write_bytes(content.encode(errors="surrogatepass"))
    assert f"the schema {path} is no JSON object" in _refused(
        None, {"output": {"schema": str(path)}}
    )


@pytest.mark.parametrize("output", [{"schema": SCHEMA}, {"fields": {"a": "string"}}])
def test_tools_and_a_value_in_each_answer_contradict_each_other(output: dict[str, Any]) -> None:
    said = "tools let the model call a function"
    assert said in _refused(None, {"output": output, "parameters": {"tools": []}})
    assert said in _refused(None, {"output": output, "prompt": {"tools_column": "tools"}})


# Settings and allowances


def test_a_job_asks_another_model_and_stays_the_same_otherwise(job_file: Path) -> None:
    job_file.write_text(WHOLE)
    job = load_job(job_file, {})
    assert job.with_model("glm-5") == load_job(job_file, {"provider": {"model": "glm-5"}})
    assert job.provider.model == "glm-4.7"


def test_settings_are_what_shapes_requests_and_nothing_else(job_file: Path) -> None:
    job_file.write_text(WHOLE)
    assert load_job(job_file, {}).request_settings() == {
        "model": "glm-4.7",
        "provider.allowed_models": ["glm-4.7", "glm-4-flash"],
        "sampling.samples": 1,
        "parameters.temperature": 0,
        "parameters.thinking": {"type": "disabled"},
        "prompt.template": "Say {{ word }}",
        "prompt.system_template": "Be brief",
        "prompt.prompt_column": "question",
        "prompt.messages_column": "dialog",
        "prompt.id_column": "name",
    }


def test_a_cache_of_a_job_lies_beside_it(job_file: Path) -> None:
    job_file.write_text('[reuse]\ncache = "answers.cache"')
    job = load_job(job_file, {"reuse": {"dedup": True}})
    assert job.reuse == ReuseSpec(dedup=True, cache=str(job_file.parent / "answers.cache"))


def test_a_cache_for_answers_that_nobody_shares_is_refused(job_file: Path) -> None:
    """It would answer the second of two rows that ask the same by the answer to the first."""
    job_file.write_text('[reuse]\ncache = "answers.cache"')
    with pytest.raises(ConfigurationError, match="Leave one of the two out; for several answers"):
        load_job(job_file, {"reuse": {"dedup": False}})
    assert load_job(job_file, {"reuse": {"dedup": False, "cache": None}}).reuse.dedup is False


# A job that is remembered


def test_a_remembered_job_is_the_same_job_and_flags_win_over_it() -> None:
    flags = {"input": ["a.jsonl"], "provider": {"model": "m"}, "parameters": {"temperature": 0.5}}
    job = load_job(None, {**flags, "limits": {"concurrency": 3, "rpm": 7}})
    remembered = json.loads(json.dumps(plain_job(job)))
    inputs = (str(Path("a.jsonl").absolute()),)
    assert job_with(remembered, {}, "the job") == msgspec.structs.replace(job, input=inputs)
    again = job_with(remembered, {"limits": {"concurrency": 9, "rpm": None}}, "the job")
    assert (again.limits.concurrency, again.limits.rpm) == (9, None)
    assert again.parameters == {"temperature": 0.5}


def test_a_key_file_and_a_cache_are_remembered_by_where_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job = load_job(None, {"provider": {"api_key_file": "keys.txt"}, "reuse": {"cache": "answers"}})
    assert plain_job(job)["provider"]["api_key_file"] == str(tmp_path / "keys.txt")
    assert plain_job(job)["reuse"]["cache"] == str(tmp_path / "answers")


def test_so_are_inputs_other_than_urls_and_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job = load_job(None, {"input": ["in", "day-*.jsonl", "s3://b/in/", "-"]})
    assert plain_job(job)["input"] == (
        *(f"{tmp_path}/in", f"{tmp_path}/day-*.jsonl"),
        *("s3://b/in/", "-"),
    )


def test_a_template_that_begins_with_an_at_sign_is_no_file_the_second_time(tmp_path: Path) -> None:
    (tmp_path / "ask.txt").write_text("@everyone {{ prompt }}")
    job = load_job(None, {"prompt": {"template": f"@{tmp_path / 'ask.txt'}"}})
    assert job_with(plain_job(job), {}, "the job").prompt.template == "@everyone {{ prompt }}"


@pytest.mark.parametrize(
    ("remembered", "flags", "said"),
    [
        (None, {}, "the job of x is not known"),
        ({"limit": {}}, {}, "the job of x: unknown key `limit`"),
        ({}, {"limits": {"rpm": 0}}, r"the job of x: \[limits\] rpm = 0"),
    ],
)
def test_what_is_no_job_any_more_is_said(
    remembered: object, flags: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        job_with(remembered, flags, "the job of x")


def test_the_folder_of_images_is_relative_to_the_job_file_and_any_is_any(job_file: Path) -> None:
    job_file.write_text('[prompt]\nimages_from = "photos"')
    assert load_job(job_file, {}).prompt.images_from == str(job_file.parent / "photos")
    job_file.write_text('[prompt]\nimages_from = "*"')
    assert load_job(job_file, {}).prompt.images_from == "*"


def test_image_columns_shape_requests_and_the_folder_of_images_does_not() -> None:
    def settings(**prompt: object) -> dict[str, object]:
        return load_job(None, {"prompt": prompt}).request_settings()

    assert settings(images_from="*") == settings()
    assert settings(image_columns=["photo"])["prompt.image_columns"] == ["photo"]
    assert settings(tools_column="tools")["prompt.tools_column"] == "tools"


@pytest.mark.parametrize("address", ["https://me:hunter2@h.example", "https://h/v1?key=hunter2"])
def test_a_secret_in_the_address_is_refused_before_a_job_is_written_down(
    job_file: Path, address: str
) -> None:
    job_file.write_text(f'[provider]\nbase_url = "{address}"')
    with pytest.raises(ConfigurationError, match=r"job\.toml: --base-url must") as refused:
        load_job(job_file, {})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"output": {"directory": "s3://b/run"}}, r"-o DIR, and .* --to s3://b/run"),
        ({"output": {"to": "b/out"}}, r"\[output\] to is a URL such as s3://bucket/folder"),
        ({"output": {"to": "s3://key:hunter2@b/out"}}, r"name or a password"),
        ({"output": {"to": "s3:/key:hunter2@b/out"}}, r"want of a slash: write s3://"),
        ({"output": {"sync_checkpoint": "https://h/copy"}}, r"nothing can be written to https://;"),
        ({"output": {"to": "https://h/out"}}, r"nothing can be written to https://;"),
        ({"output": {"sync_every": "5s"}}, r"sync_every does nothing without sync_checkpoint"),
        ({"output": {"sync_checkpoint": "s3:/b/copy"}}, r"want of a slash: write s3://"),
        ({"output": {"directory": "s3:/b/run"}}, r"want of a slash: write s3://"),
        ({"input": ["s3://b/a.jsonl?secret=hunter2"]}, r"settings in a URL"),
        ({"reuse": {"cache": "s3://b/cache"}}, r"\[reuse\] cache is on this machine, not at a URL"),
    ],
)
def test_a_url_stands_where_it_can_and_holds_no_secret(tables: dict[str, Any], said: str) -> None:
    with pytest.raises((ConfigurationError, UsageError), match=said) as refused:
        load_job(None, tables)
    assert "hunter2" not in str(refused.value)


def test_urls_of_a_job_file_are_no_paths_beside_it(job_file: Path) -> None:
    job_file.write_text('input = ["s3://b/a.jsonl", "b.jsonl"]\noutput = {to = "s3://b/out"}')
    job = load_job(job_file, {})
    assert job.input == ("s3://b/a.jsonl", str(job_file.parent / "b.jsonl"))
    assert plain_job(job)["output"]["to"] == "s3://b/out"
