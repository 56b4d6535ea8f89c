"""Which store a URL opens, and what is missing for it; tests/objects talks to some."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pyarrow.fs import GcsFileSystem

from batcher.errors import ConfigurationError, UsageError
from batcher.storage import Address
from batcher.storage.opening import look_for_credentials, opened
from tests.commands import ROOT


@pytest.fixture
def without_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have none of fsspec found, whatever else is installed."""
    for name in ("fsspec", "fsspec.core", "fsspec.registry", "huggingface_hub"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    ("url", "kind", "path"),
    [
        ("file:///a/b", "local", "/a/b"),
        ("s3://bucket/a/b", "s3", "bucket/a/b"),
        ("s3://bucket", "s3", "bucket"),
        ("gs://bucket/a", "gcs", "bucket/a"),
        ("gcs://bucket/a", "gcs", "bucket/a"),
        ("abfss://box@account.dfs.core.windows.net/a", "abfs", "box/a"),
        ("az://box/a", "abfs", "box/a"),
    ],
)
def test_a_scheme_opens_its_store(
    url: str, kind: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "account")
    monkeypatch.setenv("AZURE_STORAGE_KEY", "c2VjcmV0")
    store, found = opened(Address.of(url))
    assert (store.type_name, found) == (kind, path)


class _NoMachineOfGoogles(BaseHTTPRequestHandler):
    """Has no token for anybody."""

    def do_GET(self) -> None:
        self.send_error(403)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name
        """Say nothing."""


@pytest.fixture
def without_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let Google's library find none, wherever it looks."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _NoMachineOfGoogles) as server:
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
        monkeypatch.setenv("GCE_METADATA_ROOT", f"127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@pytest.mark.usefixtures("without_credentials")
def test_where_there_are_no_credentials_for_google_the_first_look_says_so() -> None:
    with pytest.raises(OSError, match="access token"):
        look_for_credentials(GcsFileSystem(), "bucket")


@pytest.mark.parametrize(
    "work",
    [
        *("entry_at(a)", "entry_at(a / 'x')", "entries_below(a, recursive=True)"),
        *("RemoteReader(a / 'x', ahead=True)", "Folder.at(a.url).check()"),
    ],
)
def test_where_there_are_none_for_azure_that_is_an_error_and_not_the_end_of_the_process(
    work: str, tmp_path: Path
) -> None:
    """In a process of its own, which the library would end."""
    script = f"""
from batcher.errors import StorageError
from batcher.storage import Address, Folder, RemoteReader, entries_below, entry_at
a = Address.of("abfss://box@account.dfs.core.windows.net")
try:
    {work}
except StorageError as error:
    print(error)
"""
    done = subprocess.run(  # noqa: S603 -- our own command
        [sys.executable, "-c", script],
        # Neither Azure's command line is there, nor what tells its machines who they are.
        env={
            "PATH": str(tmp_path),
            "HOME": str(tmp_path),
            "PYTHONPATH": str(ROOT),
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:9",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "abfss://box@account.dfs.core.windows.net" in done.stdout
    assert ": Failed to get token from DefaultAzureCredential. Are the credentials" in done.stdout


def test_what_else_the_first_look_is_told_is_no_matter() -> None:
    away = GcsFileSystem(
        anonymous=True,
        scheme="http",
        endpoint_override="127.0.0.1:9",
        retry_time_limit=timedelta(0),
    )
    look_for_credentials(away, "bucket")


def test_an_unknown_scheme_is_told_what_is_known() -> None:
    with pytest.raises(
        UsageError, match=r"s33:// is of no known kind.* did you mean `s3`\? Known: "
    ):
        opened(Address.of("s33://bucket/a"))


@pytest.mark.usefixtures("without_fsspec")
@pytest.mark.parametrize(
    ("scheme", "packages"),
    [
        ("https", "fsspec aiohttp"),
        ("sftp", "fsspec paramiko"),
        ("webhdfs", "fsspec requests"),
        ("oss", "ossfs"),
    ],
)
def test_what_only_fsspec_knows_is_no_unknown_kind_where_that_is_missing(
    scheme: str, packages: str
) -> None:
    with pytest.raises(
        ConfigurationError,
        match=rf"^{scheme}:// needs a package that is not installed: pip install {packages}$",
    ):
        opened(Address.of(f"{scheme}://host/a"))


@pytest.mark.usefixtures("without_fsspec")
def test_where_fsspec_is_missing_it_may_know_an_unknown_scheme() -> None:
    with pytest.raises(UsageError, match=r", and after `pip install fsspec`, what that knows$"):
        opened(Address.of("lakefs://repository/a"))


@pytest.mark.usefixtures("without_fsspec")
def test_a_missing_package_is_named() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"hf:// needs .*: pip install '\.\[hf\]' in a checkout of batcher",
    ):
        opened(Address.of("hf://datasets/me/set"))


def test_azure_without_an_account_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="no storage account; write abfss://box@ACCOUNT"):
        opened(Address.of("abfss://box/a"))
