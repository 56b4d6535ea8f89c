"""A browser for all tests, and a place for pictures of what it shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import Seen, chromium
from tests.browser.processes import PATIENCE_S

Shoot = Callable[[Seen, str], None]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a browser."""
    expect.set_options(timeout=PATIENCE_S * 1000)
    with chromium() as started:
        yield started


@pytest.fixture
def shoot() -> Shoot:
    """Return what takes a picture of a page, where BATCHER_SCREENSHOTS names a folder for it."""
    folder = os.environ.get("BATCHER_SCREENSHOTS")

    def take(seen: Seen, name: str) -> None:
        if folder:
            seen.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)

    return take
