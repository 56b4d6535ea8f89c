"""The error codes the simulator speaks."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.simulator.codes import (
    CODES,
    ZHIPU_ZONE,
    RefusedError,
    error_body,
    reset_text,
    speaks_english,
)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("english", [True, False])
def test_each_code_is_a_string_beside_a_message_in_the_language_asked_for(
    code: str, *, english: bool
) -> None:
    error = msgspec.json.decode(error_body(code, english=english))["error"]
    assert error["code"] == code
    assert error["message"].isascii() == english
    assert "{" not in error["message"]


def test_a_detail_stands_behind_the_message() -> None:
    message = msgspec.json.decode(error_body("1213", "model", english=True))["error"]["message"]
    assert message == "Missing required parameter (model)"


@pytest.mark.parametrize(("code", "status"), [("1302", 429), ("1113", 429), ("1211", 400)])
def test_a_refusal_knows_its_status(code: str, status: int) -> None:
    assert RefusedError(code).status == status


@pytest.mark.parametrize("code", ["1308", "1310"])
def test_a_used_up_quota_names_the_time_of_its_reset(code: str) -> None:
    moment = datetime(2026, 8, 25, 7, 41, 44, tzinfo=ZHIPU_ZONE).timestamp()
    for english in (True, False):
        message = msgspec.json.decode(error_body(code, english=english, reset_at=moment))
        assert "2026-08-25 07:41:44" in message["error"]["message"]


@given(st.floats(1e9, 4e9))
def test_a_reset_is_never_named_too_early_nor_a_whole_second_late(moment: float) -> None:
    named = datetime.strptime(reset_text(moment), "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZHIPU_ZONE)
    assert 0 <= named.timestamp() - moment < 1


@pytest.mark.parametrize(
    ("header", "english"),
    [(None, False), ("", False), ("zh-CN", False), ("en-US,en", True), (" EN", True)],
)
def test_chinese_is_spoken_unless_english_is_asked_for(
    header: str | None, *, english: bool
) -> None:
    assert speaks_english(header) == english
