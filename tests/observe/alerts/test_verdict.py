"""What an answer to an alert means."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.job import Shape
from batcher.observe.alerts.verdict import Answer, Verdict, verdict
from tests.observe.alerts.conftest import NOON

SHAPES: tuple[Shape, ...] = get_args(Shape)


def _judged(shape: Shape, status: int, body: bytes = b"", **headers: str) -> Verdict:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return verdict(shape, Answer(status, named, body), NOON)


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ("generic", b""),
        ("generic", b'{"errcode": 1}'),
        ("slack", b"ok"),
        (
            "feishu",
            b'{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}',
        ),
        ("feishu", b'{"StatusCode": 0, "StatusMessage": "success"}'),
        ("dingtalk", b'{"errcode":0,"errmsg":"ok"}'),
        ("wecom", b'{"errcode":0,"errmsg":"ok"}'),
    ],
)
def test_what_each_platform_says_when_all_is_well(shape: Shape, body: bytes) -> None:
    assert _judged(shape, 200, body).delivered


@pytest.mark.parametrize(
    ("shape", "body", "said", "again"),
    [
        ("feishu", b'{"code":19021,"msg":"sign match fail"}', "code 19021", False),
        ("feishu", b'{"code":19024,"msg":"Key Words Not Found"}', "code 19024", False),
        ("feishu", b'{"code":11232,"msg":"frequency limited"}', "code 11232", True),
        ("dingtalk", b'{"errcode":310000,"errmsg":"sign not match"}', "errcode 310000", False),
        ("dingtalk", b'{"errcode":130101,"errmsg":"send too fast"}', "errcode 130101", True),
        ("dingtalk", b'{"errcode":410100,"errmsg":"too fast"}', "errcode 410100", True),
        ("dingtalk", b'{"errcode":-1,"errmsg":"busy"}', "errcode -1", True),
        ("wecom", b'{"errcode":45009,"errmsg":"api freq out of limit"}', "errcode 45009", True),
        ("wecom", b'{"errcode":93000,"errmsg":"invalid webhook url"}', "errcode 93000", False),
        ("feishu", b"<html>", "HTTP 200, but not from a bot of feishu", False),
        ("wecom", b"[]", "HTTP 200, but not from a bot of wecom", False),
        ("dingtalk", b'{"errcode":"0"}', "HTTP 200, but not from a bot of dingtalk", False),
        ("dingtalk", b"[" * 100_000, "HTTP 200, but not from a bot of dingtalk", False),
    ],
)
def test_a_refusal_within_a_200_is_one(shape: Shape, body: bytes, said: str, again: object) -> None:
    assert _judged(shape, 200, body) == Verdict(delivered=False, said=said, again=bool(again))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("status", "again"),
    [
        *((status, False) for status in (400, 403, 404, 410)),
        *((status, True) for status in (408, 429, 500, 503)),
    ],
)
def test_refusals_are_for_good_and_troubles_pass(
    shape: Shape,
    status: int,
    again: bool,  # noqa: FBT001 -- a case
) -> None:
    found = _judged(shape, status, b'{"code": 0, "errcode": 0}')
    assert found == Verdict(delivered=False, said=f"HTTP {status}", again=again)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_refusal(status: int) -> None:
    found = _judged("generic", status, location="https://elsewhere/canary")
    assert (found.delivered, found.again) == (False, False)
    assert "canary" not in found.said


@pytest.mark.parametrize(
    ("header", "after"),
    [("7", 7.0), ("Wed, 15 Nov 2023 12:00:30 GMT", 30.0), ("soon", 0.0), ("-1", 0.0)],
)
def test_a_platform_may_say_when_to_try_again(header: str, after: float) -> None:
    assert _judged("slack", 429, retry_after=header).after == after


@given(st.sampled_from(SHAPES), st.integers(100, 599), st.binary(max_size=50))
def test_no_answer_is_too_strange_and_none_is_quoted(
    shape: Shape, status: int, body: bytes
) -> None:
    found = _judged(shape, status, body)
    assert found.said
    assert not found.delivered or 200 <= status < 300
    assert not (found.delivered and found.again)
