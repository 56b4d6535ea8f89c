"""Signing in (protocol.md section 5). No key, nor any part of one, is ever printed from here."""

from __future__ import annotations

import warnings
from typing import Literal, Protocol

import jwt

from batcher.errors import CredentialsError
from batcher.providers.redaction import Redaction

TOKEN_LIFE_S = 210.0
# Signed again before the end of its life, so that no token ends on its way.
TOKEN_RENEWAL_S = 0.8 * TOKEN_LIFE_S

_SPACES = {" ": "a space", "\t": "a tab", "\n": "a newline", "\r": "a carriage return"}


class Auth(Protocol):
    """How a call proves whose it is."""

    def headers(self, now: float) -> dict[str, str]:
        """Return the headers that sign in at `now` (Unix seconds)."""

    def renew(self) -> None:
        """Forget what the provider called expired; the next headers are made anew."""

    def redact(self, text: str) -> str:
        """Return a provider's text without a key of the run, its halves, or its tokens."""


class Bearer:
    """Sends the key itself: the default."""

    __slots__ = ("_key", "_redaction")

    def __init__(self, key: str, *others: str) -> None:
        """Use `key`, and keep the `others` of the run secret as well.

        Raises:
            CredentialsError: it is malformed.
        """
        self._key = check_key(key, "bearer")
        self._redaction = Redaction(_secrets(key, *others))

    def __repr__(self) -> str:
        return "Bearer(...)"

    def headers(self, now: float) -> dict[str, str]:  # noqa: ARG002 -- a key does not age
        """Return the Authorization header."""
        return {"authorization": f"Bearer {self._key}"}

    def renew(self) -> None:
        """Do nothing: there is only the one key."""

    def redact(self, text: str) -> str:
        """Return `text` without a key of the run or a half of one."""
        return self._redaction(text)


class SignedToken:
    """Sends a short-lived JSON Web Token signed with the secret half of the key.

    A token is kept for 80 % of its life of 210 s, and not where the clock went back behind it.
    """

    __slots__ = ("_key", "_redaction", "_signed_at", "_token")

    def __init__(self, key: str, *others: str) -> None:
        """Use `key`, which is `id.secret`, and keep the `others` of the run secret as well.

        Raises:
            CredentialsError: it is malformed.
        """
        self._key = check_key(key, "jwt")
        self._token: str | None = None
        self._signed_at = 0.0
        # What tokens of moments far apart have in common: the header, and of one key its id.
        tokens = [_signed(one, moment) for one in (key, *others) for moment in (0.0, 9e9)]
        self._redaction = Redaction(_secrets(key, *others), tokens)

    def __repr__(self) -> str:
        return "SignedToken(...)"

    def headers(self, now: float) -> dict[str, str]:
        """Return the Authorization header, with a token signed at `now` or a little before."""
        age = now - self._signed_at
        if self._token is None or not 0 <= age < TOKEN_RENEWAL_S:
            self._token = _signed(self._key, now)
            self._signed_at = now
        return {"authorization": f"Bearer {self._token}"}

    def renew(self) -> None:
        """Sign anew for the next call, as after code 1003."""
        self._token = None

    def redact(self, text: str) -> str:
        """Return `text` without a key of the run, a half of one, or any token of theirs."""
        return self._redaction(text)


def _secrets(*keys: str) -> list[str]:
    """Return what of keys must never be seen: each whole, and its halves."""
    return [secret for key in keys for secret in (key, *key.split("."))]


def _signed(key: str, now: float) -> str:
    """Return a token of `key` that begins to live at `now`."""
    key_id, _, secret = key.partition(".")
    signed_ms = round(now * 1000)
    claims = {
        "api_key": key_id,
        "exp": signed_ms + round(TOKEN_LIFE_S * 1000),
        "timestamp": signed_ms,
    }
    with warnings.catch_warnings():
        # The provider chooses the length of a secret; its user cannot follow the advice.
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        return jwt.encode(claims, secret, "HS256", headers={"sign_type": "SIGN"})


def check_key(key: str, auth: Literal["bearer", "jwt"]) -> str:
    """Return `key` if it can be one.

    Raises:
        CredentialsError: it is empty, holds a character that no key has, or cannot sign tokens;
            the message says which and what to do, and shows nothing of the key.
    """
    if not key.strip():
        raise CredentialsError("the API key is empty; paste the whole key")
    for place, character in (("begins with", key[0]), ("ends in", key[-1])):
        if character.isspace():
            kind = _SPACES.get(character, "white space")
            raise CredentialsError(f"the API key {place} {kind}; remove it where the key is set")
    if any(map(str.isspace, key)):
        raise CredentialsError(
            "the API key holds white space; give one key alone, without `Bearer` before it"
        )
    if not key.isascii():
        raise CredentialsError(
            "the API key holds a character outside ASCII; copy it again from the console"
        )
    if not key.isprintable():
        raise CredentialsError(
            "the API key holds a control character; copy it again from the console"
        )
    halves = key.split(".")
    if auth == "jwt" and not (len(halves) == 2 and all(halves)):  # noqa: PLR2004 -- halves
        raise CredentialsError(
            "the API key is not of the form id.secret, which --auth jwt signs with; "
            "copy the whole key, or use --auth bearer"
        )
    return key
