"""Who may ask: keys and signed tokens (protocol.md section 5)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

import jwt

from batcher.simulator.codes import RefusedError

_KEY = re.compile(r"[\x21-\x2d\x2f-\x7e]+\.[\x21-\x2d\x2f-\x7e]+")
_TOKEN_DOTS = 2


class Doorkeeper:
    """Checks Authorization headers.

    `secrets` maps the id of each key known here to its secret; `strict` turns all others away.
    """

    __slots__ = ("_secrets", "_strict")

    def __init__(self, secrets: Mapping[str, str], *, strict: bool) -> None:
        self._secrets = secrets
        self._strict = strict

    def check(self, authorization: str | None, now: float) -> str:
        """Let a request pass, and return its key's id; `now` is in Unix seconds.

        Raises:
            RefusedError: 1001 no header; 1002 malformed; 1000 unknown key or wrong secret; 1003
                expired; 1004 a signature that does not verify.
        """
        if not authorization:
            raise RefusedError("1001")
        scheme, _, credential = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise RefusedError("1002")
        if credential.count(".") == _TOKEN_DOTS:
            return self._check_token(credential, now)
        if not _KEY.fullmatch(credential):
            raise RefusedError("1002")
        key_id, _, secret = credential.partition(".")
        if self._strict and self._secrets.get(key_id) != secret:
            raise RefusedError("1000")
        return key_id

    def _check_token(self, token: str, now: float) -> str:
        try:
            unverified = jwt.decode_complete(token, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            raise RefusedError("1002") from None
        payload = unverified["payload"]
        key_id, expires = payload.get("api_key"), payload.get("exp")
        if (
            unverified["header"].get("alg") != "HS256"
            or not isinstance(key_id, str)
            or type(expires) is not int
            or type(payload.get("timestamp")) is not int
        ):
            raise RefusedError("1002")
        secret = self._secrets.get(key_id)
        if secret is None:
            if self._strict:
                raise RefusedError("1000")
        elif not _verifies(token, secret):
            raise RefusedError("1004")
        if expires <= now * 1000:  # both times are in milliseconds
            raise RefusedError("1003")
        return key_id


def _verifies(token: str, secret: str) -> bool:
    with warnings.catch_warnings():
        # The provider chooses a secret's length, not the user (section 5).
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        try:
            jwt.decode(token, secret, algorithms=["HS256"], options={"verify_exp": False})
        except jwt.InvalidTokenError:
            return False
    return True
