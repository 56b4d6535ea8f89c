"""What a file's first bytes say of an image."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.render.image_headers import ImageHeader, read_header
from tests.pictures import Kind, picture

_TYPES: dict[Kind, str] = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
}
_sides = st.integers(1, 300)


@pytest.mark.parametrize("kind", _TYPES)
@given(width=_sides, height=_sides)
def test_type_and_size_are_those_another_library_wrote(kind: Kind, width: int, height: int) -> None:
    assert read_header(picture(kind, width, height)) == (_TYPES[kind], width, height)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"progressive": True}),
        ("JPEG", {"exif": b"Exif\0\0" + bytes(5000), "comment": b"hello", "dpi": (300, 300)}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}),
        ("GIF", {"comment": b"hello"}),
    ],
)
def test_each_way_to_write_a_type_is_read(kind: Kind, options: dict[str, object]) -> None:
    assert read_header(picture(kind, 70, 50, **options)) == (_TYPES[kind], 70, 50)


def test_fill_bytes_between_the_segments_of_a_jpeg_are_passed_over() -> None:
    data = picture("JPEG", 70, 50)
    assert read_header(data[:2] + b"\xff\xff\xff" + data[2:]) == ("image/jpeg", 70, 50)


@pytest.mark.parametrize("kind", _TYPES)
@given(cut=st.integers(0, 9))
def test_a_file_that_ends_within_its_header_is_no_image(kind: Kind, cut: int) -> None:
    assert read_header(picture(kind)[:cut]) is None


@given(st.binary(max_size=60), st.sampled_from([b"", *(picture(kind)[:16] for kind in _TYPES)]))
def test_bytes_of_any_kind_are_an_image_or_none(data: bytes, start: bytes) -> None:
    assert isinstance(read_header(start + data), ImageHeader | None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no image",
        picture("BMP"),
        b"RIFF\0\0\0\0WAVEfmt " + bytes(30),
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        b"GIF89a" + bytes(10),
        b"\xff\xd8\xff\xda\0\4\0\0" + bytes(20),
        b"\xff\xd8\xff\xe0\0\0" * 9,
    ],
)
def test_what_is_none_of_the_known_types_is_no_image(data: bytes) -> None:
    assert read_header(data) is None


def test_a_small_file_that_unpacks_to_gigapixels_is_only_measured() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    data += struct.pack(">I", zlib.crc32(chunk))
    assert read_header(data) == ("image/png", 60_000, 60_000)
