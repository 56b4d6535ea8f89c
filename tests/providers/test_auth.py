"""Keys, signed tokens, and silence about both."""

from __future__ import annotations

import copy
import traceback
import warnings
from typing import Literal

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import CredentialsError
from batcher.providers.auth import Auth, Bearer, SignedToken, check_key
from batcher.providers.redaction import MASK

ID, SECRET = "4bd1a0f2c7e94d1f", "c0ffee00D00dfeed"
KEY = f"{ID}.{SECRET}"
NOW = 1_770_000_000.25

Style = Literal["bearer", "jwt"]


def _token(auth: Auth, now: float) -> str:
    (scheme, token) = auth.headers(now)["authorization"].split(" ")
    assert scheme == "Bearer"
    return token


def test_a_bearer_sends_the_key_itself_and_always_the_same() -> None:
    auth = Bearer(KEY)
    assert auth.headers(NOW) == {"authorization": f"Bearer {KEY}"}
    auth.renew()
    assert auth.headers(NOW + 1e6) == {"authorization": f"Bearer {KEY}"}


def test_a_token_is_signed_as_the_provider_wants_it() -> None:
    token = _token(SignedToken(KEY), NOW)
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["sign_type"]) == ("HS256", "SIGN")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        claims = jwt.decode(token, SECRET, ["HS256"], options={"verify_exp": False})
    assert claims == {
        "api_key": ID,
        "exp": 1_770_000_210_250,
        "timestamp": 1_770_000_000_250,
    }


def test_the_warning_about_short_secrets_is_silenced_at_this_call_alone() -> None:
    _token(SignedToken(KEY), NOW)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        jwt.encode({}, SECRET, "HS256")


@pytest.mark.parametrize(
    ("later", "same"), [(0, True), (167.9, True), (168, False), (210, False), (-0.1, False)]
)
def test_a_token_is_kept_for_80_percent_of_its_life_and_while_the_clock_goes_on(
    *, later: float, same: bool
) -> None:
    auth = SignedToken(KEY)
    first = _token(auth, NOW)
    assert (_token(auth, NOW + later) == first) == same


def test_a_token_is_signed_anew_after_the_provider_called_it_expired() -> None:
    auth = SignedToken(KEY)
    first = _token(auth, NOW)
    auth.renew()
    assert _token(auth, NOW + 1) != first


@given(st.lists(st.floats(0, 4e9), min_size=1))
def test_no_token_is_ever_sent_within_the_last_fifth_of_its_life(clock: list[float]) -> None:
    auth = SignedToken(KEY)
    for now in clock:
        claims = jwt.decode(_token(auth, now), options={"verify_signature": False})
        assert 0.2 * 210 - 0.01 <= claims["exp"] / 1000 - now <= 210.01


@pytest.mark.parametrize("auth", [Bearer(KEY), SignedToken(KEY)])
def test_no_way_of_printing_a_sign_in_shows_the_key(auth: Auth) -> None:
    auth.headers(NOW)
    for shown in (repr(auth), str(auth), f"{auth}", repr([copy.copy(auth)])):
        assert ID not in shown
        assert SECRET not in shown


@pytest.mark.parametrize("make", [Bearer, SignedToken])
def test_no_sign_in_can_be_made_of_a_malformed_key(make: type[Bearer | SignedToken]) -> None:
    with pytest.raises(CredentialsError, match="newline"):
        make(f"{KEY}\n")


@pytest.mark.parametrize(
    ("key", "style", "reason"),
    [
        *[("", style, "is empty") for style in ("bearer", "jwt")],
        (" \n", "bearer", "is empty"),
        (f"{KEY}\n", "bearer", "ends in a newline; remove it"),
        (f"{KEY}\r", "bearer", "ends in a carriage return; remove it"),
        (f"{KEY} ", "jwt", "ends in a space; remove it"),
        (f" {KEY}", "bearer", "begins with a space; remove it"),
        (f"\t{KEY}", "bearer", "begins with a tab; remove it"),
        (f"\u3000{KEY}", "bearer", "begins with white space; remove it"),
        (f"Bearer {KEY}", "bearer", "holds white space; give one key alone, without `Bearer`"),
        (f"{KEY}\n{KEY}", "bearer", "holds white space"),
        (f"{KEY}é", "bearer", "outside ASCII; copy it again"),
        (f"\ufeff{KEY}", "bearer", "outside ASCII"),
        (f"{KEY}\x00", "bearer", "control character; copy it again"),
        (f"{KEY}\x7f", "jwt", "control character"),
        ("sk-1a2b3c4d5e6f", "jwt", "not of the form id.secret"),
        (f"{ID}.", "jwt", "not of the form id.secret"),
        (f".{SECRET}", "jwt", "not of the form id.secret"),
        (f"{KEY}.more", "jwt", "not of the form id.secret"),
    ],
)
def test_a_malformed_key_is_refused_with_the_reason_and_a_way_out(
    key: str, style: Style, reason: str
) -> None:
    with pytest.raises(CredentialsError, match=reason):
        check_key(key, style)


@pytest.mark.parametrize(
    ("key", "style"), [(KEY, "bearer"), (KEY, "jwt"), ("sk-1a2b_3c", "bearer"), ("a.b.c", "bearer")]
)
def test_a_sound_key_comes_back_as_it_is(key: str, style: Style) -> None:
    assert check_key(key, style) == key


_STYLES = st.sampled_from(["bearer", "jwt"])
_SPOILT = st.text(st.characters(), max_size=3)


@given(_SPOILT, _SPOILT, _SPOILT, _STYLES)
def test_a_key_is_accepted_as_it_is_or_refused_without_a_word_of_it(
    before: str, middle: str, after: str, style: Style
) -> None:
    key = f"{before}{ID}{middle}{SECRET}{after}"
    try:
        assert check_key(key, style) == key
    except CredentialsError as error:
        shown = "".join(traceback.format_exception(error)) + repr(error)
        assert ID not in shown
        assert SECRET not in shown
    else:
        # Whatever is accepted can stand in a header.
        assert key.isascii()
        assert key.isprintable()
        assert " " not in key


@pytest.mark.parametrize("auth", [Bearer(KEY), SignedToken(KEY)])
def test_a_sign_in_redacts_its_key_and_both_halves(auth: Auth) -> None:
    left = auth.redact(f"{KEY} {ID} {SECRET} and more")
    assert left == f"{MASK} {MASK} {MASK} and more"


@pytest.mark.parametrize("kind", [Bearer, SignedToken])
def test_a_sign_in_redacts_the_other_keys_of_its_run_and_their_tokens(
    kind: type[Bearer | SignedToken],
) -> None:
    other = "0123456789abcdef.fedcba9876543210"
    auth = kind(KEY, other)
    token = _token(kind(other), NOW)
    assert auth.redact(f"{KEY} {other} {other[-16:]} {token}!") == " ".join([MASK] * 4) + "!"


@given(st.floats(0, 4e9))
def test_a_signed_token_of_any_moment_is_redacted(now: float) -> None:
    """An answer may come back after the token it was asked with was replaced."""
    token = _token(SignedToken(KEY), now)
    assert SignedToken(KEY).redact(f"<{token}>") == f"<{MASK}>"
    assert SignedToken(KEY).redact(f"<{token[:150]}") == f"<{MASK}"
