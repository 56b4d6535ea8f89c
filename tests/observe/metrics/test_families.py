"""The list of metrics, and that the documentation has the same."""

from __future__ import annotations

import re
from pathlib import Path

from batcher.observe.metrics.families import FAMILIES, Kind

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
_ROW = re.compile(r"^\| `(batcher_\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \| [^|]+ \|$", re.MULTILINE)
_UNITS = {"s": "seconds", "1": "", "{row}": "rows", "{call}": "calls", "{attempt}": "calls"}
_UNITS |= {"{token}": "tokens"}


def test_the_table_of_the_documentation_is_the_list_of_the_code() -> None:
    """Name, type, unit and labels, in the same order."""
    documented = [
        (name, kind, unit.strip(), tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, unit, labels in _ROW.findall(DOCS.read_text("utf-8"))
    ]
    assert documented == [
        (family.name, family.kind.value, _unit(family.name, family.unit), family.labels)
        for family in FAMILIES
    ]


def _unit(name: str, unit: str) -> str:
    return "currency" if name.endswith(("cost", "cost_total")) else _UNITS[unit]


def test_names_keep_to_the_conventions_of_prometheus() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert re.fullmatch(r"batcher_[a-z_]+", family.name)
        assert family.name.endswith("_total") == (family.kind is Kind.COUNTER)
        assert family.name.endswith("_seconds") == (family.unit == "s")
        assert "run" not in family.labels
        assert family.text.endswith(".")
