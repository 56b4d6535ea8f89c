"""The tokenizer's answer: how many tokens a prompt has (protocol.md section 10)."""

from __future__ import annotations

from batcher.errors import ErrorClass, ProviderError
from batcher.providers.answer import usage_of
from batcher.providers.classify import error_object, failure, refusal
from batcher.providers.envelope import Envelope
from batcher.providers.strict_json import parse


def decode_count(body: bytes, envelope: Envelope) -> int:
    """Read the tokens of a prompt; see `Provider.decode_count`."""
    if not envelope.is_success:
        raise failure(body, envelope)
    try:
        content = parse(body)
    except ValueError as error:
        raise _no_count(f"no JSON ({error})", envelope) from None
    tokens = usage_of(content.get("usage") if isinstance(content, dict) else None).prompt_tokens
    if tokens is None:
        stated = error_object(content)
        raise refusal(stated, envelope) if stated else _no_count("no prompt_tokens", envelope)
    return tokens


def _no_count(what: str, envelope: Envelope) -> ProviderError:
    return envelope.error(ErrorClass.MALFORMED_ANSWER, f"no count of tokens: {what}")
