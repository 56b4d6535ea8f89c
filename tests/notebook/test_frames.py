"""Frames of pandas and Polars, and values of NumPy, in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import batcher

AT_ONCE = batcher.SimulatorConfig(latency_s=0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def _run(frame: Any, **options: Any) -> batcher.Result:  # noqa: ANN401 # frames are untyped here
    return batcher.run(frame, output="a.batch", simulate=AT_ONCE, progress=False, **options)


def test_a_frame_of_pandas_comes_back_with_its_columns() -> None:
    frame = pd.DataFrame(
        {
            "id": ["a", "b"],
            "prompt": ["x", "y"],
            "stars": pd.array([5, None], dtype="Int8"),
            "at": pd.to_datetime(["2026-07-01T08:00", "2026-07-02T08:00"], utc=True),
            "kind": pd.Categorical(["p", "q"]),
        }
    )
    result = _run(frame)
    back = result.results().read_pandas()
    assert list(back["id"]) == ["a", "b"]
    assert list(back["at"]) == list(frame["at"])
    assert result.results().schema.field("stars").type == pa.int8()
    assert pa.types.is_dictionary(result.results().schema.field("kind").type)


def test_an_index_of_pandas_is_a_column() -> None:
    frame = pd.DataFrame({"prompt": ["x", "y"]}, index=["first", "second"])
    table = _run(frame).results().read_all()
    assert table.column("__index_level_0__").to_pylist() == ["first", "second"]


def test_a_frame_of_polars_goes_in_and_a_result_is_one() -> None:
    frame = pl.DataFrame(
        {"id": ["a", "b"], "prompt": ["x", "你好"], "tags": [["p"], []], "stars": [5, None]},
        schema_overrides={"stars": pl.UInt8},
    )
    back = pl.DataFrame(_run(frame))
    assert back.select(frame.columns).equals(frame)
    assert back.schema["stars"] == pl.UInt8
    assert back["response"].null_count() == 0


def test_the_columns_of_polars_are_what_a_template_sees() -> None:
    frame = pl.DataFrame({"review": ["good"], "tags": [["p", "q"]]})
    result = _run(frame, template="{{review}}: {{tags | join(', ')}}")
    assert (result.ok, result.prompt_tokens > 0) == (True, True)


def test_a_column_alone_is_no_table() -> None:
    with pytest.raises(batcher.InputError, match="a Series is no table"):
        _run(pl.Series(["x"]))


def test_values_of_numpy_in_dicts_become_plain_ones() -> None:
    row = {
        "prompt": np.str_("x"),
        "n": np.int64(3),
        "f": np.float32(0.5),
        "yes": np.array(object=[1], dtype=bool)[0],
        "many": np.array([1, 2]),
        "at": np.datetime64("2026-07-01T08:00:00.000000001"),
    }
    (back,) = _run([row]).results().read_all().to_pylist()
    assert (back["n"], back["f"], back["yes"], back["many"]) == (3, 0.5, True, [1, 2])
    assert str(back["at"]).startswith("2026-07-01")
