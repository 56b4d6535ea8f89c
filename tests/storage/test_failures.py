"""What libraries say, as users read it."""

from __future__ import annotations

import pytest

from batcher.errors import InputError, StorageError
from batcher.storage.failures import reason_of, told
from batcher.storage.waiting import GivenUpError

LET_IN = "Are the credentials right? See docs/object-storage.md"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Connection reset\nAt file.cc:12", "Connection reset"),
        ("No such thing. Detail: [errno 2] No such file", "No such thing"),
        ("", "OSError"),
        ("GET https://host/a?sig=s3cr3t&x=1 failed", "GET https://host/a?... failed"),
        ("a\x1b[31mred", "a?[31mred"),
        ("x" * 400, f"{'x' * 300}..."),
        (
            "AWS Error ACCESS_DENIED during HeadObject",
            f"AWS Error ACCESS_DENIED during HeadObject. {LET_IN}",
        ),
    ],
)
def test_a_reason_is_one_line_without_secrets(said: str, shown: str) -> None:
    assert reason_of(OSError(said)) == shown


def test_a_foreign_error_becomes_ours() -> None:
    with (
        pytest.raises(StorageError, match=r"^cannot read s3://a: broken$"),
        told("cannot read s3://a"),
    ):
        raise ValueError("broken")


@pytest.mark.parametrize("own", [InputError("ours"), GivenUpError()])
def test_our_own_errors_stay(own: Exception) -> None:
    with pytest.raises(type(own)) as raised, told("cannot read s3://a"):
        raise own
    assert raised.value is own


def test_where_google_finds_no_credentials_the_way_to_them_is_named() -> None:
    said = (
        "google::cloud::Status(UNAVAILABLE: Retry policy exhausted, with a last message of Could "
        "not create a OAuth2 access token to authenticate the request. " + "and so on " * 30
    )
    shown = reason_of(OSError(said))
    assert shown.startswith("Could not create a OAuth2 access token to authenticate the request. ")
    assert shown.endswith(f". {LET_IN}")
