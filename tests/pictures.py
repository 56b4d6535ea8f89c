"""Images for tests: real ones, of any type and size."""

from __future__ import annotations

import base64
import io
import random
from typing import Literal

from PIL import Image

Kind = Literal["PNG", "JPEG", "WEBP", "GIF", "BMP"]


def picture(kind: Kind = "PNG", width: int = 8, height: int = 6, **options: object) -> bytes:
    """Return an image of one colour, as `kind` writes it with Pillow's `options`."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(file, kind, **options)
    return file.getvalue()


def noisy_picture(side: int) -> bytes:
    """Return a PNG that does not get smaller by packing: about 3 bytes a pixel."""
    file = io.BytesIO()
    pixels = random.Random(0).randbytes(side * side * 3)  # noqa: S311 -- no secret
    Image.frombytes("RGB", (side, side), pixels).save(file, "PNG")
    return file.getvalue()


def bare(data: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(data).decode()
