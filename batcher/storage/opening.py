"""Stores, opened: by pyarrow where it knows the scheme, else by fsspec.

Each takes its credentials, region and endpoint the way of its cloud. What pyarrow does not take
from there itself is passed on. All wait a bounded time for a store that is silent.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from batcher.errors import ConfigurationError, UsageError
from batcher.storage.address import Address
from batcher.wording import did_you_mean

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

# A request that brings not a byte for so long is given up, and asked at most so often.
_CONNECT_S, _SILENT_S, _ATTEMPTS = 5.0, 10.0, 3
# How the libraries of Google and Azure say that they find no credentials.
_NO_CREDENTIALS = ("access token", "AuthenticationException")
_LOOK_AGAIN_S = 60
# Services that know a bucket only as a part of the host name.
_BUCKET_IS_HOST = (".aliyuncs.com", ".myqcloud.com", ".volces.com", ".myhuaweicloud.com")
# Packages that bring the implementation: where fsspec is not there, it cannot be asked.
_PACKAGES = {
    "hf": "'.[hf]' in a checkout of batcher",
    "oss": "ossfs",
    "cos": "cosfs",
    "cosn": "cosfs",
    "tos": "tosfs",
    "ftp": "fsspec",
    "github": "fsspec requests",
    "http": "fsspec aiohttp",
    "https": "fsspec aiohttp",
    "sftp": "fsspec paramiko",
    "smb": "fsspec smbprotocol",
    "ssh": "fsspec paramiko",
    "webhdfs": "fsspec requests",
}


def opened(address: Address) -> tuple[FileSystem, str]:
    """Return the store of `address`, and what it calls the place there.

    Raises:
        UsageError: nothing is known of its scheme.
        ConfigurationError: a package or a setting is missing.
    """
    try:
        native = _NATIVE.get(address.scheme)
        if native is not None:
            return native(address, os.environ)
        return _by_fsspec(address)
    except ImportError as error:
        raise _not_installed(address, error) from None


def look_again(address: Address) -> None:
    """Do before a store that is open is asked what keeps it from ending the process.

    Raises:
        Exception: of its library: there are no credentials any more.
    """
    if _NATIVE.get(address.scheme) is _azure:
        opened(address)


def takes_threads(address: Address) -> bool:
    """Whether several threads may ask its store at once; of what fsspec knows, not all take it."""
    return address.scheme in _NATIVE


def _local(address: Address, _: Mapping[str, str]) -> tuple[FileSystem, str]:
    from pyarrow.fs import LocalFileSystem

    return LocalFileSystem(), address.path


def _s3(address: Address, variables: Mapping[str, str]) -> tuple[FileSystem, str]:
    endpoint = variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL") or ""
    region = variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION")
    return _s3_store(address.host, endpoint, region), _below(address)


@lru_cache
def _s3_store(bucket: str, endpoint: str, region: str | None) -> FileSystem:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem, resolve_s3_region

    scheme, _, host = endpoint.rpartition("://")
    if not endpoint:
        # A bucket lies in one region, whatever this machine's own is. Where Amazon does not say
        # (in China, without a network), the SDK's own choice stands.
        with contextlib.suppress(OSError):
            region = resolve_s3_region(bucket)
    else:
        # Of checksums that come behind the content, many of these stores know nothing.
        os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    # The stubs lack some of its arguments.
    make: Any = S3FileSystem
    made: FileSystem = make(
        region=region,
        endpoint_override=host.rstrip("/") or None,
        scheme=scheme or "https",
        connect_timeout=_CONNECT_S,
        request_timeout=_SILENT_S,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        force_virtual_addressing=host.rstrip("/").endswith(_BUCKET_IS_HOST),
        # Small objects are one request, not three.
        allow_delayed_open=True,
        # In the background, all that a slow network has not taken yet would stay in memory.
        background_writes=False,
    )
    return made


def _gcs(address: Address, variables: Mapping[str, str]) -> tuple[FileSystem, str]:
    return _gcs_store(address.host, variables.get("STORAGE_EMULATOR_HOST", "")), _below(address)


@lru_cache
def _gcs_store(bucket: str, emulator: str) -> FileSystem:
    from pyarrow.fs import GcsFileSystem

    limit = timedelta(seconds=_SILENT_S * _ATTEMPTS)
    if not emulator:
        look_for_credentials(GcsFileSystem(retry_time_limit=timedelta(seconds=_SILENT_S)), bucket)
        return GcsFileSystem(retry_time_limit=limit)
    scheme, _, host = emulator.rpartition("://")
    return GcsFileSystem(
        anonymous=True,
        scheme=scheme or "http",
        endpoint_override=host.rstrip("/"),
        retry_time_limit=limit,
    )


def look_for_credentials(first: FileSystem, path: str) -> None:
    """Raise what is said where there are none for Google or Azure; all else is when it matters.

    Google's library asks for some as long as it may try a request, so the first look is to be a
    short one. What Azure's throws ends the process, where pyarrow looks at a container or opens a
    file: not where it looks for the first time at a `path` below a container.
    """
    from pyarrow import ArrowException

    try:
        first.get_file_info(path)
    except (OSError, ArrowException) as error:
        if any(said in str(error) for said in _NO_CREDENTIALS):
            raise


def _azure(address: Address, variables: Mapping[str, str]) -> tuple[FileSystem, str]:
    """Open Azure: `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH`, or `abfss://CONTAINER/PATH`.

    The account of the short form, keys and tokens come from the variables of the Azure CLI and of
    Azure's own libraries; where there is no key, by Azure's chain of credentials.
    """
    container, at, machine = address.host.partition("@")
    parts = dict(
        part.partition("=")[::2]
        for part in variables.get("AZURE_STORAGE_CONNECTION_STRING", "").split(";")
    )
    account = machine.partition(".")[0] if at else ""
    account = (
        account
        or variables.get("AZURE_STORAGE_ACCOUNT")
        or variables.get("AZURE_STORAGE_ACCOUNT_NAME")
        or parts.get("AccountName", "")
    )
    if not account:
        raise ConfigurationError(
            f"{address}: no storage account; write {address.scheme}://{container}@ACCOUNT.dfs.core."
            "windows.net/..., or set AZURE_STORAGE_ACCOUNT"
        )
    key = (
        variables.get("AZURE_STORAGE_KEY")
        or variables.get("AZURE_STORAGE_ACCOUNT_KEY")
        or parts.get("AccountKey")
    )
    token = variables.get("AZURE_STORAGE_SAS_TOKEN") or parts.get("SharedAccessSignature")
    path = f"{container}/{address.path}".rstrip("/")
    endpoint = parts.get("BlobEndpoint", "")
    if not key and not token:
        _look_for_azure(account, endpoint, container, int(time.monotonic() / _LOOK_AGAIN_S))
    return _azure_store(account, key, None if key else token, endpoint), path


@lru_cache
def _look_for_azure(account: str, endpoint: str, container: str, _: int) -> None:
    """Look for credentials once in a while: they may go, as those of a machine do."""
    look_for_credentials(_new_azure_store(account, None, None, endpoint), f"{container}/-")


@lru_cache
def _azure_store(account: str, key: str | None, token: str | None, endpoint: str) -> FileSystem:
    return _new_azure_store(account, key, token, endpoint)


def _new_azure_store(account: str, key: str | None, token: str | None, endpoint: str) -> FileSystem:
    from pyarrow.fs import AzureFileSystem

    scheme, _, host = endpoint.rpartition("://")
    places: dict[str, Any] = {}
    if endpoint and not host.startswith(f"{account}."):
        # An emulator, whose host is no subdomain of the account.
        authority = host.partition("/")[0]
        places = {
            "blob_storage_authority": authority,
            "dfs_storage_authority": authority,
            "blob_storage_scheme": scheme,
            "dfs_storage_scheme": scheme,
        }
    sas = None if token is None else f"?{token.removeprefix('?')}"
    made: FileSystem = AzureFileSystem(account, account_key=key, sas_token=sas, **places)
    return made


def _hdfs(address: Address, _: Mapping[str, str]) -> tuple[FileSystem, str]:
    from pyarrow.fs import FileSystem

    store, path = FileSystem.from_uri(f"{address.scheme}://{address.host}/{address.path}")
    return store, path


_NATIVE: dict[str, Callable[[Address, Mapping[str, str]], tuple[FileSystem, str]]] = {
    "file": _local,
    "s3": _s3,
    "gs": _gcs,
    "gcs": _gcs,
    "abfs": _azure,
    "abfss": _azure,
    "az": _azure,
    "hdfs": _hdfs,
    "viewfs": _hdfs,
}


def _below(address: Address) -> str:
    return f"{address.host}/{address.path}".rstrip("/")


def _by_fsspec(address: Address) -> tuple[FileSystem, str]:
    known = set(_NATIVE) | set(_PACKAGES)
    try:
        from fsspec.core import url_to_fs
        from fsspec.registry import available_protocols
    except ImportError:
        if address.scheme in known:
            raise
        raise _unknown(address, known, "after `pip install fsspec`, what that knows") from None
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    known |= set(available_protocols())
    if address.scheme not in known:
        raise _unknown(address, known, "what fsspec knows")
    store, path = url_to_fs(address.url)
    handler: Any = FSSpecHandler  # which its stubs take for abstract
    return PyFileSystem(handler(store)), str(path)


def _unknown(address: Address, known: set[str], others: str) -> UsageError:
    near = did_you_mean(address.scheme, known)
    return UsageError(
        f"{address.scheme}:// is of no known kind of store{near} Known: "
        f"{', '.join(f'{scheme}://' for scheme in (*_NATIVE, 'hf'))}, and {others}"
    )


def _not_installed(address: Address, error: ImportError) -> ConfigurationError:
    package = _PACKAGES.get(address.scheme)
    way_out = f"pip install {package}" if package else str(error)
    return ConfigurationError(
        f"{address.scheme}:// needs a package that is not installed: {way_out}"
    )
