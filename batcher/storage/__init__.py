"""Object stores and other places that a URL names: what lies there, read and written.

The only door to pyarrow.fs and fsspec. Both are loaded when a URL is met, never before.
"""

from batcher.storage.address import Address, is_url
from batcher.storage.folder import Folder

__all__ = ["Address", "Folder", "is_url"]
