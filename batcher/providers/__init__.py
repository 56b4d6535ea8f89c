"""What is known of the providers' protocols, without I/O (protocol.md).

    Request -> encode -> bytes        status, headers, body -> decode -> Completion
    bytes -> sse.Parser -> Event      events -> StreamedAnswer -> Completion

What is no completion is raised as a `ProviderError` whose class says what follows.
"""

from batcher.providers import sse
from batcher.providers.auth import Auth, Bearer, SignedToken, check_key
from batcher.providers.named import provider_named, restricted_base
from batcher.providers.prices import Pricing, Worst
from batcher.providers.provider import Provider
from batcher.providers.redaction import redacted
from batcher.providers.stream import StreamedAnswer
from batcher.providers.tokens import estimate_tokens

__all__ = [
    "Auth",
    "Bearer",
    "Pricing",
    "Provider",
    "SignedToken",
    "StreamedAnswer",
    "Worst",
    "check_key",
    "estimate_tokens",
    "provider_named",
    "redacted",
    "restricted_base",
    "sse",
]
