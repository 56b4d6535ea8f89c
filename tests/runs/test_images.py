"""Local images of rows are read only where they may be."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batcher.errors import ConfigurationError, InputError
from batcher.job import JobSpec, load_job
from batcher.providers import provider_named
from batcher.render import UnusableImageError
from batcher.runs import images as room
from batcher.runs.images import ImageFolder
from batcher.runs.survey import preview
from tests.pictures import noisy_picture, picture
from tests.simulated import Place

MOST = 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an input, images below it, and a secret beside it."""
    folder = tmp_path / "data"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.png").write_bytes(b"A")
    (folder / "deep" / "er" / "b.png").write_bytes(b"B")
    (tmp_path / "secret.png").write_bytes(b"S")
    return folder


def read(folder: Path, path: str, reader: ImageFolder | None = None) -> bytes:
    return (reader or ImageFolder())(path, str(folder / "rows.jsonl"), MOST)


def refused(folder: Path, path: str, reader: ImageFolder | None = None) -> str:
    with pytest.raises(UnusableImageError) as raised:
        read(folder, path, reader)
    return str(raised.value)


@pytest.mark.parametrize(
    ("path", "data"),
    [("a.png", b"A"), ("deep/er/b.png", b"B"), ("./deep/../a.png", b"A"), ("deep//er/b.png", b"B")],
)
def test_an_image_below_the_folder_of_the_input_is_read(
    folder: Path, path: str, data: bytes
) -> None:
    assert read(folder, path) == data
    assert read(folder, str(folder / path)) == data


def test_a_link_is_followed_where_it_stays_below_the_folder(folder: Path) -> None:
    (folder / "link.png").symlink_to("deep/er/b.png")
    (folder / "other").symlink_to(folder / "deep")
    assert read(folder, "link.png") == b"B"
    assert read(folder, "other/er/b.png") == b"B"


def test_the_folder_itself_may_be_reached_by_a_link(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert read(link, "a.png") == b"A"


@pytest.mark.parametrize(
    "path", ["../secret.png", "deep/../../secret.png", "link.png", "out/secret.png", "/etc/passwd"]
)
def test_what_leads_out_of_the_folder_is_refused(folder: Path, path: str) -> None:
    (folder / "link.png").symlink_to("../secret.png")
    (folder / "out").symlink_to("..")
    assert refused(folder, path) == (
        f"{path!r} is not in the folder {folder}; put it there, or name another folder with "
        '--images-from ("*" for any)'
    )


def test_a_folder_whose_name_begins_the_same_is_another(folder: Path) -> None:
    beside = folder.parent / "data2"
    beside.mkdir()
    (beside / "c.png").write_bytes(b"C")
    assert "is not in the folder" in refused(folder, "../data2/c.png")


def test_another_folder_takes_the_place_of_the_inputs(folder: Path) -> None:
    job = load_job(None, {"prompt": {"images_from": str(folder / "deep")}})
    reader = ImageFolder.of(job)
    assert read(folder, "er/b.png", reader) == b"B"
    assert "is not in the folder" in refused(folder, "../a.png", reader)


def test_any_folder_may_be_allowed_and_paths_start_at_the_input(folder: Path) -> None:
    reader = ImageFolder.of(load_job(None, {"prompt": {"images_from": "*"}}))
    assert read(folder, "../secret.png", reader) == b"S"
    assert read(folder, str(folder.parent / "secret.png"), reader) == b"S"


def test_a_folder_that_is_not_there_is_an_error_of_the_job(tmp_path: Path) -> None:
    job = load_job(None, {"prompt": {"images_from": str(tmp_path / "none")}})
    with pytest.raises(ConfigurationError, match=r"images_from: there is no folder .*none"):
        ImageFolder.of(job)


def test_rows_of_standard_input_name_images_of_the_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert ImageFolder()("a.png", "stdin", MOST) == b"A"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none.png", "'none.png': No such file or directory"),
        ("a.png/b.png", "'a.png/b.png': Not a directory"),
        ("deep", "'deep' is no regular file"),
        (".", "'.' is no regular file"),
        ("loop", "'loop': Too many levels of symbolic links"),
        ("x" * 300, "File name too long"),
        ("a\0.png", "is no path"),
        ("a\ud800.png", "is no path"),
    ],
)
def test_what_is_no_file_is_told_of(folder: Path, path: str, reason: str) -> None:
    (folder / "loop").symlink_to("loop")
    assert reason in refused(folder, path)


@pytest.mark.parametrize("anywhere", [False, True])
def test_beside_an_input_at_a_url_no_image_is_looked_for(
    folder: Path,
    anywhere: bool,  # noqa: FBT001 -- a case
) -> None:
    with pytest.raises(UnusableImageError, match=r"beside s3://b/a\.jsonl.* --images-from"):
        ImageFolder(anywhere=anywhere)("a.png", "s3://b/a.jsonl", MOST)
    reader = ImageFolder(anywhere=True)
    assert reader(str(folder / "a.png"), "s3://b/a.jsonl", MOST) == b"A"


def test_a_pipe_is_no_image_and_nobody_is_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    assert refused(folder, "pipe.png") == "'pipe.png' is no regular file"


def test_a_file_that_is_too_large_is_not_read(folder: Path) -> None:
    with (folder / "huge.png").open("wb") as file:
        file.truncate(1 << 40)
    assert refused(folder, "huge.png").startswith("'huge.png': 1048576.0 MiB; at most 0.0 MiB")


def test_a_link_that_comes_in_between_is_not_followed(folder: Path) -> None:
    (folder / "link.png").symlink_to("../secret.png")
    (folder / "out").symlink_to("..")
    root = os.path.realpath(folder)
    for path in ("link.png", "out/secret.png"):
        with pytest.raises(OSError, match=r"symbolic links|Not a directory") as raised:
            room._opened(root, f"{root}/{path}")
        assert raised.value.errno in {errno.ELOOP, errno.ENOTDIR}


def test_descriptors_are_closed_whatever_happens(folder: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- names of descriptors, no paths
    for path in ("a.png", "deep/er/b.png", "deep", "none/none.png", "deep/none.png"):
        try:
            read(folder, path)
        except UnusableImageError:
            continue
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 -- the same


def test_a_disk_that_fails_is_no_fault_of_the_row(folder: Path) -> None:
    # A file of the kernel whose reading fails with EIO.
    (folder / "mem").symlink_to("/proc/self/mem")
    reader = ImageFolder(anywhere=True)
    with pytest.raises(InputError, match=r"cannot read the image /proc/.*/mem"):
        reader("mem", str(folder / "rows.jsonl"), MOST)


# Whole runs


def seeing(place: Place, name: str, column: str = "photo", **prompt: object) -> JobSpec:
    prompt = {"image_columns": [column], **prompt}
    return place.job(
        input=[str(place.folder / name)],
        provider={"model": "glm-4.6v"},
        prompt=prompt,
        output={"directory": str(place.directory.path)},
    )


def test_bytes_and_structs_of_parquet_are_seen_and_come_through_unchanged(place: Place) -> None:
    pictures = [picture("PNG"), picture("JPEG", 300, 200)]
    structs = [{"bytes": data, "path": "x.png"} for data in pictures]
    table = pa.table(
        {
            "id": ["a", "b"],
            "prompt": ["What?", "Who?"],
            "photo": pa.array(pictures, pa.large_binary()),
            "image": pa.array(structs, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        }
    )
    pq.write_table(table, place.folder / "photos.parquet")
    for column in ("photo", "image"):
        job = seeing(place, "photos.parquet", column)
        assert place.run(job, consent=True).halted is None
        results = pq.read_table(place.directory.results)
        for name in ("photo", "image"):
            assert results[name].type == table[name].type
            assert results[name].to_pylist() == table[name].to_pylist()
    # Once by bytes, and by the struct they are the same requests: nothing is asked twice.
    assert len(place.ledger()) == 2


def test_a_row_whose_image_is_missing_or_bad_is_an_error_and_the_others_run(place: Place) -> None:
    (place.folder / "good.png").write_bytes(picture("PNG"))
    (place.folder / "bad.png").write_bytes(b"no image")
    rows = [{"id": n, "prompt": "What?", "photo": f"{n}.png"} for n in ("good", "bad", "none")]
    place.write([*rows, {"id": "null", "prompt": "What?", "photo": None}])
    place.run(seeing(place, "prompts.jsonl"))
    assert [row["id"] for row in place.results()] == ["good"]
    errors = {row["id"]: row for row in place.errors()}
    assert {row["error_class"] for row in errors.values()} == {"invalid_row"}
    assert {name: row["message"] for name, row in errors.items()} == {
        name: f"the image in column `photo`: {reason}"
        for name, reason in {
            "bad": "'bad.png': no image, or a damaged one; png or jpeg is taken",
            "none": "'none.png': No such file or directory",
            "null": "there is none",
        }.items()
    }
    assert len(place.ledger()) == 1


def test_a_model_of_text_refuses_images_and_its_rows_are_errors(place: Place) -> None:
    (place.folder / "a.png").write_bytes(picture("PNG"))
    place.write([{"id": "a", "prompt": "What?", "photo": "a.png"}])
    job = seeing(place, "prompts.jsonl").with_model("glm-4-flash")
    place.run(job)
    (error,) = place.errors()
    assert "takes text only" in error["message"]


def test_a_preview_tells_of_an_image_by_type_and_size(place: Place) -> None:
    (place.folder / "a.png").write_bytes(noisy_picture(20))
    place.write([{"id": "a", "prompt": "What?", "photo": "a.png"}])
    job = seeing(place, "prompts.jsonl")
    (shown,) = preview(job, provider_named("glm"), io.BytesIO(), 1)
    assert "(image/png, 20 x 20, " in json.dumps(shown)


def test_an_image_that_changed_in_its_place_is_asked_again_by_a_changed_job(place: Place) -> None:
    path = place.folder / "a.png"
    path.write_bytes(picture("PNG"))
    place.write([{"id": "a", "prompt": "What?", "photo": "a.png"}])
    place.run(seeing(place, "prompts.jsonl"))
    path.write_bytes(picture("PNG", 9))
    place.run(seeing(place, "prompts.jsonl"))
    assert len(place.ledger()) == 1
    place.run(seeing(place, "prompts.jsonl", system_template="Be brief."))
    assert len(place.ledger()) == 2


def test_a_row_whose_image_came_later_is_asked_when_errors_are_retried(place: Place) -> None:
    place.write([{"id": "a", "prompt": "What?", "photo": "a.png"}])
    place.run(seeing(place, "prompts.jsonl"))
    (place.folder / "a.png").write_bytes(picture("PNG"))
    place.run(seeing(place, "prompts.jsonl"))
    assert [row["id"] for row in place.errors()] == ["a"]
    place.run(seeing(place, "prompts.jsonl"), retry_errors=True)
    assert [row["id"] for row in place.results()] == ["a"]
