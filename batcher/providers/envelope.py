"""What surrounds the body of an answer, and the errors made with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from batcher.errors import ErrorClass, Problem, ProviderError
from batcher.limits import RateLimits
from batcher.providers.rate_limits import rate_limits
from batcher.providers.retry_after import reset_moment, retry_after

MAX_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class Envelope:
    """Status and headers (names in lower case) of an answer that arrived at `now` (aware)."""

    status: int
    headers: Mapping[str, str]
    now: datetime

    @property
    def is_success(self) -> bool:
        """Whether the status promises a completion."""
        return 200 <= self.status < 300  # noqa: PLR2004 -- HTTP's own range

    @property
    def ends_by_closing(self) -> bool:
        """Whether the body ends where its connection does: nothing else tells a whole one."""
        chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        counted = chunked or "content-length" in self.headers
        return not counted and self.status != HTTPStatus.NO_CONTENT

    @property
    def rate_limits(self) -> RateLimits | None:
        """The limits that the headers tell of, None where they do not."""
        return rate_limits(self.headers)

    def error(
        self, error_class: ErrorClass, message: str, code: str | None = None
    ) -> ProviderError:
        """Return the error that this answer amounts to, with the wait and limits it names."""
        exhausted = error_class is ErrorClass.QUOTA_EXHAUSTED
        return ProviderError(
            Problem(error_class, one_line(message), code, self.status),
            retry_after=retry_after(self.headers, self.now),
            resets_at=reset_moment(message) if exhausted else None,
            rate_limits=self.rate_limits,
        )


def one_line(text: str, limit: int = MAX_MESSAGE) -> str:
    """Return a stranger's text as one line without control characters, at most `limit` long."""
    printable = "".join(char if char.isprintable() else " " for char in text[: 4 * limit])
    line = " ".join(printable.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
