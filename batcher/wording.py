"""Counts in words."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return `number` before `noun`, which takes an s unless there is exactly one of it."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
