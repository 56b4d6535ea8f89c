"""Who may ask: keys and signed tokens."""

from __future__ import annotations

import warnings
from typing import Any

import jwt
import pytest

from batcher.simulator.auth import Doorkeeper
from batcher.simulator.codes import RefusedError
from batcher.simulator.config import SIMULATED_KEY

NOW = 1_800_000_000.0
SECRETS = {"known": "a-secret-of-more-than-thirty-two-bytes"}


def signed(
    key_id: object = "known",
    secret: str = SECRETS["known"],
    lives_s: float = 210,
    algorithm: str = "HS256",
    **claims: Any,  # noqa: ANN401 -- claims of any type, also wrong ones
) -> str:
    """Sign a token as the official SDK does; both times are in milliseconds."""
    payload = {
        "api_key": key_id,
        "exp": int((NOW + lives_s) * 1000),
        "timestamp": int(NOW * 1000),
    } | claims
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        return jwt.encode(payload, secret, algorithm, headers={"sign_type": "SIGN"})


def verdict(credential: str, *, strict: bool = False) -> str | None:
    """Return the code a credential is refused with, if it is."""
    try:
        Doorkeeper(SECRETS, strict=strict).check(f"Bearer {credential}", NOW)
    except RefusedError as refused:
        return refused.code
    return None


@pytest.mark.parametrize("header", [None, ""])
def test_without_a_header_nobody_is_let_in(header: str | None) -> None:
    with pytest.raises(RefusedError) as raised:
        Doorkeeper(SECRETS, strict=False).check(header, NOW)
    assert raised.value.code == "1001"


@pytest.mark.parametrize(
    "header", ["id.secret", "Basic id.secret", "Bearer", "Bearer ", "Bearer  id.secret"]
)
def test_a_header_that_is_no_bearer_is_malformed(header: str) -> None:
    with pytest.raises(RefusedError) as raised:
        Doorkeeper(SECRETS, strict=False).check(header, NOW)
    assert raised.value.code == "1002"


@pytest.mark.parametrize("credential", ["word", ".secret", "id.", "id.sec ret", "a.b.c.d", "钥.匙"])
def test_a_key_is_an_id_and_a_secret(credential: str) -> None:
    assert verdict(credential) == "1002"


def test_any_well_formed_key_opens_a_door_that_is_not_strict() -> None:
    assert verdict("any.key") is None
    assert verdict(SIMULATED_KEY) is None


@pytest.mark.parametrize(
    ("credential", "code"),
    [(f"known.{SECRETS['known']}", None), ("known.wrong", "1000"), ("unknown.key", "1000")],
)
def test_a_strict_door_opens_for_known_keys_only(credential: str, code: str | None) -> None:
    assert verdict(credential, strict=True) == code


def test_the_scheme_may_be_written_in_any_case() -> None:
    Doorkeeper(SECRETS, strict=True).check(f"bearer known.{SECRETS['known']}", NOW)


@pytest.mark.parametrize("strict", [True, False])
def test_a_token_signed_with_a_known_secret_is_accepted(*, strict: bool) -> None:
    assert verdict(signed(), strict=strict) is None


def test_a_short_secret_signs_without_a_warning() -> None:
    token = signed("short", "secret")
    Doorkeeper({"short": "secret"}, strict=True).check(f"Bearer {token}", NOW)


def test_an_expired_token_is_told_so() -> None:
    assert verdict(signed(lives_s=0)) == "1003"
    assert verdict(signed(lives_s=0.001)) is None


def test_a_forged_token_is_told_so_even_if_it_has_also_expired() -> None:
    assert verdict(signed("known", "forged")) == "1004"
    assert verdict(signed("known", "forged", lives_s=-1)) == "1004"


def test_a_token_of_an_unknown_key_is_refused_at_a_strict_door_only() -> None:
    assert verdict(signed("unknown")) is None
    assert verdict(signed("unknown"), strict=True) == "1000"
    assert verdict(signed("unknown", lives_s=-1)) == "1003"


@pytest.mark.parametrize(
    "token",
    [
        "no.token.here",
        signed(key_id=7),
        signed(exp="soon"),
        signed(exp=NOW * 1000),
        signed(timestamp=None),
        signed(algorithm="HS512"),
        jwt.encode({"api_key": "known"}, "", algorithm="none"),
    ],
)
def test_a_token_of_another_shape_is_malformed(token: str) -> None:
    assert verdict(token) == "1002"


@pytest.mark.parametrize("strict", [True, False])
def test_who_is_let_in_is_known_by_the_id_of_its_key(*, strict: bool) -> None:
    doorkeeper = Doorkeeper(SECRETS, strict=strict)
    for credential in (f"known.{SECRETS['known']}", signed()):
        assert doorkeeper.check(f"Bearer {credential}", NOW) == "known"


def test_where_any_key_will_do_an_unknown_one_has_its_own_id() -> None:
    doorkeeper = Doorkeeper(SECRETS, strict=False)
    for credential in ("other.secret", signed("other")):
        assert doorkeeper.check(f"Bearer {credential}", NOW) == "other"
