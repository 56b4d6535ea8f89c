"""`import batcher`: what it offers, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import batcher
from batcher.errors import BatcherError

# What takes long to load; `batcher --help` must not wait for it.
_HEAVY = {
    "pyarrow",
    "httpx2",
    "aiohttp",
    "msgspec",
    "asyncio",
    "jinja2",
    "tqdm",
    "sqlite3",
    "click",
}


def test_it_loads_nothing_before_it_is_used() -> None:
    script = f"import sys, batcher; print(sorted({_HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run(  # noqa: S603 # a script of our own
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_all_that_it_offers_is_there() -> None:
    assert all(getattr(batcher, name) is not None for name in batcher.__all__)
    assert dir(batcher) == sorted([*batcher.__all__, "__version__"])


def test_its_errors_are_one_tree() -> None:
    errors = [getattr(batcher, name) for name in batcher.__all__ if name.endswith("Error")]
    assert BatcherError in errors
    assert all(issubclass(error, BatcherError) for error in errors)


def test_what_it_does_not_offer_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'batcher' has no attribute 'rum'"):
        getattr(batcher, "rum")  # noqa: B009 # a name that no type checker would let pass
