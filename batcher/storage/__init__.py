"""Object stores and other places that a URL names: what lies there, read and written.

The only door to pyarrow.fs and fsspec. Both are loaded when a URL is met, never before.
"""

from batcher.storage.address import Address, is_url
from batcher.storage.ahead import brought
from batcher.storage.folder import Folder
from batcher.storage.listing import Entry, entries_at, entries_below, entry_at
from batcher.storage.remote import RemoteReader
from batcher.storage.waiting import GivenUpError, Stop, at_work, never

__all__ = [
    "Address",
    "Entry",
    "Folder",
    "GivenUpError",
    "RemoteReader",
    "Stop",
    "at_work",
    "brought",
    "entries_at",
    "entries_below",
    "entry_at",
    "is_url",
    "never",
]
