"""Chance without randomness: the same seed and row always draw the same numbers."""

from __future__ import annotations

from hashlib import blake2b
from statistics import NormalDist
from struct import Struct
from typing import NamedTuple

import msgspec

_SPREAD = 0.5
_TYPICAL_TOKENS = 60
_EIGHT = Struct(">8Q")
_NORMAL = NormalDist()
_UNIT = 2.0**-64


class Chances(NamedTuple):
    """Independent numbers in [0, 1), each with its one use."""

    wording: float
    opening: float
    score: float
    tool: float
    split: float
    latency: float
    fault: float
    poison: float


def prompt_key(model: object, messages: object) -> str:
    """Name a row by what it asks: a hash of model and messages, whatever its ids and settings."""
    canonical = msgspec.json.encode([model, messages], order="deterministic")
    return blake2b(canonical, digest_size=8).hexdigest()


def draw_chances(seed: int, name: str) -> Chances:
    """Draw the numbers that belong to `name` under `seed`."""
    salt = (seed & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "big")
    digest = blake2b(name.encode(), key=salt, digest_size=64).digest()
    return Chances(*[number * _UNIT for number in _EIGHT.unpack(digest)])


def latency_of(median_s: float, chance: float, completion_tokens: int) -> float:
    """Return the seconds an answer takes: lognormal around the median, longer for longer ones."""
    if median_s <= 0:
        return 0.0
    normal = _NORMAL.inv_cdf(min(max(chance, 1e-9), 1 - 1e-9))
    length = min(max(completion_tokens / _TYPICAL_TOKENS, 0.25), 4.0)
    return float(median_s * length * 2.718281828459045 ** (_SPREAD * normal))
