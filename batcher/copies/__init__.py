"""Copies of a checkpoint at another place, so that a run goes on elsewhere.

`latest.json` there names the one copy that counts, and the process that works on the run. A copy is
complete before it is named, and older ones are removed after that: at no moment is half a copy
named, whatever the place is.
"""

from batcher.copies.copying import Copying
from batcher.copies.keeping import Keeper
from batcher.copies.latest import Copy, Latest, Spooled, Writer
from batcher.copies.shelf import Shelf
from batcher.copies.store import Store
from batcher.copies.taking_up import Taken, give_back, take_up

__all__ = [
    "Copy",
    "Copying",
    "Keeper",
    "Latest",
    "Shelf",
    "Spooled",
    "Store",
    "Taken",
    "Writer",
    "give_back",
    "take_up",
]
