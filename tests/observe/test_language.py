"""The two languages of pages and alerts."""

from __future__ import annotations

from batcher.observe.language import Said


def test_a_text_is_said_in_one_language_with_its_figures() -> None:
    said = Said("{rows} rows", "{rows} 行")
    assert (said.to("en", rows=3), said.to("zh", rows=3)) == ("3 rows", "3 行")


def test_a_text_without_figures_is_said_as_it_stands() -> None:
    assert Said("{}", "{").to("zh") == "{"
