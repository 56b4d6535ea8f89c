"""The example rules and configuration for Prometheus: whole, and about metrics that there are."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from batcher.history import Ended
from batcher.observe.metrics.families import FAMILIES, Kind

FOLDER = Path(__file__).parents[2] / "jobs" / "prometheus"
DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
_LABELS = {family.name: {"run", *family.labels} for family in FAMILIES}
_LABELS |= {
    f"{family.name}{end}": {"run", "le", *family.labels}
    for family in FAMILIES
    if family.kind is Kind.HISTOGRAM
    for end in ("_bucket", "_sum", "_count")
}
promtool = shutil.which("promtool")


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def questions() -> list[str]:
    """Return each expression of the rules and of the documentation."""
    documented = re.findall(r"^\| [^|]+ \| `(.*)` \|$", DOCS.read_text("utf-8"), re.MULTILINE)
    assert len(documented) == 5
    return [rule["expr"] for rule in rules()] + documented


def test_each_question_is_about_metrics_and_labels_that_there_are() -> None:
    asked = set[str]()
    for question in questions():
        for name, selector in re.findall(r"(batcher_\w+)(\{[^}]*\})?", question):
            asked.add(name)
            labels = set(re.findall(r"(\w+)[!=~]+\"", selector))
            assert labels <= _LABELS[name], question
    assert len(asked) > 8


def test_words_that_rules_look_for_are_words_that_there_are() -> None:
    (stopped,) = (rule for rule in rules() if rule["alert"] == "BatcherStopped")
    (listed,) = re.findall(r'how!~"([^"]+)"', stopped["expr"])
    assert set(listed.split("|")) < {how.value for how in Ended}


def test_every_rule_says_what_is_the_matter_and_how_bad_it_is() -> None:
    for rule in rules():
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("info", "warning", "critical")


def test_the_configuration_loads_the_rules_and_asks_both_kinds() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    assert [(FOLDER / name).is_file() for name in config["rule_files"]] == [True]
    assert [job["job_name"] for job in config["scrape_configs"]] == ["batcher", "node"]


@pytest.mark.skipif(promtool is None, reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize(
    "words",
    [
        ("check", "config", str(FOLDER / "prometheus.yml")),
        ("check", "rules", str(FOLDER / "alerts.yml")),
        ("test", "rules", str(Path(__file__).with_name("alerts_test.yml"))),
    ],
)
def test_promtool_finds_no_fault_and_rules_fire_when_they_should(words: tuple[str, ...]) -> None:
    done = subprocess.run(  # noqa: S603 -- Prometheus' own
        (str(promtool), *words), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
