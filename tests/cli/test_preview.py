"""`batcher preview`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Batcher = Callable[..., Result]


def test_the_exact_requests_are_shown_and_nothing_is_made(batcher: Batcher) -> None:
    done = batcher("preview", "prompts.jsonl", "-m", "glm-4-flash", "-n", "1")
    shown = json.loads(done.stdout)
    assert shown["request"] == {
        "model": "glm-4-flash",
        "messages": [{"role": "user", "content": "Say 0."}],
    }
    assert (shown["row"], shown["id"], shown["source"]) == (0, "id-0", "prompts.jsonl:1")
    assert not Path("prompts.batch").exists()


def test_without_a_model_the_requests_are_shown_with_a_note(batcher: Batcher) -> None:
    done = batcher("preview", "prompts.jsonl", "-n", "1")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["request"]["model"] == "MODEL"
    assert "a run needs --model" in done.stderr
    assert "needs --model" not in batcher("preview", "prompts.jsonl", "-m", "glm-5").stderr


def test_a_bad_row_is_shown_with_its_reason(batcher: Batcher, folder: Path) -> None:
    (folder / "bad.jsonl").write_text('{"text": "x"}\n')
    done = batcher("preview", "bad.jsonl", "-m", "glm-4-flash")
    shown = json.loads(done.stdout)
    assert shown["error_class"] == "invalid_row"
    assert "text" in shown["message"]


def test_standard_input_is_previewed_too(batcher: Batcher) -> None:
    done = batcher("preview", "-", "-m", "glm-4-flash", stdin='{"prompt": "hi"}\n')
    assert json.loads(done.stdout)["request"]["messages"][0]["content"] == "hi"
