"""What a message may hold beside its text: parts, and what images must be (section 1)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from math import ceil

from batcher.render.image_headers import read_header
from batcher.simulator.codes import RefusedError
from batcher.simulator.models import Model

Part = Mapping[str, object]

_LARGEST_IMAGE = 5 * 1024 * 1024
_LONGEST_SIDE = 6000
_IMAGE_TYPES = frozenset({"image/png", "image/jpeg"})
_FOR_EYES = frozenset({"image_url", "video_url", "file_url"})
# Nothing is documented: patches of so many pixels, as open vision models have them.
_PATCH = 28
_UNSEEN_TOKENS = 1000


def text_of(content: object) -> str:
    """Return the text of a message's content, however little of it holds."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(text for text in parts if isinstance(text, str))
    return ""


def check_content(content: object, message: Part, where: str, model: Model) -> int:
    """Check a content that is no plain text; return the tokens of what is no text in it.

    Raises:
        RefusedError: 1214 a part has no known shape; 1210 the model takes no such part, or an
            image is none, of another type than png and jpg, or too large.
    """
    if content is None and message.get("role") == "assistant" and message.get("tool_calls"):
        return 0
    if not isinstance(content, list) or not content:
        raise RefusedError("1214", f"{where}.content")
    tokens = 0
    for number, part in enumerate(content):
        if not isinstance(part, dict) or not _is_part(part):
            raise RefusedError("1214", f"{where}.content.type")
        place = f"{where}.content[{number}]"
        if part["type"] in _FOR_EYES:
            if not model.sees:
                raise RefusedError("1210", f"{place}: the model takes text only")
            tokens += (
                _image_tokens(part["image_url"]["url"], f"{place}.image_url.url")
                if part["type"] == "image_url"
                else _UNSEEN_TOKENS
            )
    return tokens


def _is_part(part: Part) -> bool:
    kind = part.get("type")
    if not isinstance(kind, str):
        return False
    value = part.get(kind)
    match kind:
        case "text":
            return isinstance(value, str)
        case "image_url" | "video_url" | "file_url":
            return isinstance(value, dict) and isinstance(value.get("url"), str)
        case "input_audio":
            return isinstance(value, dict) and {"data", "format"} <= value.keys()
        case _:
            return False


def _image_tokens(url: str, where: str) -> int:
    """Check an image that came as base64, and return its tokens; the others are not fetched."""
    if url.startswith(("http://", "https://")):
        return _UNSEEN_TOKENS
    text = url.partition(",")[2] if url.startswith("data:") else url
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise RefusedError("1210", f"{where}: no URL, and no base64") from None
    header = read_header(data)
    if header is None or header.type not in _IMAGE_TYPES:
        raise RefusedError("1210", f"{where}: no png or jpg")
    if len(data) > _LARGEST_IMAGE or max(header.width, header.height) > _LONGEST_SIDE:
        raise RefusedError("1210", f"{where}: more than 5 MB or 6000x6000")
    return ceil(header.width / _PATCH) * ceil(header.height / _PATCH)
