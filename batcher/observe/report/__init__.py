"""A run as one page: what it says, its charts, and the page itself, in English or Chinese."""

from batcher.observe.report.charts import charts
from batcher.observe.report.content import Content, Facts, Failed, ShardRows, Shown
from batcher.observe.report.foreign import cleaned
from batcher.observe.report.page import page
from batcher.observe.report.sheets import CHART_SCRIPTS, STYLES, asset, environment, favicon, policy
from batcher.observe.report.tiles import extents, share, tiles

__all__ = [
    "CHART_SCRIPTS",
    "STYLES",
    "Content",
    "Facts",
    "Failed",
    "ShardRows",
    "Shown",
    "asset",
    "charts",
    "cleaned",
    "environment",
    "extents",
    "favicon",
    "page",
    "policy",
    "share",
    "tiles",
]
