"""The pictures of the docs: of a simulated run of 20,000 rows that met trouble and was killed once.

`make screenshots` takes them anew: `python -m tests.browser.screenshots FOLDER`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, expect

from tests.browser.chromium import Scheme, Seen, chromium, page_in
from tests.browser.processes import batcher, kill, running, watching, write_prompts

ROWS = 20_000
# An endpoint that takes some 60 calls at once, refuses more, fails some, and is down for a while.
RUN = (
    *("run", "prompts.jsonl", "-m", "glm-4.5-air", "--allow-errors", "100%"),
    *("--simulate", "--sim-latency", "0.25", "--sim-limit", "60", "--sim-outage", "30+8"),
    *("--sim-fault", "500=0.01", "--sim-fault", "sensitive=0.01", "--sim-fault", "1261=0.002"),
    *("-p", "max_tokens=200"),
)
_THINGS = ("a kettle", "headphones", "一本词典", "running shoes", "a desk lamp", "雨伞", "a router")
_OPINIONS = (
    *("arrived a day early and works as it should", "the box was open and one part is missing"),
    *("质量很好，下次还会买", "it broke after a week, and nobody answers my letters"),
    *("包装破了，客服一直不回复", "as described; my daughter uses it every day"),
)
# More than a run of this size takes.
_RUN_S = 600


class Picture(NamedTuple):
    """A picture of a page: how the browser is, and what of the page is at its top."""

    name: str
    scheme: Scheme = "light"
    wide: int = 1100
    high: int = 1150
    page: str = "prompts.batch/report.html"
    at: str | None = None
    unfold: str | None = None


PICTURES = (
    Picture("report"),
    Picture("report-dark", "dark", at="#over-time"),
    Picture("report-zh", page="zh.html"),
    Picture("report-phone", wide=390, high=1000),
    Picture("report-phone-dark", "dark", wide=390, high=1000, at="#over-time"),
    Picture("report-sample", high=620, at="#sample", unfold="#sample [data-kind]"),
)


def main(folder: Path) -> None:
    """Make the run, and take all pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made, chromium() as browser:
        place = Path(made)
        write_prompts(place, _prompts())
        expect.set_options(timeout=_RUN_S * 1000)
        with running(place, *RUN) as run:
            while not (place / "prompts.batch" / "run.json").exists():
                assert run.poll() is None
            with watching(place) as watch, page_in(browser, high=1150, wide=1100) as seen:
                seen.page.goto(watch.address)
                _wait_for(seen, ROWS // 2)
                kill(run)
                expect(seen.page.locator("body")).to_have_attribute("data-phase", "killed")
                with running(place, *RUN) as again:
                    _wait_for(seen, ROWS * 3 // 4)
                    seen.page.screenshot(path=str(folder / "watch.png"))
                    assert again.wait(_RUN_S) == 0
        batcher(place, "report", "prompts.batch", "--lang", "zh", "--to", "zh.html")
        for picture in PICTURES:
            _take(browser, place, picture, folder)


def _prompts() -> Iterator[str]:
    """Yield what one might ask about reviews."""
    for n in range(ROWS):
        thing = _THINGS[n % len(_THINGS)]
        opinion = _OPINIONS[n % len(_OPINIONS)]
        yield f"Is this review positive or negative? Order {n + 1:05}, {thing}: {opinion}."


def _wait_for(seen: Seen, results: int) -> None:
    """Wait until a live page shows so many."""
    figure = seen.page.locator('[data-tile="results"] [data-value]')
    expect(seen.page.locator("body")).to_have_attribute("data-phase", "running")
    while seen.figure("results") < results:
        expect(figure).not_to_have_text(figure.inner_text())


def _take(browser: Browser, place: Path, picture: Picture, folder: Path) -> None:
    with page_in(browser, picture.scheme, wide=picture.wide, high=picture.high) as seen:
        seen.page.goto((place / picture.page).as_uri())
        expect(seen.page.locator("[data-chart] canvas").first).to_be_visible()
        if picture.unfold:
            seen.page.locator(picture.unfold).first.evaluate("folded => { folded.open = true; }")
        if picture.at:
            seen.page.locator(picture.at).evaluate("section => section.scrollIntoView()")
        seen.page.screenshot(path=str(folder / f"{picture.name}.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
