"""The cache that a job names, opened for the endpoint that is called."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from batcher.cache import Cache
from batcher.job import JobSpec
from batcher.runs.calling import Callee


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
