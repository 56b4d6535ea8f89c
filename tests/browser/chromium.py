"""Debian's Chromium, and what it says of a page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Playwright,
    Request,
    sync_playwright,
)

from tests.browser.processes import PATIENCE_S

Scheme = Literal["light", "dark"]

_PATH = "/usr/bin/chromium"
# As root it has no sandbox. To it, a name of another site points to this machine.
ELSEWHERE = "elsewhere.example"
_OPTIONS = ("--no-sandbox", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1")
_WIDE, _HIGH = 1200, 900

# Whether anything is drawn on a canvas: points of more than one colour.
_DRAWN = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size > 1;
}"""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser for the block."""
    playwright: Playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_PATH, args=list(_OPTIONS))
        yield browser
        browser.close()


@dataclass
class Seen:
    """A page, and all that the browser had to say of it, or asked of a network."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen to the page from the start."""

        def console(message: ConsoleMessage) -> None:
            self.said.append(f"{message.type}: {message.text}")

        def failed(error: Error) -> None:
            self.said.append(f"error: {error}")

        def asked(request: Request) -> None:
            self.asked.append(str(request.url))

        self.page.on("console", console)
        self.page.on("pageerror", failed)
        self.page.on("request", asked)

    def figure(self, name: str) -> int:
        """Return the figure of a tile."""
        text = self.page.locator(f'[data-tile="{name}"] [data-value]').inner_text()
        return int(text.replace(",", ""))

    def charts(self) -> list[str]:
        """Return the names of the charts that are drawn."""
        names = []
        for chart in self.page.locator("[data-chart]").all():
            canvas = chart.locator("canvas")
            if canvas.count() and canvas.evaluate(_DRAWN):
                names.append(str(chart.get_attribute("data-chart")))
        return names

    def colours(self) -> tuple[str, bytes]:
        """Return the colour of the ground, and the picture of the first chart."""
        ground = self.page.evaluate("getComputedStyle(document.body).backgroundColor")
        canvas: Locator = self.page.locator("[data-chart] canvas").first
        return str(ground), bytes(canvas.screenshot())

    @property
    def sideways(self) -> int:
        """How many pixels of the page stick out, so that one would have to scroll sideways."""
        root = "document.documentElement"
        return int(self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


@contextlib.contextmanager
def page_in(
    browser: Browser, scheme: Scheme = "light", *, wide: int = _WIDE, high: int = _HIGH
) -> Iterator[Seen]:
    """Open an empty page for the block."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": wide, "height": high})
    context.set_default_timeout(PATIENCE_S * 1000)
    yield Seen(context.new_page())
    context.close()
