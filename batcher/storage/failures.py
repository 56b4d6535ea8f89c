"""What the libraries of stores raise, as one sentence without secrets."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from batcher.errors import BatcherError, StorageError
from batcher.storage.waiting import GivenUpError
from batcher.wording import printable

# Signatures and tokens in URLs that a library quotes, and whatever follows a question mark there.
_SIGNED = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']*")
# What is said around the reason for which Google's library, or Azure's, asks for a token in vain.
_WRAPPED = re.compile(
    r"google::cloud::Status\(\w+: (?:Retry policy exhausted, with a last message of )?"
    r"|Unknown error: .* failed: \w+AuthenticationExceptionE: "
)
_LONGEST = 300
# How stores and their libraries say that they do not let someone in.
_REFUSED = (
    *("access_denied", "access denied", "invalid_access_key", "signature", "forbidden"),
    *("unauthorized", "unauthenticated", "permission denied", "credential", "status 403"),
    "access token",
)


def reason_of(error: Exception) -> str:
    """Return what went wrong: the first line of what a library says, without what may be secret."""
    told = getattr(error, "strerror", None) or str(error) or type(error).__name__
    line = _SIGNED.sub(r"\1?...", told.strip().partition("\n")[0])
    # Arrow says it once more in numbers.
    line = line.partition(". Detail: [")[0]
    line = _WRAPPED.sub("", line)
    cut = line[:_LONGEST].rpartition(" ")[0] or line[:_LONGEST]
    shown = printable(line if len(line) <= _LONGEST else f"{cut}...")
    if any(word in line.lower() for word in _REFUSED):
        return f"{shown.rstrip('.')}. Are the credentials right? See docs/object-storage.md"
    return shown


@contextlib.contextmanager
def told(doing: str) -> Iterator[None]:
    """Tell the user that `doing` ("cannot read s3://...") failed, and why.

    Raises:
        StorageError: in place of whatever a library of a store raises.
    """
    try:
        yield
    except (BatcherError, GivenUpError):
        raise
    except Exception as error:  # noqa: BLE001 -- each library has exceptions of its own
        raise StorageError(f"{doing}: {reason_of(error)}") from None
