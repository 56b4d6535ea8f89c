"""What the tokenizer answers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from batcher.errors import ErrorClass, ProviderError
from batcher.providers.envelope import Envelope
from batcher.providers.token_count import decode_count

NOW = datetime(2026, 8, 25, tzinfo=UTC)


def test_a_count_is_read() -> None:
    body = b'{"id":"1","usage":{"prompt_tokens":18,"total_tokens":18}}'
    assert decode_count(body, Envelope(200, {}, NOW)) == 18


@pytest.mark.parametrize(
    ("status", "body", "error_class"),
    [
        (404, b'{"error":{"code":"404","message":"no"}}', ErrorClass.ENDPOINT_UNKNOWN),
        (400, b'{"error":{"code":"1211","message":"no"}}', ErrorClass.MODEL_UNAVAILABLE),
        (200, b'{"error":{"code":"1113","message":"no"}}', ErrorClass.BALANCE),
        (200, b"<html>", ErrorClass.MALFORMED_ANSWER),
        (200, b"[]", ErrorClass.MALFORMED_ANSWER),
        (200, b'{"usage":{"prompt_tokens":"18"}}', ErrorClass.MALFORMED_ANSWER),
        (200, b'{"usage":{"prompt_tokens":-1}}', ErrorClass.MALFORMED_ANSWER),
    ],
)
def test_what_is_no_count_is_an_error_of_its_class(
    status: int, body: bytes, error_class: ErrorClass
) -> None:
    with pytest.raises(ProviderError) as raised:
        decode_count(body, Envelope(status, {}, NOW))
    assert raised.value.problem.error_class is error_class
