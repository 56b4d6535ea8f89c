"""What tells a record from one whose bytes have changed on the disk since.

SQLite guards the frames of its log by checksums, but not the pages of the database: a flipped bit
in a text would be read as if it had been written so.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

# MessagePack tells text from bytes and numbers, and is made several times as fast as JSON: each
# row that is recorded or exported goes through here.
_encode = msgspec.msgpack.Encoder().encode


def checksum(values: Sequence[object]) -> int:
    """Return the CRC-32 of plain values (text, numbers, None, lists), as the checkpoint keeps it.

    Raises:
        UnicodeEncodeError: a text is no Unicode, which SQLite cannot hold either.
    """
    return zlib.crc32(_encode(values))
