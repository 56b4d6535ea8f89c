"""`batcher watch`: a page that follows a run in another process."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import ELSEWHERE, Seen, page_in
from tests.browser.processes import batcher, kill, running, watching, write_hostile
from tests.ports import kept_port

Shoot = Callable[[Seen, str], None]

ROWS = 400
# Some ten seconds of calls, with some of each trouble.
_SLOW = (
    *("run", "prompts.jsonl", "--simulate", "--sim-latency", "0.3", "-c", "10"),
    *("--sim-fault", "1302=0.05", "--sim-fault", "500=0.03", "--sim-fault", "sensitive=0.03"),
    *("--allow-errors", "100%", "-m", "glm-4.5-air"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with prompts."""
    write_hostile(tmp_path, ROWS)
    return tmp_path


@pytest.fixture
def finished(folder: Path) -> Path:
    """Return the folder of a run of a few rows that has ended."""
    write_hostile(folder, 20)
    batcher(folder, "run", "prompts.jsonl", "--simulate", "--sim-latency", "0")
    return folder


@pytest.fixture
def seen(browser: Browser) -> Iterator[Seen]:
    """Return an empty page."""
    with page_in(browser) as opened:
        yield opened


def _is(seen: Seen, phase: str) -> None:
    """Wait until the page says so."""
    expect(seen.page.locator("body")).to_have_attribute("data-phase", phase)


def _grows(seen: Seen, name: str) -> int:
    """Wait until a figure is another one than now; return which."""
    figure = seen.page.locator(f'[data-tile="{name}"] [data-value]')
    before = figure.inner_text()
    expect(figure).not_to_have_text(before)
    assert seen.figure(name) > int(before.replace(",", ""))
    return seen.figure(name)


def test_it_follows_a_run_through_a_kill_and_a_resume_to_its_end(
    folder: Path, seen: Seen, shoot: Shoot
) -> None:
    with running(folder, *_SLOW) as run:
        while not (folder / "prompts.batch" / "run.json").exists():
            assert run.poll() is None
        with watching(folder) as watch:
            seen.page.goto(watch.address)
            _is(seen, "running")
            _grows(seen, "results")
            first = _grows(seen, "results")
            expect(seen.page.locator("#simulated")).to_be_visible()
            expect(seen.page.locator("#now")).to_be_visible()
            shoot(seen, "watch-running")
            kill(run)
            _is(seen, "killed")
            expect(seen.page.locator("#status")).to_contain_text("the same command goes on")
            with running(folder, *_SLOW) as again:
                _is(seen, "running")
                assert _grows(seen, "results") > first
                said, _ = again.communicate()
            _is(seen, "finished")
            expect(seen.page.locator("#phase")).to_have_text("finished")
            expect(seen.page.locator("#now")).to_be_hidden()
            assert seen.figure("results") + seen.figure("errors") == ROWS, said
            assert seen.figure("pending") == 0
            assert {"rows", "failures", "calls", "tokens", "cost", "latency"} <= {*seen.charts()}
            expect(seen.page.locator("#errors tbody tr")).not_to_have_count(0)
            shoot(seen, "watch-finished")
            assert seen.said == []
            assert {*seen.asked} == {watch.address, f"{watch.address}events"}


def test_each_open_page_shows_the_same_run(finished: Path, browser: Browser) -> None:
    with watching(finished) as watch, page_in(browser) as one, page_in(browser) as other:
        for seen in (one, other):
            seen.page.goto(watch.address)
            _is(seen, "finished")
            assert seen.figure("results") == 20
            assert seen.said == []


def test_a_directory_that_is_moved_is_told_of_and_found_again(finished: Path, seen: Seen) -> None:
    with watching(finished) as watch:
        seen.page.goto(watch.address)
        _is(seen, "finished")
        away = (finished / "prompts.batch").rename(finished / "away")
        _is(seen, "gone")
        assert seen.figure("results") == 20
        away.rename(finished / "prompts.batch")
        _is(seen, "finished")
        assert "Traceback" not in watch.end(signal.SIGTERM)[1]
    assert seen.said == []


def test_it_speaks_chinese(finished: Path, seen: Seen, shoot: Shoot) -> None:
    with watching(finished, "--lang", "zh") as watch:
        seen.page.goto(watch.address)
        _is(seen, "finished")
        assert seen.page.locator("html").get_attribute("lang") == "zh-CN"
        expect(seen.page.locator("#status")).to_have_text("任务已结束：每一行都有了结果。")
        assert "Results" not in seen.page.locator("body").inner_text()
        shoot(seen, "watch-zh")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_at_once_and_its_pages_say_so(
    finished: Path, seen: Seen, number: signal.Signals, code: int
) -> None:
    with watching(finished) as watch:
        seen.page.goto(watch.address)
        _is(seen, "finished")
        ended, said = watch.end(number)
        assert ended == code
        assert "Traceback" not in said
        assert watch.address not in said
        _is(seen, "over")
        expect(seen.page.locator("#status")).to_contain_text("Run the command again")
        assert seen.figure("results") == 20


def test_a_page_whose_server_was_killed_keeps_trying_and_is_told_of_another_one(
    finished: Path, seen: Seen
) -> None:
    """The other one has another token, so that the page can only say what to do."""
    with kept_port() as port, watching(finished, "--port", str(port)) as watch:
        seen.page.goto(watch.address)
        _is(seen, "finished")
        kill(watch.process)
        _is(seen, "no_answer")
        with watching(finished, "--port", str(port)) as other:
            assert other.address != watch.address
            _is(seen, "over")
            expect(seen.page.locator("#status")).to_contain_text("open the address that it prints")


def test_without_the_token_or_by_another_name_there_is_nothing(finished: Path, seen: Seen) -> None:
    """The browser believes that the other name is this machine, as after a DNS rebinding."""
    with watching(finished) as watch:
        assert _status(seen, watch.address) == 200
        by_localhost = watch.address.replace("127.0.0.1", "localhost")
        assert _status(seen, by_localhost) == 200
        wrong = f"http://127.0.0.1:{watch.port}/wrong/"
        elsewhere = watch.address.replace("127.0.0.1", ELSEWHERE)
        for address in (wrong, f"{wrong}events", elsewhere, f"{elsewhere}events"):
            assert _status(seen, address) == 404
            assert "prompts" not in seen.page.content()


def _status(seen: Seen, address: str) -> int:
    response = seen.page.goto(address, wait_until="commit")
    assert response is not None
    return int(response.status)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_sticks_out(
    finished: Path, browser: Browser, scheme: str, shoot: Shoot
) -> None:
    with (
        watching(finished) as watch,
        page_in(browser, "dark" if scheme == "dark" else "light", wide=390) as seen,
    ):
        seen.page.goto(watch.address)
        _is(seen, "finished")
        assert seen.sideways == 0
        shoot(seen, f"watch-390-{scheme}")
