"""A provider: where it is called, and how requests and answers are written there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from batcher import __version__
from batcher.limits import ImageRules
from batcher.providers.answer import decode_body
from batcher.providers.envelope import Envelope
from batcher.providers.stream import StreamedAnswer
from batcher.providers.strict_schema import is_strict
from batcher.providers.token_count import decode_count
from batcher.records import Completion, Request
from batcher.structured import AnswerFormat, Structure

# GLM's models that see, such as glm-4v-plus and glm-4.6v; `response_format` is for models of text
# only (section 1).
_VISION = re.compile(r"glm-[0-9.]+v\b")


@dataclass(frozen=True, slots=True)
class Provider:
    """One dialect of the chat-completion protocol, at one address.

    `base_url_variables` and `key_variables` are the environment variables that may hold address
    and key, the first one wins; with an S behind it, one of the latter may hold several keys. The
    switches are all in which the dialects differ on sending; answers are read alike, since each
    provider has been seen to answer as another does. `images` says which it
    takes. With `takes_schema` it heeds a JSON Schema in `response_format` (others ignore it in
    silence, section 1), with `shows_schema` the model also gets to see it. `has_tokenizer` says
    whether it counts the tokens of a prompt without a completion, and unpaid.
    """

    name: str
    base_url: str
    base_url_variables: tuple[str, ...]
    key_variables: tuple[str, ...]
    sends_request_id: bool = False
    asks_for_usage: bool = False
    images: ImageRules = field(default_factory=ImageRules)
    takes_schema: bool = False
    shows_schema: bool = False
    has_tokenizer: bool = False

    @property
    def chat_url(self) -> str:
        """The address that completions are asked of (protocol.md section 1)."""
        return f"{self.base_url.rstrip('/')}/chat/completions"

    @property
    def tokenizer_url(self) -> str:
        """The address that tokens are counted at, where there is a tokenizer (section 10)."""
        return f"{self.base_url.rstrip('/')}/tokenizer"

    def encode(self, request: Request, *, request_id: str, stream: bool) -> bytes:
        """Return the JSON body of one attempt; `request_id` is fresh for each (section 1)."""
        body = dict(request.body)
        if self.sends_request_id:
            body["request_id"] = request_id
        if stream:
            body["stream"] = True
            if self.asks_for_usage:
                body["stream_options"] = {"include_usage": True}
        return msgspec.json.encode(body)

    def answer_format(self, structure: Structure, model: str | None = None) -> AnswerFormat:
        """Return how answers of a structure are asked of `model` here."""
        schema = structure.schema
        response_format: dict[str, object] | None = {"type": "json_object"}
        if self.takes_schema:
            named = {"name": "answer", "schema": schema, "strict": is_strict(schema)}
            response_format = {"type": "json_schema", "json_schema": named}
        elif model is not None and _VISION.match(model):
            response_format = None
        return AnswerFormat(response_format, structure.instructions, shown=self.shows_schema)

    def encode_count(self, request: Request) -> bytes:
        """Return the JSON body that asks for the tokens of a request's messages (section 10)."""
        return msgspec.json.encode({name: request.body[name] for name in ("model", "messages")})

    def headers(self, request_id: str) -> dict[str, str]:
        """Return the headers of one attempt, without those that sign in.

        Only gzip is asked for: what is decoded must be what the size cap can follow
        (reliability.md section D).
        """
        return {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "accept-encoding": "gzip",
            "x-client-request-id": request_id,
            "user-agent": f"batcher/{__version__}",
        }

    def decode(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        now: datetime,
        *,
        allow_empty: bool,
    ) -> Completion:
        """Read a whole answer; names of `headers` are in lower case, `now` is aware.

        Raises:
            ProviderError: it is no completion (sections 2 and 3), or one without text or tool
                call while `allow_empty` is false.
        """
        return decode_body(body, Envelope(status, headers, now), allow_empty=allow_empty)

    def decode_count(
        self, status: int, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> int:
        """Read the tokenizer's answer: the tokens of the prompt; else as `decode`.

        Raises:
            ProviderError: it is no count.
        """
        return decode_count(body, Envelope(status, headers, now))

    def streamed(self, headers: Mapping[str, str], now: datetime) -> StreamedAnswer:
        """Begin a streamed answer; else as `decode`."""
        return StreamedAnswer(Envelope(200, headers, now))
