"""The page of a report."""

from html import escape

from batcher.observe.report.content import Content


def page(content: Content, lang: str) -> str:
    """Return the page, in a language."""
    return f"<!doctype html><html lang={lang}><title>{escape(content.facts.name)}</title>"
