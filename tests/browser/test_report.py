"""The report of a run that met trouble, was killed and taken up again, as a browser shows it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import Scheme, Seen, page_in
from tests.browser.processes import HOSTILE, batcher, kill, running, write_hostile

Shoot = Callable[[Seen, str], None]

# All of them fit into the sample.
ROWS = 180
_RUN = (
    *("run", "prompts.jsonl", "--simulate", "--sim-latency", "0.2", "-c", "6"),
    *("--sim-fault", "1302=0.05", "--sim-fault", "500=0.03", "--sim-fault", "sensitive=0.08"),
    *("--allow-errors", "100%", "-m", "glm-4.5-air"),
)
_CHARTS = {
    *("rows", "tokens", "calls", "failures", "cost"),
    *("latency", "prompt_tokens", "completion_tokens"),
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the run; its report is in three variants."""
    made = tmp_path_factory.mktemp("reported")
    write_hostile(made, ROWS)
    ledger = made / "prompts.batch" / "simulator.jsonl"
    with running(made, *_RUN) as process:
        while not (ledger.exists() and ledger.read_text().count('"answered"') >= ROWS // 3):
            assert process.poll() is None
        kill(process)
    batcher(made, *_RUN)
    batcher(made, "report", "prompts.batch", "--lang", "zh", "--to", "zh.html")
    batcher(made, "report", "prompts.batch", "--no-samples", "--to", "bare.html")
    return made


@pytest.fixture
def seen(browser: Browser) -> Iterator[Seen]:
    """Return an empty page."""
    with page_in(browser) as opened:
        yield opened


def _open(seen: Seen, folder: Path, name: str = "prompts.batch/report.html") -> None:
    seen.page.goto((folder / name).as_uri())
    expect(seen.page.locator("[data-chart] canvas").first).to_be_visible()


def test_it_opens_without_a_complaint_and_asks_no_network(
    folder: Path, seen: Seen, shoot: Shoot
) -> None:
    _open(seen, folder)
    for folded in seen.page.locator("details").all():
        folded.evaluate("folded => { folded.open = true; }")
    assert seen.said == []
    assert seen.asked == [(folder / "prompts.batch" / "report.html").as_uri()]
    shoot(seen, "report-unfolded")


def test_every_chart_has_content_and_says_in_words_what_it_shows(folder: Path, seen: Seen) -> None:
    _open(seen, folder)
    assert {*seen.charts()} == _CHARTS
    for chart in seen.page.locator("[data-chart]").all():
        assert any(letter.isdigit() for letter in chart.locator("[data-said]").inner_text())


def test_the_figures_are_those_of_the_whole_run_however_often_it_was_resumed(
    folder: Path, seen: Seen
) -> None:
    _open(seen, folder)
    assert seen.figure("results") + seen.figure("errors") == ROWS
    assert seen.figure("errors") > 0
    assert seen.figure("pending") == 0
    rows = seen.page.locator("#processes tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("killed")
    data: dict[str, Any] = json.loads(seen.page.locator("#chart-data").inner_text())
    assert len(data["resumed"]) == 1
    (results, errors) = (sum(series["values"]) for series in data["charts"]["rows"]["series"])
    assert results > errors > 0


def test_prompts_that_are_markup_are_shown_as_the_text_they_are(folder: Path, seen: Seen) -> None:
    _open(seen, folder)
    assert "owned" not in seen.page.title()
    for row, prompt in enumerate(HOSTILE[:4]):
        card = seen.page.locator(f'#sample [data-id="id-{row}"]')
        card.locator("summary").first.click()
        expect(card.locator(".message pre").first).to_have_text(prompt)
    card = seen.page.locator('#sample [data-id="id-4"]')
    shown = card.locator(".message pre").first.text_content()
    assert shown is not None
    assert "{{ 7 * 7 }}" in shown
    assert not {"\u202e", "\x00", "\x1b"} & {*shown}
    assert seen.page.locator("img").count() == 0
    assert "owned" not in seen.page.title()
    assert seen.said == []


def test_the_sample_is_searched_as_one_types_and_by_kind(folder: Path, seen: Seen) -> None:
    _open(seen, folder)
    rows = seen.page.locator("#sample [data-kind]")
    visible = seen.page.locator("#sample [data-kind]:visible")
    expect(visible).to_have_count(ROWS)
    search = seen.page.locator("#search")
    search.press_sequentially("SUM what")
    expect(visible).to_have_count(ROWS - len(HOSTILE))
    search.press_sequentially(" ID-46")
    expect(visible).to_have_count(1)
    assert visible.first.get_attribute("data-id") == "id-46"
    expect(seen.page.locator("#found")).to_contain_text("1")
    search.fill("no such words")
    expect(visible).to_have_count(0)
    search.fill("")
    seen.page.locator("#kind").select_option("error")
    expect(visible).to_have_count(seen.figure("errors"))
    assert rows.count() == ROWS


def test_both_themes_are_there_and_the_charts_follow(
    folder: Path, seen: Seen, shoot: Shoot
) -> None:
    _open(seen, folder)
    light = seen.colours()
    shoot(seen, "report-light")
    seen.page.emulate_media(color_scheme="dark")
    dark = seen.colours()
    shoot(seen, "report-dark")
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    assert {*seen.charts()} == _CHARTS
    seen.page.emulate_media(color_scheme="light")
    assert seen.colours()[0] == light[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["prompts.batch/report.html", "zh.html"])
def test_on_a_phone_nothing_sticks_out_folded_or_not(
    folder: Path, browser: Browser, scheme: Scheme, name: str, shoot: Shoot
) -> None:
    with page_in(browser, scheme, wide=390) as seen:
        _open(seen, folder, name)
        assert seen.sideways == 0
        shoot(seen, f"report-390-{scheme}-{Path(name).stem}")
        for folded in seen.page.locator("details").all():
            folded.evaluate("folded => { folded.open = true; }")
        assert seen.sideways == 0


def test_it_is_in_chinese_where_that_is_asked_for(folder: Path, seen: Seen, shoot: Shoot) -> None:
    _open(seen, folder, "zh.html")
    assert seen.page.locator("html").get_attribute("lang") == "zh-CN"
    words = seen.page.locator(":is(h2, dt, th[scope=col], h3, caption):visible")
    for heading in words.all_inner_texts():
        assert any("\u4e00" <= letter <= "\u9fff" for letter in heading) or heading == "Token"
    shoot(seen, "report-zh")


def test_without_samples_no_prompt_and_no_answer_is_in_the_file(folder: Path, seen: Seen) -> None:
    whole = (folder / "prompts.batch" / "report.html").read_text("utf-8")
    assert "What is the sum of" in whole
    bare = (folder / "bare.html").read_text("utf-8")
    for secret in ("What is the sum of", "owned", "7 * 7"):
        assert secret not in bare
    _open(seen, folder, "bare.html")
    assert seen.page.locator("#sample, .message").count() == 0
    assert {*seen.charts()} == _CHARTS
    assert seen.said == []
