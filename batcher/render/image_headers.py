"""What a file's first bytes say of an image: its type and its size. Nothing is ever decoded.

So a small file that unpacks to gigapixels costs nothing, and no decoder meets foreign bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple


class ImageHeader(NamedTuple):
    """The media type of an image, and its size in pixels."""

    type: str
    width: int
    height: int


def read_header(data: bytes) -> ImageHeader | None:
    """Return what `data` says it is: PNG, JPEG, GIF or WebP; None where it is none of them."""
    for start, type_, size_of in _KINDS:
        if data.startswith(start):
            try:
                size = size_of(data)
            except (struct.error, IndexError):  # cut off within the header
                return None
            return ImageHeader(type_, *size) if size and min(size) > 0 else None
    return None


def _png(data: bytes) -> tuple[int, int] | None:
    """Read the chunk IHDR, which comes first (PNG specification, section 11.2.1)."""
    if data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """Walk over the segments to the frame header (ITU-T T.81, annex B)."""
    at = 2
    while data[at] == _MARK:
        while data[at] == _MARK:  # fill bytes
            at += 1
        marker = data[at]
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 4)
            return width, height
        if marker in _ENDS:
            return None
        (length,) = struct.unpack_from(">H", data, at + 1)
        at += 1 + length
    return None


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _webp(data: bytes) -> tuple[int, int] | None:
    """Read the first chunk: lossy, lossless or extended (RFC 9649, sections 2.5 to 2.7)."""
    match data[8:16]:
        case b"WEBPVP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"WEBPVP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"WEBPVP8X":
            low, high = struct.unpack_from("<IH", data, 24)
            return (low & 0xFFFFFF) + 1, (low >> 24 | high << 8) + 1
        case _:
            return None


_MARK = 0xFF
# Frames are SOF0 to SOF15, but for the tables of codes and of arithmetic, and what is reserved.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# The end of the image, and the start of its data: no header can follow.
_ENDS = frozenset({0xD9, 0xDA})

_KINDS: tuple[tuple[bytes, str, Callable[[bytes], tuple[int, int] | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png", _png),
    (b"\xff\xd8\xff", "image/jpeg", _jpeg),
    (b"GIF87a", "image/gif", _gif),
    (b"GIF89a", "image/gif", _gif),
    (b"RIFF", "image/webp", _webp),
)
