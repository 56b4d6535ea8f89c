"""URLs, taken apart."""

import re

import pytest

from batcher.errors import UsageError
from batcher.storage import Address, is_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/a.jsonl", True),
        ("S3://bucket", True),
        ("file:///a", True),
        ("c:/a.jsonl", False),
        ("a/b.jsonl", False),
        ("/a://b", False),
        ("-", False),
    ],
)
def test_a_url_is_told_from_a_path(text: str, expected: bool) -> None:  # noqa: FBT001 -- a case
    assert is_url(text) is expected


@pytest.mark.parametrize(
    ("url", "shown", "name"),
    [
        ("S3://bucket/a/b.jsonl", "s3://bucket/a/b.jsonl", "b.jsonl"),
        ("s3://bucket/a/", "s3://bucket/a", "a"),
        ("s3://bucket", "s3://bucket", "bucket"),
        ("s3://bucket/part-?.jsonl", "s3://bucket/part-?.jsonl", "part-?.jsonl"),
        ("s3://bucket/a%20b", "s3://bucket/a%20b", "a%20b"),
        ("file:///tmp/a%20b", "file:///tmp/a%20b", "a b"),
        (
            "abfss://box@account.dfs.core.windows.net/a",
            "abfss://box@account.dfs.core.windows.net/a",
            "a",
        ),
        ("hf://datasets/me/set@v1/a.parquet", "hf://datasets/me/set@v1/a.parquet", "a.parquet"),
    ],
)
def test_an_address_is_shown_as_it_was_given(url: str, shown: str, name: str) -> None:
    address = Address.of(url)
    assert (address.url, address.name) == (shown, name)


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIA:s3cr3t@bucket/a",
        "s3://s3cr3t@bucket/a",
        "s3://AKIA:ab/s3cr3t@bucket/a",
        "s3://AKIA:12/s3cr3t@bucket/a",
        "sftp://me:12/s3cr3t@host/a",
        "sftp://me:ab/s3cr3t@host/a",
        "abfss://box:s3cr3t@account.dfs.core.windows.net/a",
        "s3://bucket/a?secret_key=s3cr3t",
        "https://host/a?X-Amz-Signature=s3cr3t",
        "s3://bucket?access_key=s3cr3t",
    ],
)
def test_a_url_with_a_secret_is_refused_and_the_secret_is_not_shown(url: str) -> None:
    with pytest.raises(UsageError, match=r"environment variables") as refused:
        Address.of(url)
    assert "s3cr3t" not in str(refused.value)


def test_a_name_below_an_address() -> None:
    assert (Address.of("s3://bucket") / "a" / "b").url == "s3://bucket/a/b"
    assert (Address.of("file:///") / "a").url == "file:///a"


@pytest.mark.parametrize("url", ["s3://", "gs:///a", "abfss://", "hf:///a"])
def test_a_url_without_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"names no bucket: write \w+://BUCKET/PATH"):
        Address.of(url)


def test_a_file_of_another_machine_is_refused_and_one_of_this_is_not() -> None:
    with pytest.raises(UsageError, match=r"a machine called a\.jsonl; .* file:///PATH"):
        Address.of("file://a.jsonl")
    assert Address.of("file://localhost/a.jsonl").path == "/a.jsonl"


def test_a_port_is_no_password() -> None:
    assert Address.of("hdfs://namenode:8020/a").host == "namenode:8020"


@pytest.mark.parametrize(
    ("slip", "right"),
    [
        ("s3:/bucket/a", "s3://..."),
        ("S3:/bucket/a", "s3://..."),
        ("https:/example.com/a", "https://..."),
        ("abfss:/c@account.dfs.core.windows.net/a", "abfss://..."),
        ("file:/srv/a", "file:///PATH"),
    ],
)
def test_a_url_that_lacks_a_slash_is_no_folder_of_this_machine(slip: str, right: str) -> None:
    assert is_url(slip)
    with pytest.raises(UsageError, match=rf"for want of a slash: write {re.escape(right)}$"):
        Address.of(slip)


@pytest.mark.parametrize("slip", ["s3//bucket/a", "HTTPS//example.com/a"])
def test_nor_is_one_that_lacks_its_colon(slip: str) -> None:
    assert is_url(slip)
    with pytest.raises(UsageError, match=r"for want of a colon: write (s3|https)://\.\.\.$"):
        Address.of(slip)


@pytest.mark.parametrize("path", ["gs:a", "s3/a", "my-s3//a", "./s3:/a", "notes:/a", "/s3:/a"])
def test_a_path_with_a_colon_is_a_path(path: str) -> None:
    assert not is_url(path)


@pytest.mark.parametrize(
    "url",
    ["s3://bucket/a//b.jsonl", "gs://bucket/a//*.jsonl", "abfss://c@a.dfs.core.windows.net/a//b"],
)
def test_a_name_with_an_empty_part_is_refused_where_pyarrow_asks(url: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"{url} has an empty part in its path (`//`)")):
        Address.of(url)


def test_a_name_with_an_empty_part_may_be_listed_and_is_one_elsewhere() -> None:
    listed = Address.of("s3://bucket/a") / "/b.jsonl"
    assert listed.refusal is not None
    assert Address.of("s3://bucket//a//").refusal is None
    assert Address.of("https://example.com/a//b.jsonl").path == "a//b.jsonl"
