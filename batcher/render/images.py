"""Images of a row become parts of its last user message, checked before anything is paid."""

from __future__ import annotations

import base64
import binascii
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from batcher.errors import ErrorClass, RowError
from batcher.limits import ImageRules
from batcher.records import Prompt
from batcher.render.image_headers import read_header
from batcher.wording import kind_of

Message = dict[str, object]
ReadImage = Callable[[str, str, int], bytes]
"""Reads the image at a path that a row of an input file names, of at most so many bytes.

Raises UnusableImageError where the row is to blame.
"""

_DATA = "data:"
_BASE64 = ";base64"
_SCHEMES = ("http://", "https://")
_SHOWN = 120
_MIB = 1024 * 1024


class UnusableImageError(Exception):
    """An image cannot be sent; the text says why."""


def _read_none(path: str, file: str, most: int) -> bytes:
    del path, file, most
    raise UnusableImageError("no files are read here")


@dataclass(frozen=True, slots=True)
class Images:
    """How images come into requests: the provider's rules, and who reads local files."""

    rules: ImageRules = field(default_factory=ImageRules)
    read: ReadImage = _read_none

    def attached(
        self, messages: Sequence[Mapping[str, object]], names: Sequence[str], prompt: Prompt
    ) -> list[Message]:
        """Return the messages with the images of the columns `names` behind the last user's text.

        Raises:
            RowError: an image is missing or unusable, or there is no user message.
        """
        left = self.rules.max_total_bytes
        parts: list[object] = []
        for name in names:
            for value in _listed(prompt.columns.get(name)):
                try:
                    url = self._url(value, prompt.source.file, min(left, self.rules.max_bytes))
                except UnusableImageError as error:
                    raise RowError(
                        ErrorClass.INVALID_ROW, f"the image in column `{name}`: {error}"
                    ) from None
                left -= len(url) * 3 // 4
                parts.append({"type": "image_url", "image_url": {"url": url}})
        users = [index for index, message in enumerate(messages) if message["role"] == "user"]
        if not users:
            raise RowError(ErrorClass.INVALID_ROW, "no user message that the images could go to")
        changed = [dict(message) for message in messages]
        content = changed[users[-1]]["content"]
        texts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        changed[users[-1]]["content"] = [*texts, *parts]
        return changed

    def _url(self, value: object, file: str, most: int) -> str:
        """Return what stands for an image in a request: its address, or its bytes as text."""
        match value:
            case bytes() | bytearray() | memoryview():
                return self._encoded(bytes(value), most, "its bytes")
            case {"bytes": bytes(data)}:  # an Image column of Hugging Face datasets
                return self._encoded(data, most, "its bytes")
            case {"path": str(path)}:
                return self._named(path, file, most)
            case str():
                return self._named(value, file, most)
            case None | {"bytes": None} | {"path": None}:
                raise UnusableImageError("there is none")
            case _:
                raise UnusableImageError(
                    f"it is {kind_of(value)}; write bytes, a path, an http(s) URL or a data: URI"
                )

    def _named(self, text: str, file: str, most: int) -> str:
        head = text[:8].lower()
        if head.startswith(_DATA):
            return self._encoded(_decoded(text, most), most, "its data: URI")
        if head.startswith(_SCHEMES):
            _check_address(text)
            return text
        if "://" in text[:40]:
            raise UnusableImageError(
                f"{_short(text)} is neither an http(s) URL nor a data: URI nor a local path"
            )
        if not text.strip():
            raise UnusableImageError("its path is empty")
        return self._encoded(self.read(text, file, most), most, _short(text))

    def _encoded(self, data: bytes, most: int, what: str) -> str:
        """Check an image by its content, and write it as this provider reads it."""
        rules = self.rules
        if not data:
            raise UnusableImageError(f"{what}: empty")
        if len(data) > most:
            raise too_large(what, len(data), most)
        header = read_header(data)
        kinds = " or ".join(kind.removeprefix("image/") for kind in rules.types)
        if header is None:
            raise UnusableImageError(f"{what}: no image, or a damaged one; {kinds} is taken")
        if header.type not in rules.types:
            raise UnusableImageError(
                f"{what}: a {header.type.removeprefix('image/')}; only {kinds} is taken"
            )
        if rules.max_side is not None and max(header.width, header.height) > rules.max_side:
            raise UnusableImageError(
                f"{what}: {header.width} x {header.height} pixels; "
                f"at most {rules.max_side} x {rules.max_side} are taken"
            )
        text = base64.b64encode(data).decode("ascii")
        return f"data:{header.type};base64,{text}" if rules.as_data_uri else text


def shortened(body: Mapping[str, object]) -> dict[str, object]:
    """Return a request body for people: the type and size of each image in place of its bytes."""
    messages = body["messages"]
    if not isinstance(messages, list):
        return dict(body)
    return {**body, "messages": [_shortened_message(message) for message in messages]}


def _shortened_message(message: Mapping[str, object]) -> Mapping[str, object]:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": [_shortened_part(part) for part in content]}


def _shortened_part(part: Mapping[str, object]) -> Mapping[str, object]:
    match part:
        case {"type": "image_url", "image_url": {"url": str(url), **rest}} if len(url) > _SHOWN:
            if url.lower().startswith(_SCHEMES):
                return part
            text = url.rpartition(",")[2]
            return {"type": "image_url", "image_url": {"url": _summary(text), **rest}}
        case _:
            return part


def _summary(text: str) -> str:
    """Say in brackets what the base64 of an image holds."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return f"({len(text):,} characters that are no base64)"
    header = read_header(data)
    kind = "no known image" if header is None else f"{header.type}, {header[1]} x {header[2]}"
    return f"({kind}, {len(data):,} bytes)"


def too_large(what: str, size: int, most: int) -> UnusableImageError:
    """Return the error of an image of `size` bytes where `most` are taken."""
    return UnusableImageError(
        f"{what}: {size / _MIB:.1f} MiB; at most {max(most, 0) / _MIB:.1f} MiB are taken, "
        "so make it smaller"
    )


def _listed(value: object) -> Sequence[object]:
    """Return the images of a value that is one, or a list of them; none counts as missing."""
    return value if isinstance(value, list | tuple) and value else (value or None,)


def _decoded(uri: str, most: int) -> bytes:
    head, comma, text = uri.partition(",")
    if not comma or not head.lower().endswith(_BASE64):
        raise UnusableImageError("its data: URI is not of the form data:image/png;base64,...")
    if len(text) > most * 4 // 3 + 4:
        raise too_large("its data: URI", len(text) * 3 // 4, most)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnusableImageError(f"its data: URI is no base64: {error}") from None


def _check_address(text: str) -> None:
    """Refuse what no server could be asked for; the provider fetches it, never this program."""
    try:
        host = urlsplit(text).hostname
    except ValueError:
        host = None
    if not host or any(character.isspace() or not character.isprintable() for character in text):
        raise UnusableImageError(f"{_short(text)} is no URL")


def _short(text: str) -> str:
    return reprlib.repr(text) if len(text) > _SHOWN else repr(text)
