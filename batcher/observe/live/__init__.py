"""A run as a live page: its state, the page, and the server that shows it."""

from batcher.observe.live.board import Board
from batcher.observe.live.page import event, page
from batcher.observe.live.server import serve
from batcher.observe.live.state import Phase, State

__all__ = ["Board", "Phase", "State", "event", "page", "serve"]
