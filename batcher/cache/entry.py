"""An answer as an entry of the cache, with a checksum, and back."""

from __future__ import annotations

import hashlib
import zlib

import msgspec

from batcher.records import Completion, Usage


class _Answer(msgspec.Struct, frozen=True):
    """What is kept of a completion; the file outlives this version, so it is named here."""

    response: str | None
    reasoning: str | None
    tool_calls: str | None
    finish_reason: str
    model: str
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None


def entry_key(scope: str, content: str) -> str:
    """Return the key of the answer of what `scope` names to the request of `content`."""
    return hashlib.blake2b(msgspec.json.encode((scope, content)), digest_size=16).hexdigest()


def encoded(key: str, completion: Completion) -> tuple[bytes, int] | None:
    """Return the bytes of an answer and their checksum, which is one of the key as well.

    None where JSON cannot hold it: a text that is no Unicode.
    """
    usage = completion.usage
    answer = _Answer(
        completion.text,
        completion.reasoning,
        completion.tool_calls,
        completion.finish_reason,
        completion.model,
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cached_tokens,
        usage.reasoning_tokens,
    )
    try:
        data = msgspec.json.encode(answer)
    except UnicodeEncodeError:
        return None
    return data, _checksum(key, data)


def decoded(key: str, data: object, checksum: object) -> Completion | None:
    """Return the answer of an entry, or None if its bytes are not those that were written."""
    if not isinstance(data, bytes) or _checksum(key, data) != checksum:
        return None
    try:
        kept = msgspec.json.decode(data, type=_Answer)
    except msgspec.DecodeError:
        return None
    usage = Usage(
        kept.prompt_tokens, kept.completion_tokens, kept.cached_tokens, kept.reasoning_tokens
    )
    return Completion(
        kept.response, kept.reasoning, kept.tool_calls, kept.finish_reason, kept.model, usage
    )


def _checksum(key: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(key.encode()))
