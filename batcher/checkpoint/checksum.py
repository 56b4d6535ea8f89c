"""What tells a record from one whose bytes have changed on the disk since.

SQLite guards the frames of its log by checksums, but not the pages of the database: a flipped bit
in a text would be read as if it had been written so.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence


def checksum(values: Sequence[object]) -> int:
    """Return the CRC-32 of plain values (text, numbers, None), as the checkpoint keeps it."""
    return zlib.crc32(json.dumps(values, ensure_ascii=False).encode())
