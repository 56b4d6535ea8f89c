"""The pictures of the docs: of a simulated run of 20,000 rows that met trouble and was killed once.

`make screenshots` takes them anew: `python -m tests.browser.screenshots FOLDER`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, expect

from tests.browser.chromium import Scheme, Seen, chromium, page_in
from tests.browser.processes import batcher, kill, running, watching, write_prompts

ROWS = 20_000
# An endpoint that takes some 40 calls at once, refuses and fails some, and is down for a while.
RUN = (
    *("run", "prompts.jsonl", "-m", "glm-4.5-air", "--allow-errors", "100%"),
    *("--simulate", "--sim-latency", "0.25", "--sim-limit", "40", "--sim-outage", "25+12"),
    *("--sim-fault", "500=0.01", "--sim-fault", "1302=0.01", "--sim-fault", "1305=0.005"),
    *("--sim-fault", "sensitive=0.01", "--sim-fault", "truncated=0.003"),
)
# More than a run of this size takes.
_RUN_S = 600


class Picture(NamedTuple):
    """A picture of a page: how the browser is, and what of the page is seen at its top."""

    name: str
    scheme: Scheme = "light"
    wide: int = 1100
    high: int = 1150
    page: str = "prompts.batch/report.html"
    at: str | None = None
    open: str | None = None


PICTURES = (
    Picture("report"),
    Picture("report-dark", "dark"),
    Picture("report-zh", page="zh.html"),
    Picture("report-phone", wide=390, high=1000),
    Picture("report-phone-dark", "dark", wide=390, high=1000, at="#over-time"),
    Picture("report-sample", high=620, at="#sample", open='#sample [data-kind="error"]'),
)


def main(folder: Path) -> None:
    """Make the run, and take all pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made, chromium() as browser:
        place = Path(made)
        write_prompts(place, ROWS)
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
        if picture.open:
            seen.page.locator(picture.open).first.evaluate("folded => { folded.open = true; }")
        if picture.at:
            seen.page.locator(picture.at).evaluate("section => section.scrollIntoView()")
        seen.page.screenshot(path=str(folder / f"{picture.name}.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
