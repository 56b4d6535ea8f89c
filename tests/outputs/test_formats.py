"""How the files of each format are called."""

from __future__ import annotations

from typing import get_args

import pytest

from batcher.outputs.formats import Format, kind_of


@pytest.mark.parametrize("file_format", get_args(Format))
def test_the_two_outputs_of_a_format_never_share_a_name(file_format: Format) -> None:
    for partition_rows in (None, 10):
        kind = kind_of(file_format, partition_rows)
        assert len(set(kind.names)) == len(kind.names)
        assert all(map(kind.may_be, kind.names))
        assert kind.bounds.rows == partition_rows


def test_tables_keep_the_names_that_a_run_gives_them() -> None:
    kind = kind_of("parquet")
    assert kind.results.name(0, 1) == "results.parquet"
    assert kind.errors is not None
    assert kind.errors.name(0, 1) == "errors.parquet"


def test_a_dataset_has_numbered_files_of_results_only() -> None:
    kind = kind_of("hf")
    assert kind.results.name(0, 1) == "data/train-00000-of-00001.parquet"
    assert kind.errors is None


def test_a_file_of_another_name_is_none_of_an_export() -> None:
    assert not kind_of("hf", 10).may_be("results.parquet")
    assert not kind_of("csv").may_be("results.parquet")
