"""What templates leave of numbers, None and paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batcher.airflow.rendered import as_meant, at_once, job_as_meant, or_none, renderable


@pytest.mark.parametrize(
    ("name", "text", "meant"),
    [
        ("limit", "20", 20),
        ("timeout", " 1.5 ", 1.5),
        ("report", "False", False),
        ("max_rows", "None", None),
        ("concurrency", "8", 8),
        ("concurrency", "auto", "auto"),
        ("shard", ("1", " 4 "), (1, 4)),
        ("shard", ["2", 4], (2, 4)),
        ("shard", "3/4", (3, 4)),
        ("shard", "None", None),
        ("max_cost", "None", None),
        ("output", "None", None),
        ("provider", "None", None),
        ("allow_errors", "None", None),
    ],
)
def test_text_becomes_what_the_option_takes(name: str, text: object, meant: object) -> None:
    assert as_meant({name: text}) == {name: meant}


@pytest.mark.parametrize(
    ("name", "number", "meant"),
    [
        ("output", 20261126, "20261126"),
        ("model", 5.1, "5.1"),
        ("allow_errors", 5, 5),
        ("timeout", 5, 5),
        ("report", True, True),
    ],
)
def test_a_number_becomes_text_where_only_that_is_taken(
    name: str, number: object, meant: object
) -> None:
    """A DAG that renders natively makes numbers of all that looks like one."""
    found = as_meant({name: number})
    assert found == {name: meant}
    assert type(dict(found)[name]) is type(meant)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", "5"),
        ("allow_errors", "5%"),
        ("limit", "many"),
        ("limit", 3),
        ("lmit", "3"),
        ("shard", "third"),
        ("shard", ("1", "four")),
        ("shard", 3),
    ],
)
def test_all_else_is_left_to_the_run(name: str, value: object) -> None:
    assert as_meant({name: value}) == {name: value}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"temperature": "0.2", "max_tokens": "64"}, {"temperature": 0.2, "max_tokens": 64}),
        ({"do_sample": "False", "seed": "None"}, {"do_sample": False}),
        ({"user": "5", "stop": ["1"], "seed": None}, {"user": "5", "stop": ["1"], "seed": None}),
    ],
)
def test_parameters_that_take_no_text_are_plain_values(
    given: dict[str, Any], meant: dict[str, Any]
) -> None:
    assert as_meant({"parameters": given}) == {"parameters": meant}
    assert job_as_meant({"parameters": given}) == {"parameters": meant}


def test_tables_of_a_job_are_read_as_options_are() -> None:
    job = {
        "input": ["3.jsonl"],
        "provider": {"model": 5, "name": "None"},
        "limits": {"concurrency": "8", "max_concurrency": "None", "slip": "3"},
        "ceilings": {"max_rows": "3", "max_cost": "None", "max_errors": None},
        "output": {"directory": "None", "allow_errors": "5"},
        "alerts": "3",
    }
    assert job_as_meant(job) == {
        "input": ["3.jsonl"],
        "provider": {"model": "5"},
        "limits": {"concurrency": 8, "slip": "3"},
        "ceilings": {"max_rows": 3, "max_errors": None},
        "output": {"allow_errors": "5"},
        "alerts": "3",
    }
    assert job_as_meant("3.toml") == "3.toml"
    assert job_as_meant("None") is None


@pytest.mark.parametrize("value", ["none", "/data/None", 0, ["None"], {"a": "None"}])
def test_nothing_but_the_word_none_is_none(value: object) -> None:
    assert or_none("None") is None
    assert or_none(value) is value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Path("/data/{{ ds }}.jsonl"), "/data/{{ ds }}.jsonl"),
        ([Path("a"), "b"], ["a", "b"]),
        ((Path("a"), {"prompt": "b"}), ("a", {"prompt": "b"})),
        ({"prompt": "b"}, {"prompt": "b"}),
        (None, None),
    ],
)
def test_paths_become_texts_which_airflow_renders(value: object, text: object) -> None:
    assert renderable(value) == text


class _Lazy(list[str]):
    """What mapped tasks returned, as Airflow gives it: its end is an error."""

    def __iter__(self) -> Any:  # noqa: ANN401 # none
        raise AssertionError("fetched piece by piece")


def test_what_mapped_tasks_return_is_fetched_at_once() -> None:
    assert at_once(_Lazy(["a", "b"])) == ["a", "b"]
    assert at_once("a.jsonl") == "a.jsonl"
    rows = iter([{"prompt": "a"}])
    assert at_once(rows) is rows
