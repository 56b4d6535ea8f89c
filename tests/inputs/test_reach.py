"""Which files an input would take in, were they there."""

from __future__ import annotations

from pathlib import Path

import pytest

from batcher.inputs import passes_over, reaches
from batcher.storage import Address


@pytest.mark.parametrize(
    ("given", "takes_in"),
    [
        ("in", True),
        ("in/", True),
        ("in/day=1", True),
        ("", True),
        ("in/*/*.parquet", True),
        ("in/**", True),
        ("**/results.*", True),
        ("in/day=?/results.parquet", True),
        ("in/*", False),
        ("in/**/*.jsonl", False),
        ("i", False),
        ("in/day=10", False),
        ("in/day=1/results.parquet", False),
        ("in/day=1/results.parquet/", False),
    ],
)
def test_a_folder_and_a_glob_take_in_what_is_below(
    given: str,
    takes_in: bool,  # noqa: FBT001 -- a case
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "in/day=1/results.parquet"
    for place in (Path(name), Address.of(f"file://{tmp_path}/{name}")):
        assert reaches(given or ".", place) is takes_in
        assert reaches(f"file://{tmp_path}/{given}", place) is takes_in
    assert reaches(f"s3://feed/{given}", Address.of(f"s3://feed/{name}")) is takes_in
    assert not reaches(f"s3://feed/{given}", Path(name))
    assert not reaches(given or ".", Address.of(f"s3://feed/{name}"))
    assert not reaches(f"s3://feed/{given}", Address.of(f"s3://other/{name}"))


@pytest.mark.parametrize("folder", [".hidden", "old.batch"])
def test_what_is_passed_over_is_not_taken_in(folder: str) -> None:
    place = Address.of(f"s3://feed/in/{folder}/results.parquet")
    assert not reaches("s3://feed/in", place)
    assert reaches(f"s3://feed/in/{folder}", place)


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    assert reaches(str(tmp_path / "link"), tmp_path / "there" / "results.parquet")


@pytest.mark.parametrize(
    ("given", "passed_over"),
    [
        ("in", True),
        ("in/", True),
        ("in/day=1", True),
        (".", True),
        ("in/*/*.parquet", True),
        ("in/day=1/*", False),
        ("in/day=1/a.jsonl", False),
        ("in/day=10", False),
        ("in/day=1/below", False),
    ],
)
def test_a_folder_and_a_glob_pass_over_the_directory_of_a_run(
    given: str,
    passed_over: bool,  # noqa: FBT001 -- a case
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert passes_over(given, Path("in/day=1")) is passed_over
    assert passes_over(f"file://{tmp_path}/{given}", tmp_path / "in/day=1") is passed_over
    assert not passes_over(f"s3://feed/{given}", Path("in/day=1"))
