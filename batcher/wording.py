"""Counts and kinds of values in words."""

from __future__ import annotations

from collections.abc import Mapping


def counted(number: int, noun: str) -> str:
    """Return `number` before `noun`, which takes an s unless there is exactly one of it."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def kind_of(value: object) -> str:
    """Return what a value of a row is, to a user."""
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list"
        case _:
            return f"of type {type(value).__name__}"
