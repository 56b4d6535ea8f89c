"""The folder of a dataset: its card beside its data, read back as the hub would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from batcher.errors import OutputError
from batcher.outputs import Exported, Material, Origin, export, kind_of
from batcher.outputs.features import features
from batcher.recorded import Recorded

MakeSchema = Callable[..., pa.Schema]
MakeBatches = Callable[..., Iterator[pa.RecordBatch]]
MakeRecorded = Callable[..., Recorded]
Publish = Callable[..., Exported]

COLUMNS = pa.struct(
    [
        pa.field("photo", pa.binary()),
        pa.field("at", pa.timestamp("s")),
        pa.field("day", pa.date64()),
        pa.field("tags", pa.list_(pa.struct([pa.field("name", pa.string())]))),
    ]
)
ROW = {"photo": b"png", "at": 1, "day": None, "tags": [{"name": "a"}]}


@pytest.fixture
def publish(
    tmp_path: Path, make_schema: MakeSchema, make_batches: MakeBatches, answered: MakeRecorded
) -> Publish:
    """Export five rows as a dataset."""

    def published(
        columns: pa.DataType = COLUMNS, rows: int = 5, partition_rows: int | None = None
    ) -> Exported:
        values = [ROW if columns is COLUMNS else {}] * rows
        material = Material(
            make_schema(columns),
            make_batches(values, columns),
            (answered(row) for row in range(rows)),
        )
        origin = Origin("1", {"model": "glm-4-flash"}, images=frozenset({"photo"}))
        return export(material, tmp_path, kind_of("hf", partition_rows), origin)

    return published


def _info(directory: Path) -> Any:  # noqa: ANN401 # as it stands in the metadata
    text = (directory / "README.md").read_text("utf-8")
    return yaml.safe_load(text.split("---\n")[1])


def test_the_card_describes_the_very_columns_of_the_files(tmp_path: Path, publish: Publish) -> None:
    """Seconds and dates of 64 bits, which Parquet does not have, are named as they come back."""
    publish()
    schema = pq.read_schema(tmp_path / "data" / "train-00000-of-00001.parquet")
    described = _info(tmp_path)["dataset_info"]["features"]
    assert described == features(schema, {"photo"})
    by_name = {feature["name"]: feature for feature in described}
    assert by_name["photo"]["dtype"] == "image"
    assert by_name["at"]["dtype"] == str(schema.field("at").type) == "timestamp[ms]"
    assert by_name["tags"]["list"] == [{"name": "name", "dtype": "string"}]


def test_the_card_counts_the_rows_and_bytes_of_all_files(tmp_path: Path, publish: Publish) -> None:
    publish(partition_rows=2)
    info = _info(tmp_path)
    (pattern,) = (files["path"] for files in info["configs"][0]["data_files"])
    files = sorted(tmp_path.glob(pattern))
    assert [pq.read_metadata(file).num_rows for file in files] == [2, 2, 1]
    assert info["dataset_info"]["splits"][0]["num_examples"] == 5
    assert info["dataset_info"]["download_size"] == sum(file.stat().st_size for file in files)
    assert info["dataset_info"]["dataset_size"] > 0


def test_an_export_again_takes_the_place_of_the_dataset(tmp_path: Path, publish: Publish) -> None:
    publish(partition_rows=1)
    publish(rows=2)
    assert len(list((tmp_path / "data").iterdir())) == 1
    assert _info(tmp_path)["dataset_info"]["splits"][0]["num_examples"] == 2


def test_an_edited_card_stops_the_export_before_anything_is_replaced(
    tmp_path: Path, publish: Publish
) -> None:
    publish()
    readme = tmp_path / "README.md"
    readme.write_text(readme.read_text("utf-8").replace("# Answers", "# My answers"), "utf-8")
    with pytest.raises(OutputError, match="no longer, as batcher wrote it"):
        publish(rows=2)
    assert "# My answers" in readme.read_text("utf-8")
    assert pq.read_metadata(tmp_path / "data" / "train-00000-of-00001.parquet").num_rows == 5


def test_a_license_that_was_added_is_kept_by_the_next_export(
    tmp_path: Path, publish: Publish
) -> None:
    publish()
    readme = tmp_path / "README.md"
    readme.write_text(readme.read_text("utf-8").replace("tags:", "license: mit\ntags:"), "utf-8")
    publish(rows=2)
    assert _info(tmp_path)["license"] == "mit"
    assert _info(tmp_path)["dataset_info"]["splits"][0]["num_examples"] == 2


def test_data_without_a_card_is_taken_for_somebody_elses(tmp_path: Path, publish: Publish) -> None:
    theirs = tmp_path / "data" / "train-00000-of-00001.parquet"
    theirs.parent.mkdir()
    theirs.write_bytes(b"theirs")
    with pytest.raises(OutputError, match=r"train-00000-of-00001\.parquet but no card"):
        publish()
    assert theirs.read_bytes() == b"theirs"


def test_a_column_that_datasets_cannot_hold_stops_the_export_before_a_file_is_made(
    tmp_path: Path, publish: Publish
) -> None:
    with pytest.raises(OutputError, match="column `odd`"):
        publish(pa.struct([pa.field("odd", pa.map_(pa.string(), pa.string()))]))
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_data_is_an_output_error(
    tmp_path: Path, publish: Publish
) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(OutputError, match=r"cannot create .*data: File exists"):
        publish()


def test_the_card_takes_its_name_after_the_data_that_it_counts(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then that of the dataset before refuses data of another number of rows."""
    named: list[str] = []
    replace = Path.replace

    def replaced(path: Path, target: Path) -> Path:
        named.append(Path(target).name)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", replaced)
    publish(partition_rows=3)
    assert named == [
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
        "README.md",
    ]
