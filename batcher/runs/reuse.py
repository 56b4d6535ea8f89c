"""The cache that a job names, opened for the endpoint that is called."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from batcher.cache import Cache
from batcher.job import JobSpec
from batcher.runs.calling import Callee

# Characters of answers that are held at a time, only to know that they are there.
_LOOKED_AT = 1024 * 1024


@contextlib.contextmanager
def open_cache(
    job: JobSpec, callee: Callee, on_notice: Callable[[str], None]
) -> Iterator[Cache | None]:
    """Yield the cache of a job, None where it names none; `on_notice` may be told by any thread.

    Raises:
        OutputError: it cannot be created or written.
        StorageError: it is damaged, or of another program or version.
    """
    if job.reuse.cache is None:
        yield None
        return
    with Cache.open(Path(job.reuse.cache), scope(job, callee), on_notice) as cache:
        yield cache


def scope(job: JobSpec, callee: Callee) -> str:
    """Name whose answers a run gets: the endpoint's, or the simulator's, which are no model's.

    The models that may answer in place of the one that is asked make for answers of another kind.
    """
    models = job.provider.models[1:]
    fallback = [models, job.provider.fallback_on] if models else None
    if callee.simulator is not None:
        return msgspec.json.encode(["simulator", callee.simulator.seed, fallback]).decode()
    return msgspec.json.encode([_endpoint(callee.provider.base_url), fallback]).decode()


def _endpoint(base_url: str) -> str:
    """Return an address without what may be secret in it, and without what makes no difference."""
    url = urlsplit(base_url)
    host = url.netloc.rpartition("@")[2].lower()
    return f"{url.scheme}://{host}{url.path.rstrip('/')}"


@contextlib.contextmanager
def known_cache(job: JobSpec, callee: Callee) -> Iterator[Cache | None]:
    """Yield the cache of a job to look into, None where it has none yet: none is made.

    Raises:
        OutputError: it cannot be written.
        StorageError: it is damaged, or of another program or version.
    """
    if job.reuse.cache is None or not Cache.exists(Path(job.reuse.cache)):
        yield None
        return
    with open_cache(job, callee, lambda _notice: None) as cache:
        yield cache


def cached(cache: Cache | None, contents: Sequence[str]) -> set[str]:
    """Return those of the contents of requests that a cache answers."""
    known: set[str] = set()
    while cache is not None and contents:
        found, contents = cache.find(contents, _LOOKED_AT)
        known |= found.keys()
    return known
