"""A run as one page: what it says, its charts, and the page itself, in English or Chinese."""

from batcher.observe.report.content import Content, Facts, Failed, Shown

__all__ = ["Content", "Facts", "Failed", "Shown"]
