"""The one seam where the network's errors become ours."""

from __future__ import annotations

import aiohttp
import httpx2

from batcher.errors import ErrorClass, Problem, ProviderError
from batcher.providers.envelope import one_line


def translated(error: httpx2.DecodingError | aiohttp.ClientError, *, sent: bool) -> ProviderError:
    """Return the error of a call, of which `sent` says whether it was handed a connection.

    NOT_SENT only where that is certain: whatever else was cut may have been read, and billed.
    """
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.InvalidURL():
            return problem(ErrorClass.ENDPOINT_UNKNOWN, f"this address cannot be called: {error}")
        case (
            aiohttp.ClientConnectorError()
            | aiohttp.ConnectionTimeoutError()
            | aiohttp.ClientHttpProxyError()
        ):
            return problem(ErrorClass.NOT_SENT, f"no connection: {error}")
        case aiohttp.ClientResponseError() | httpx2.DecodingError():
            return problem(ErrorClass.MALFORMED_ANSWER, f"unreadable answer: {error}")
        case aiohttp.ServerTimeoutError():
            kind = "nothing came for too long"
        case _:
            kind = "cut off"
    what = f"{kind}: {str(error) or type(error).__name__}"
    return problem(ErrorClass.AMBIGUOUS if sent else ErrorClass.NOT_SENT, what)


def problem(error_class: ErrorClass, message: str) -> ProviderError:
    """Return the error of a call that has no answer to speak for it."""
    return ProviderError(Problem(error_class, one_line(message)))
