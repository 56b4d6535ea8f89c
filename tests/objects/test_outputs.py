"""What a run ends with, at a URL as well: the real command, a real S3 server."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.objects.conftest import Lines, Place
from tests.objects.door import Door, Judge
from tests.objects.store import Bucket


def rows_of(content: bytes | None) -> int:
    assert content is not None
    return pq.read_table(pa.BufferReader(content)).num_rows


def written(gate: Door) -> list[str]:
    """Return the names of what was put there, less the trial and what stands for the folder."""
    puts = (asked.place.rpartition("/")[2] for asked in gate.asked if asked.method == "PUT")
    return [name for name in puts if name and not name.startswith(".batcher-trial-")]


@pytest.fixture
def given(bucket: Bucket, lines: Lines) -> str:
    """Return the URL of an input of ten rows."""
    bucket.put("in/a.jsonl", lines(10))
    return f"{bucket.url}/in/a.jsonl"


def test_results_errors_and_report_are_put_there_too(
    given: str, bucket: Bucket, place: Place
) -> None:
    done = place.run(given, "--to", f"{bucket.url}/out/")
    assert done.returncode == 0, done.stderr
    assert f"  to        {bucket.url}/out\n" in done.stdout
    assert bucket.keys("") == [
        "in/a.jsonl",
        "out/errors.parquet",
        "out/report.html",
        "out/results.parquet",
    ]
    for name in ("errors.parquet", "results.parquet", "report.html"):
        assert bucket.get(f"out/{name}") == (place.path / "run" / name).read_bytes()


def test_the_errors_are_there_before_the_results(given: str, behind: Place, gate: Door) -> None:
    assert behind.run(given, "--to", given.replace("in/a.jsonl", "out")).returncode == 0
    assert written(gate) == ["errors.parquet", "results.parquet", "report.html"]


def test_what_is_there_already_is_not_sent_again(given: str, behind: Place, gate: Door) -> None:
    to = given.replace("in/a.jsonl", "out")
    behind.run(given, "--to", to)
    gate.asked.clear()
    assert behind.run(given, "--to", to).returncode == 0
    assert written(gate) == []
    # One that is made again tells when.
    (behind.path / "run" / "report.html").unlink()
    assert behind.run(given, "--to", to).returncode == 0
    assert written(gate) == ["report.html"]


def test_what_was_changed_there_is_sent_again(given: str, bucket: Bucket, place: Place) -> None:
    place.run(given, "--to", f"{bucket.url}/out")
    bucket.put("out/results.parquet", b"not ours")
    assert place.run(given, "--to", f"{bucket.url}/out").returncode == 0
    assert rows_of(bucket.get("out/results.parquet")) == 10


def test_without_a_report_there_is_none_there(given: str, bucket: Bucket, place: Place) -> None:
    assert place.run(given, "--to", f"{bucket.url}/out", "--no-report").returncode == 0
    assert bucket.keys("out/") == [
        "out/errors.parquet",
        "out/results.parquet",
    ]


def test_the_input_is_never_written_over(bucket: Bucket, place: Place) -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"prompt": ["a", "b"]}), file)
    bucket.put("data/results.parquet", file.getvalue())
    done = place.run(f"{bucket.url}/data/results.parquet", "--to", f"{bucket.url}/data")
    assert done.returncode == 73
    assert "is the input and would be overwritten" in done.stderr
    assert not place.calls()
    place.run(f"{bucket.url}/data/results.parquet")
    exported = place.command("export", "run", "--to", f"{bucket.url}/data")
    assert exported.returncode == 73
    assert bucket.get("data/results.parquet") == file.getvalue()


def test_a_missing_bucket_is_found_before_the_first_call(given: str, place: Place) -> None:
    done = place.run(given, "--to", "s3://no-such-bucket/out")
    assert done.returncode == 73
    assert "there is no s3://no-such-bucket" in done.stderr
    assert not place.calls()


def refusing(*methods: str) -> Judge:
    """Allow nobody to do this."""
    return lambda asked: "refuse" if asked.method in methods else "pass"


def test_where_nothing_may_be_written_is_found_before_the_first_call(
    given: str, bucket: Bucket, behind: Place, gate: Door
) -> None:
    to = f"{bucket.url}/out"
    gate.judge = refusing("PUT", "POST")
    done = behind.run(given, "--to", to)
    assert done.returncode == 73, done.stderr
    assert f"cannot write {to}/.batcher-trial-" in done.stderr
    assert "ACCESS_DENIED" in done.stderr
    assert f"or leave --to out, and `batcher export DIR --to {to}`" in done.stderr
    assert not behind.calls()
    gate.judge = refusing()
    assert behind.run(given, "--to", to).returncode == 0
    assert set(behind.calls().values()) == {1}


def test_who_may_write_need_not_be_allowed_to_remove(
    given: str, bucket: Bucket, behind: Place, gate: Door
) -> None:
    gate.judge = refusing("DELETE")
    done = behind.run(given, "--to", f"{bucket.url}/out")
    assert done.returncode == 0, done.stderr
    trial, *names = bucket.keys("out/")
    assert names == ["out/errors.parquet", "out/report.html", "out/results.parquet"]
    content = bucket.get(trial)
    assert content is not None
    assert content.startswith(b"batcher wrote this to see whether it may write here")


def test_what_calls_nothing_writes_nothing_there_before_its_time(
    given: str, bucket: Bucket, behind: Place, gate: Door
) -> None:
    job = f'input = ["{given}"]\n[provider]\nmodel = "glm-4-flash"\n'
    (behind.path / "job.toml").write_text(f'{job}[output]\nto = "{bucket.url}/out"\n')
    for look in ("check", "preview", "estimate"):
        more = ["--simulate"] if look == "estimate" else []
        done = behind.command(look, "--job", "job.toml", *more)
        assert done.returncode == 0, done.stderr
    assert {asked.method for asked in gate.asked} <= {"GET", "HEAD"}


def test_a_run_directory_at_a_url_is_refused_with_the_way_out(given: str, place: Place) -> None:
    done = place.command("run", given, "-o", "s3://some/run", "--simulate")
    assert done.returncode == 2
    assert "with -o DIR, and where its files are to go too with --to s3://some/run" in done.stderr


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ([], ["errors.parquet", "results.parquet"]),
        (["--format", "jsonl"], ["errors.jsonl", "results.jsonl"]),
        (["--format", "csv"], ["errors.csv", "results.csv"]),
        (["--format", "batch"], ["error.jsonl", "output.jsonl"]),
        (["--format", "hf"], ["README.md", "data/train-00000-of-00001.parquet"]),
        (
            ["--partition-rows", "4"],
            [
                "errors-00000-of-00001.parquet",
                "results-00000-of-00003.parquet",
                "results-00001-of-00003.parquet",
                "results-00002-of-00003.parquet",
            ],
        ),
    ],
)
def test_every_export_goes_to_a_url(
    options: list[str], keys: list[str], given: str, bucket: Bucket, place: Place
) -> None:
    place.run(given)
    before = sorted((place.path / "run").iterdir())
    done = place.command("export", "run", *options, "--to", f"{bucket.url}/ex")
    assert done.returncode == 0, done.stderr
    assert f"10 results   {bucket.url}/ex/" in done.stdout
    assert [key.removeprefix("ex/") for key in bucket.keys("ex/")] == keys
    assert sorted((place.path / "run").iterdir()) == before


def test_partitions_of_an_earlier_export_go(given: str, bucket: Bucket, place: Place) -> None:
    place.run(given)
    bucket.put("ex/mine.txt", b"stays")
    for rows in ("3", "8"):
        place.command("export", "run", "--partition-rows", rows, "--to", f"{bucket.url}/ex")
    assert bucket.keys("ex/") == [
        "ex/errors-00000-of-00001.parquet",
        "ex/mine.txt",
        "ex/results-00000-of-00002.parquet",
        "ex/results-00001-of-00002.parquet",
    ]


def test_what_a_user_added_to_a_card_stays(given: str, bucket: Bucket, place: Place) -> None:
    place.run(given)
    export = ("export", "run", "--format", "hf", "--to", f"{bucket.url}/set")
    place.command(*export)
    card = bucket.get("set/README.md")
    assert card is not None
    bucket.put("set/README.md", card.replace(b"---\n", b"---\nlicense: mit\n", 1))
    assert place.command(*export).returncode == 0
    again = bucket.get("set/README.md")
    assert again is not None
    assert b"license: mit\n" in again


def test_data_without_a_card_is_left_alone(given: str, bucket: Bucket, place: Place) -> None:
    place.run(given)
    bucket.put("set/data/train-00000-of-00001.parquet", b"someone's")
    done = place.command("export", "run", "--format", "hf", "--to", f"{bucket.url}/set")
    assert done.returncode == 73
    assert "no dataset of batcher's" in done.stderr
    assert bucket.get("set/data/train-00000-of-00001.parquet") == b"someone's"
