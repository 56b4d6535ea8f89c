"""What a provider says of its limits and takes of images, and how the calls of a run flow.

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


@dataclass(frozen=True, slots=True)
class Flow:
    """How the calls of a run flow now; `waiting` says what they wait for, if none may be made."""

    in_flight: int
    limit: int
    waiting: str | None = None


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How many calls a run had in flight at most, and how many it may have in the end.

    `fixed` says that the user chose; `throttled` counts calls that the provider refused as too
    many.
    """

    peak: int
    limit: int
    throttled: int
    fixed: bool


@dataclass(frozen=True, slots=True)
class ImageRules:
    """Which images a provider takes, and how it wants them written.

    `max_bytes` bounds one image, `max_total_bytes` those of a request; `max_side` is in pixels,
    None where none is known. Bytes go as a data: URI, or as base64 alone.
    """

    types: tuple[str, ...] = ("image/png", "image/jpeg", "image/webp", "image/gif")
    max_bytes: int = 50 * 1024 * 1024
    max_total_bytes: int = 50 * 1024 * 1024
    max_side: int | None = None
    as_data_uri: bool = True
