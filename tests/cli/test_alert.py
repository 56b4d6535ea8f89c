"""`batcher alert`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from batcher.cli.suggestions import EVENTS
from batcher.observe.alerts import Event
from tests.webhooks import PATH, Reply, hook

Batcher = Callable[..., Result]

JOB = '[[alerts.webhooks]]\nurl_env = "HOOK"\n'


@pytest.fixture
def job(folder: Path) -> Path:
    """Return a job with a webhook."""
    path = folder / "job.toml"
    path.write_text(JOB)
    return path


def test_it_shows_json_and_sends_nothing(
    batcher: Batcher, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hook() as server:
        monkeypatch.setenv("HOOK", server.url)
        done = batcher("alert", str(job), "--event", "cost")
    assert (done.exit_code, server.taken) == (0, [])
    assert json.loads(done.stdout)["body"]["event"] == "cost"
    assert PATH not in done.output


def test_it_sends_a_test_and_says_what_came_back(batcher: Batcher, job: Path) -> None:
    """The variable may stand in .env, as those of keys do."""
    with hook([Reply(), Reply(404)]) as server:
        (job.parent / ".env").write_text(f"HOOK={server.url}\n")
        fine = batcher("alert", str(job), "--send")
        refused = batcher("alert", str(job), "--send")
    assert (fine.exit_code, fine.stdout) == (0, "webhook 1 (127.0.0.1): finish: delivered\n")
    assert (refused.exit_code, refused.stdout) == (74, "webhook 1 (127.0.0.1): finish: HTTP 404\n")
    assert [taken.body["test"] for taken in server.taken] == [True, True]


def test_a_variable_that_is_not_set_ends_it_as_it_would_a_run(batcher: Batcher, job: Path) -> None:
    done = batcher("alert", str(job), "--event", "finish")
    assert done.exit_code == 78
    assert "HOOK is not set" in done.stderr
    assert json.loads(done.stdout)["url"] is None


def test_a_misspelt_event_is_a_usage_error(batcher: Batcher, job: Path) -> None:
    done = batcher("alert", str(job), "--event", "costs")
    assert done.exit_code == 2
    assert "did you mean `cost`?" in done.stderr


def test_a_shell_suggests_the_events_there_are() -> None:
    assert tuple(Event) == EVENTS
