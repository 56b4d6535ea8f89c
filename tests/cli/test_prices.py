"""`batcher prices`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Batcher = Callable[..., Result]


def _row(output: str, model: str) -> list[str]:
    (line,) = [line for line in output.splitlines() if line.startswith(f"{model} ")]
    return line.split()


@pytest.mark.parametrize(
    ("args", "head", "row"),
    [
        ((), "glm: CNY for a million tokens, as listed on 2026-07-01", "8 2 28 1,048,576 131,072"),
        (("--provider", "zai"), "zai: USD for a million tokens", "1.4 0.26 4.4 1,048,576 131,072"),
    ],
)
def test_the_list_is_shown_with_its_currency_its_day_and_a_warning(
    batcher: Batcher, args: tuple[str, ...], head: str, row: str
) -> None:
    done = batcher("prices", *args)
    assert done.exit_code == 0
    assert done.stdout.startswith(head)
    assert _row(done.stdout, "glm-5.3") == ["glm-5.3", *row.split()]
    assert "Prices change; today's stand at https://" in done.stdout


def test_each_band_stands_in_a_line_of_its_own(batcher: Batcher) -> None:
    lines = [line.rstrip() for line in batcher("prices").stdout.splitlines()]
    at = next(at for at, line in enumerate(lines) if line.startswith("glm-4.7 "))
    assert lines[at].endswith("prompts below 32,000, answers below 200")
    assert lines[at + 1].split(maxsplit=3)[:3] == ["3", "0.6", "14"]
    assert lines[at + 1].endswith("prompts below 32,000")
    assert lines[at + 2].split() == ["4", "0.8", "16"]


def test_prices_of_a_job_are_shown_as_its_own(batcher: Batcher, folder: Path) -> None:
    (folder / "job.toml").write_text(
        '[provider]\nname = "openai"\n[prices."gpt-x"]\n'
        'input = 0.15\noutput = 0.6\ncurrency = "USD"\n'
    )
    done = batcher("prices", "--job", "job.toml")
    assert done.stdout.startswith("openai: USD")
    assert " ".join(_row(done.stdout, "gpt-x")) == "gpt-x 0.15 0.15 0.6 by the job"


def test_without_a_list_the_way_out_is_named(batcher: Batcher) -> None:
    done = batcher("prices", "--provider", "deepseek")
    assert done.stdout.splitlines() == [
        "No price is known of deepseek's models.",
        'A job sets its own under [prices."MODEL"] (docs/job-file.md)',
    ]


def test_an_unknown_provider_is_refused_with_the_known_ones(batcher: Batcher) -> None:
    done = batcher("prices", "--provider", "gml")
    assert done.exit_code == 78
    assert "not one of glm, zai, openai, deepseek" in done.stderr
