"""What templates leave of numbers."""

from __future__ import annotations

import pytest

from batcher.airflow.rendered import as_meant


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
    ],
)
def test_text_becomes_what_the_option_takes(name: str, text: object, meant: object) -> None:
    assert as_meant({name: text}) == {name: meant}


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
