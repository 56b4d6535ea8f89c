"""Inputs at URLs, end to end: the real command, a real S3 server."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.objects.conftest import Lines, Place
from tests.objects.store import Bucket, refusing


def table(rows: int) -> bytes:
    file = io.BytesIO()
    columns = {"id": [f"r{n}" for n in range(rows)], "prompt": [f"say {n}" for n in range(rows)]}
    pq.write_table(pa.table(columns), file, row_group_size=10)
    return file.getvalue()


def answered(place: Place) -> list[str]:
    """Return the ids of the results in their order."""
    return list(map(str, pq.read_table(place.path / "run" / "results.parquet")["id"].to_pylist()))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.parquet"])
def test_a_file_is_read_where_it_lies(
    name: str, bucket: Bucket, place: Place, lines: Lines
) -> None:
    content = table(30) if name.endswith(".parquet") else lines(30)
    if name.endswith(".gz"):
        content = gzip.compress(content)
    elif name.endswith(".zst"):
        content = pa.compress(content, codec="zstd", asbytes=True)
    bucket.put(name, content)
    done = place.run(f"{bucket.url}/{name}")
    assert done.returncode == 0, done.stderr
    assert answered(place) == [f"r{n}" for n in range(30)]
    again = place.run(f"{bucket.url}/{name}")
    assert again.returncode == 0
    assert set(place.calls().values()) == {1}


def test_lines_that_are_packed_under_a_plain_name_are_known_by_their_first_bytes(
    bucket: Bucket, place: Place, lines: Lines
) -> None:
    bucket.put("a.jsonl", gzip.compress(lines(5)))
    assert place.run(f"{bucket.url}/a.jsonl").returncode == 0
    assert len(answered(place)) == 5


@pytest.mark.parametrize("given", ["in", "in/", "in/**", "in/*/*.jsonl", "in/day=*/[ab].jsonl"])
def test_folders_and_globs_stand_for_their_files_in_order(
    given: str, bucket: Bucket, place: Place, lines: Lines
) -> None:
    bucket.put("in/day=2/a.jsonl", lines(2, first=4))
    bucket.put("in/day=1/b.jsonl", lines(2, first=2))
    bucket.put("in/day=1/a.jsonl", lines(2))
    bucket.put("in/day=1/.hidden/a.jsonl", b"not read\n")
    bucket.put("in/old.batch/results.parquet", b"not read")
    bucket.put("in/run/checkpoint.db", b"not read")
    bucket.put("in/run/results.parquet", b"not read")
    bucket.put("in/note.txt", b"not read")
    done = place.run(f"{bucket.url}/{given}")
    assert done.returncode == 0, done.stderr
    assert answered(place) == [f"r{n}" for n in range(6)]


def test_the_run_directory_of_a_url_lies_in_the_working_directory(
    bucket: Bucket, place: Place, lines: Lines
) -> None:
    bucket.put("in/prompts.jsonl.gz", gzip.compress(lines(2)))
    done = place.command("run", f"{bucket.url}/in/prompts.jsonl.gz", "--simulate")
    assert done.returncode == 0, done.stderr
    assert (place.path / "prompts.batch" / "results.parquet").exists()


def test_the_commands_about_a_run_find_its_input_again(
    bucket: Bucket, place: Place, lines: Lines
) -> None:
    bucket.put("a.jsonl", lines(5))
    place.run(f"{bucket.url}/a.jsonl")
    commands = ("export", "head", "report", "verify", "status", "retry --simulate")
    for args in ([*name.split(" "), "run"] for name in commands):
        done = place.command(*args)
        assert done.returncode == 0, done.stderr
    checked = place.command("check", f"{bucket.url}/a.jsonl")
    assert "5" in checked.stdout
    bucket.put("a.jsonl", lines(6))
    changed = place.command("export", "run")
    assert (changed.returncode, "the input changed since it was run" in changed.stderr) == (2, True)


def test_only_what_was_added_is_called(bucket: Bucket, place: Place, lines: Lines) -> None:
    bucket.put("in/1.jsonl", lines(5))
    place.run(f"{bucket.url}/in")
    bucket.put("in/2.jsonl", lines(5, first=5))
    assert place.run(f"{bucket.url}/in").returncode == 0
    assert answered(place) == [f"r{n}" for n in range(10)]
    assert set(place.calls().values()) == {1}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("in/promts.jsonl", "did you mean `prompts.jsonl`?"),
        ("in/no.csv", "no such file"),
        ("in/note.txt", "is of no known kind; known suffixes: .jsonl"),
        ("in/*.csv", "holds no input file; known suffixes: .jsonl"),
    ],
)
def test_what_is_not_there_is_said_with_what_may_be_meant(
    given: str, said: str, bucket: Bucket, place: Place, lines: Lines
) -> None:
    bucket.put("in/prompts.jsonl", lines(1))
    bucket.put("in/note.txt", b"x")
    done = place.run(f"{bucket.url}/{given}")
    assert done.returncode == 2
    assert said in done.stderr
    assert not (place.path / "run").exists()


def test_a_missing_bucket_is_named(place: Place) -> None:
    done = place.run("s3://no-such-bucket/a.jsonl")
    assert done.returncode == 2
    assert "there is no s3://no-such-bucket" in done.stderr


def test_a_missing_bucket_is_named_for_a_glob_too(place: Place) -> None:
    done = place.run("s3://no-such-bucket/in/*.jsonl")
    assert done.returncode == 2
    said = "no such file: s3://no-such-bucket/in/*.jsonl; there is no s3://no-such-bucket"
    assert said in done.stderr


def test_a_name_that_cannot_be_asked_for_is_refused_with_the_way_around(
    bucket: Bucket, place: Place, lines: Lines
) -> None:
    bucket.put("in//odd.jsonl", lines(1))
    bucket.put("in/a.jsonl", lines(2))
    bucket.put("in//note.txt", b"no input")
    for given in (f"{bucket.url}/in/", bucket.url):
        refused = place.run(given)
        assert refused.returncode == 2, refused.stderr
        assert f"{bucket.url}/in//odd.jsonl has an empty part in its path" in refused.stderr
        assert (
            f"a glob that does not find it, such as {given.rstrip('/')}/*.jsonl" in refused.stderr
        )
    assert place.run(f"{bucket.url}/in/*.jsonl").returncode == 0
    assert answered(place) == ["r0", "r1"]


def test_keys_that_the_store_does_not_know_end_the_run_before_a_call(
    bucket: Bucket, place: Place, lines: Lines
) -> None:
    bucket.put("a.jsonl", lines(1))
    with refusing(bucket.server):
        done = place.run(f"{bucket.url}/a.jsonl")
    assert done.returncode == 74
    assert f"cannot read {bucket.url}/a.jsonl" in done.stderr
    assert "docs/object-storage.md" in done.stderr
    assert not place.calls()


def test_images_beside_an_input_at_a_url_are_errors_that_say_what_to_do(
    bucket: Bucket, place: Place
) -> None:
    bucket.put("a.jsonl", json.dumps({"prompt": "what?", "photo": "cat.png"}).encode())
    done = place.run(f"{bucket.url}/a.jsonl", "--image-column", "photo", "-m", "glm-4v-flash")
    assert done.returncode == 65, done.stderr
    (error,) = pq.read_table(place.path / "run" / "errors.parquet").to_pylist()
    assert "name their folder with --images-from" in error["message"]
    assert not place.calls()


def test_the_secret_is_in_nothing_that_is_written(
    bucket: Bucket, place: Place, lines: Lines
) -> None:
    bucket.put("a.jsonl", lines(3))
    done = place.run(f"{bucket.url}/a.jsonl", "--to", f"{bucket.url}/out", "--debug")
    refused = place.run(f"s3://key:a-secret-that-nobody-may-see@{bucket.name}/a.jsonl", "--debug")
    assert (done.returncode, refused.returncode) == (0, 2)
    written = [path.read_bytes() for path in Path(place.path).rglob("*") if path.is_file()]
    said = [text.encode() for run in (done, refused) for text in (run.stdout, run.stderr)]
    assert len(written) > 5
    assert all(b"nobody-may-see" not in content for content in (*written, *said))
