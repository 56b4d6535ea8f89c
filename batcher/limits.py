"""What a provider says of its limits, and what a run says of how its calls flow.

Values alone; the rules that make and read them are the providers' and the engine's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit a minute: its size, what is left of it, and seconds until it is whole again."""

    limit: int
    remaining: int
    reset_s: float | None = None


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The limits that an answer's headers name; None where they do not."""

    requests: RateLimit | None = None
    tokens: RateLimit | None = None
