"""What a run's report says, gathered from its directory; and the page written there."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint
from batcher.errors import ErrorClass, Interruption, OutputError, StorageError
from batcher.job import ObserveSpec
from batcher.job.urls import PATHS
from batcher.observe.report import Content
from batcher.runs.directory import RunDirectory
from batcher.runs.report import Reporter, reported
from batcher.runs.selection import Portion
from batcher.runs.status import status_of
from tests.simulated import AT_ONCE, Place

SECRETIVE = "Say 3."


def _content(place: Place, *, samples: bool = True) -> Content:
    return Reporter(place.directory, samples=samples).content()


def test_a_run_writes_it_at_its_end_readable_by_its_owner_only(place: Place) -> None:
    result = place.run()
    page = place.directory.report
    assert f"  report    {page}" in list(result.summary.lines())
    assert SECRETIVE in page.read_text("utf-8")
    assert page.stat().st_mode & 0o777 == 0o600
    assert not page.with_name("report.html.tmp").exists()


def test_a_job_can_do_without_it_or_without_prompts_or_in_chinese(place: Place) -> None:
    place.run(place.job(observe={"report": False}))
    assert not place.directory.report.exists()
    place.run(place.job(observe={"report_samples": False, "lang": "zh"}))
    text = place.directory.report.read_text("utf-8")
    assert SECRETIVE not in text
    assert 'lang="zh' in text
    assert Reporter.of(place.directory) == Reporter(place.directory, "zh", samples=False)
    assert Reporter.of(place.directory, lang="en", samples=True) == Reporter(place.directory)


def test_it_says_what_ran_and_how_far_it_is(place: Place) -> None:
    place.run(place.job(parameters={"temperature": 0.2}))
    facts = _content(place).facts
    assert (facts.name, facts.state, facts.simulated, facts.total) == (
        "prompts.batch",
        "finished",
        True,
        10,
    )
    assert facts.settings["parameters.temperature"] == 0.2
    assert facts.limits["limits"]["max_attempts"] == 8
    assert "directory" not in facts.limits["output"]
    assert facts.provider is None


def test_a_part_of_the_input_is_not_the_whole(place: Place) -> None:
    replace(place.session(), portion=Portion(limit=4)).run()
    content = _content(place)
    assert (content.facts.state, content.facts.total, content.counts.results) == ("stopped", 10, 4)


def test_a_run_of_some_rows_is_not_called_finished_by_anything_that_tells_of_it(
    place: Place,
) -> None:
    """The page and run.json, which it writes itself, and what `batcher status` says."""
    replace(place.session(), portion=Portion(limit=4)).run()
    assert 'data-state="stopped"' in place.directory.report.read_text("utf-8")
    facts = place.directory.description_facts()
    assert (facts["state"], facts["pending"]) == ("stopped", 0)
    assert status_of(place.directory).state == "stopped"


def test_errors_come_with_examples_and_their_prompts(place: Place) -> None:
    faulty = replace(AT_ONCE, faults={"sensitive": 1.0})
    place.run(simulator=faulty)
    content = _content(place)
    (failed,) = content.failed
    assert (failed.error_class, failed.rows) == (ErrorClass.CONTENT_FILTERED, 10)
    assert [one.outcome.id for one in failed.examples] == [f"id-{n}" for n in range(5)]
    assert failed.examples[3].messages == [{"role": "user", "content": SECRETIVE}]
    assert content.slowest == []


def test_without_samples_nothing_of_a_prompt_or_an_answer_is_in_it(place: Place) -> None:
    """Nor what the provider said of an error, which may quote them."""
    place.run()
    content = _content(place, samples=False)
    assert content.sample is None
    for shown in (*content.slowest, *content.longest):
        assert shown.messages is None
        assert (shown.outcome.response, shown.outcome.message) == (None, None)
    assert content.slowest
    assert SECRETIVE not in repr(content)


def test_where_things_lie_is_not_in_it(place: Place) -> None:
    """The page may be put where others read it; of every key that names a place, none does."""
    place.run()
    places = [*PATHS, ("output", "to"), ("output", "sync_checkpoint"), ("output", "sync_every")]
    tables: dict[str, dict[str, str]] = {}
    for table, key in places:
        tables.setdefault(table, {})[key] = f"/canary/{key}"
    with Checkpoint.open(place.directory.checkpoint) as checkpoint:
        checkpoint.remember(job=tables)
    shown = _content(place).facts.limits
    assert shown == {"output": {"sync_every": "/canary/sync_every"}, "reuse": {}}


def test_history_and_sums_agree_also_after_several_processes(place: Place) -> None:
    replace(place.session(), portion=Portion(limit=3)).run()
    replace(place.session(), portion=Portion(limit=6)).run()
    place.run()
    content = _content(place)
    assert len(content.history.processes) == 3
    assert {process.ended for process in content.history.processes} == {"done"}
    assert sum(moment.results for moment in content.history.moments) == 10
    assert sum(moment.attempts for moment in content.history.moments) == content.counts.attempts
    assert content.history.latencies.buckets.total() == 10


def test_it_can_be_made_where_the_input_is_gone(place: Place) -> None:
    place.run()
    place.input.unlink()
    content = _content(place)
    assert "prompts.jsonl" in str(content.note)
    assert content.sample is not None
    assert [one.messages for one in content.sample] == [None] * 10
    assert content.sample[0].outcome.response


def test_of_no_run_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is this the directory of a run"):
        Reporter(RunDirectory(tmp_path)).write()


def test_only_what_is_named_as_a_page_is_written_over(place: Place) -> None:
    """No checkpoint, no results, no input: nothing that was paid is lost by a slip."""
    place.run()
    reporter = Reporter(place.directory)
    for path in (place.directory.checkpoint, place.directory.results, place.input):
        before = path.read_bytes()
        with pytest.raises(OutputError, match=r"its name must end in \.html"):
            reporter.write(path)
        assert path.read_bytes() == before
    assert reporter.write(place.folder / "run.html") == place.folder / "run.html"


def test_it_follows_no_link_and_is_not_left_half_written(place: Place) -> None:
    place.run(place.job(observe={"report": False}))
    victim = place.folder / "victim"
    victim.write_text("precious")
    for name in ("report.html", "report.html.tmp"):
        (place.directory.path / name).symlink_to(victim)
    Reporter(place.directory).write()
    assert victim.read_text() == "precious"
    assert not place.directory.report.is_symlink()
    (place.folder / "there.html").mkdir()
    before = sorted(place.folder.iterdir())
    with pytest.raises(OutputError, match="a directory has this name"):
        Reporter(place.directory).write(place.folder / "there.html")
    assert sorted(place.folder.iterdir()) == before


def test_whoever_waits_can_end_it(place: Place) -> None:
    place.run(place.job(observe={"report": False}))

    def stop() -> None:
        raise Interruption(signal.SIGINT)

    with pytest.raises(Interruption):
        Reporter(place.directory, check=stop).write()
    assert not place.directory.report.exists()


def test_a_report_that_cannot_be_made_ends_no_run(place: Place) -> None:
    """All answers are there, and the summary says what is missing."""
    replace(place.session(place.job(observe={"report": False})), portion=Portion(limit=1)).run()
    place.directory.report.mkdir()
    result = place.run()
    (line,) = [line for line in result.summary.lines() if line.startswith("  report")]
    assert line.startswith("  report    not written: cannot create")
    assert result.summary.counts.results == 10


def test_a_report_that_fails_by_a_mistake_spoils_no_end(place: Place) -> None:
    """Of a run and of a merge: all answers are there."""
    place.run()

    def mistake() -> None:
        1 / 0  # noqa: B018 -- what a mistake may be

    told = reported(place.directory, ObserveSpec(), mistake)
    assert told == "not written: division by zero"
