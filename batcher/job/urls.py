"""Where a job reads and writes: places on this machine, and URLs where they can stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batcher.durations import seconds_of
from batcher.errors import ConfigurationError, UsageError
from batcher.job.spec import JobSpec, OutputSpec
from batcher.storage import Address, is_url

PATHS = (
    *(("provider", "api_key_file"), ("prompt", "images_from"), ("output", "directory")),
    ("reuse", "cache"),
    ("observe", "metrics_file"),
)
"""The keys that name a place on this machine, by table."""


def check_urls(job: JobSpec, tables: Mapping[str, Any], where: str) -> None:
    """Make sure that URLs stand where they can, and hold no secret: a job is written down."""
    for given in (*job.input, *filter(None, [job.output.to])):
        if is_url(given):
            Address.of(given)
    if job.output.to is not None and not is_url(job.output.to):
        raise ConfigurationError(
            f"{where}: [output] to is a URL such as s3://bucket/folder, not {job.output.to!r}; a "
            "directory of this machine is named with -o"
        )
    if job.output.to is not None:
        _check_writable(Address.of(job.output.to), "to", where)
    for table, key in PATHS:
        path = tables.get(table, {}).get(key)
        if not isinstance(path, str) or not is_url(path):
            continue
        address = Address.of(path)
        if (table, key) == ("output", "directory"):
            raise UsageError(
                f"{where}: the run directory cannot be {address}: a checkpoint needs a disk of "
                "this machine. Name it with -o DIR, and where its files are to go too with --to "
                f"{address}"
            )
        raise ConfigurationError(
            f"{where}: [{table}] {key} is on this machine, not at a URL ({address})"
        )


def check_base_url(base_url: str, where: str) -> None:
    """Refuse the address of an API that may hold a secret, and show nothing of it.

    Raises:
        ConfigurationError: it holds a user or settings; the message begins with `where` it stands.
    """
    if "@" in base_url:
        raise ConfigurationError(f"{where} must not hold a user name or password")
    if "?" in base_url or "#" in base_url:
        raise ConfigurationError(
            f"{where} must end with its path: what stands behind a ? or # may be a secret, and "
            "would be written down"
        )


def check_copies(job: JobSpec, where: str) -> None:
    """Refuse a place of copies that may hold a secret, and copies that would never pause."""
    if job.output.sync_checkpoint is not None:
        _check_writable(Address.of(job.output.sync_checkpoint), "sync_checkpoint", where)
    elif job.output.sync_every != OutputSpec().sync_every:
        raise ConfigurationError(
            f"{where}: [output] sync_every does nothing without sync_checkpoint, which says where "
            "copies of the checkpoint are kept"
        )
    if seconds_of(job.output.sync_every) < 1:
        raise ConfigurationError(
            f"{where}: [output] sync_every = {job.output.sync_every!r}: at least 1s"
        )


def _check_writable(address: Address, key: str, where: str) -> None:
    if address.is_read_only:
        raise ConfigurationError(
            f"{where}: [output] {key}: nothing can be written to {address.scheme}://; name a "
            "folder of a store, such as s3://bucket/folder"
        )
