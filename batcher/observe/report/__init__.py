"""A run as one page: what it says, its charts, and the page itself, in English or Chinese."""

from batcher.observe.report.content import Content, Facts, Failed, Shown
from batcher.observe.report.page import page

__all__ = ["Content", "Facts", "Failed", "Shown", "page"]
