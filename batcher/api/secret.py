"""A key as a value that does not show itself."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class HidesSecret(Protocol):
    """`Secret`, and pydantic's SecretStr."""

    def get_secret_value(self) -> str:
        """Return what is hidden."""


class Secret:
    """An API key that no repr, log or traceback shows."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        """Return the key itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is not written anywhere; make it anew where it is needed")
