"""The one seam where the network's errors become ours."""

from __future__ import annotations

import aiohttp
import httpx2

from batcher.errors import ErrorClass, Problem, ProviderError
from batcher.providers.envelope import one_line


def translated(error: httpx2.HTTPError | aiohttp.ClientError, *, sent: bool) -> ProviderError:
    """Return the error of a call, of which `sent` says whether it was handed a connection.

    NOT_SENT only where that is certain: whatever else was cut may have been read, and billed.
    """
    # The transport calls a refused and a lost connection by one name; its cause tells them apart.
    told = error.__cause__ if isinstance(error, httpx2.TransportError) else None
    cause = told or error
    match cause:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.InvalidURL():
            return problem(ErrorClass.ENDPOINT_UNKNOWN, f"this address cannot be called: {cause}")
        case (
            aiohttp.ClientConnectorError()
            | aiohttp.ConnectionTimeoutError()
            | aiohttp.ClientHttpProxyError()
        ):
            return problem(ErrorClass.NOT_SENT, f"no connection: {cause}")
        case aiohttp.ClientResponseError() | httpx2.DecodingError():
            return problem(ErrorClass.MALFORMED_ANSWER, f"unreadable answer: {cause}")
        case aiohttp.ServerTimeoutError():
            kind = "nothing came for too long"
        case _:
            kind = "cut off"
    what = f"{kind}: {str(cause) or type(cause).__name__}"
    return problem(ErrorClass.AMBIGUOUS if sent else ErrorClass.NOT_SENT, what)


def problem(error_class: ErrorClass, message: str) -> ProviderError:
    """Return the error of a call that has no answer to speak for it."""
    return ProviderError(Problem(error_class, one_line(message)))
