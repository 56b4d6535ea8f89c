"""Refusals and the class of problem they mean."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import Action, ErrorClass, Problem, ProviderError
from batcher.providers.classify import CODES, ErrorObject, classify, error_object, failure
from batcher.providers.envelope import Envelope

NOW = datetime(2026, 8, 25, tzinfo=UTC)

# The table of protocol.md section 3: R retry, W wait, P permanent for the row, M fatal for the
# model, F stop the run. (1100 is "R, then F"; of 1003 the retry is the second signing.)
TABLE = """
1000 401 F | 1001 401 F | 1002 401 F | 1003 401 R | 1004 401 F | 1005 401 F | 401 401 F
1100 500 R | 1110 401 F | 1111 401 F | 1112 401 F | 1121 401 F | 1113 429 F | 1120 500 R
1200 500 R | 1210 400 P | 1211 400 M | 1212 400 M | 1213 400 P | 1214 400 P | 1215 400 P
1220 403 F | 1221 400 F | 1222 400 F | 1230 500 R | 1231 400 R | 1232 400 P | 1233 400 P
1234 500 R | 1235 500 R | 1260 500 R | 1261 400 P | 1300 400 P | 1301 400 P | 1302 429 R
1303 429 R | 1304 429 W | 1305 429 R | 1308 429 W | 1309 429 F | 1310 429 W | 1311 429 M
1312 429 R | 1313 429 F | 1314 429 F | 1315 429 F
1316 429 W | 1317 429 W | 1318 429 W | 1319 429 W | 1320 429 W | 1321 429 W
"""
ACTIONS = {
    "R": Action.RETRY,
    "W": Action.WAIT,
    "P": Action.FAIL_ROW,
    "M": Action.STOP_RUN,
    "F": Action.STOP_RUN,
}
ROWS = [row.split() for row in re.split(r"[|\n]", TABLE.strip())]


def _failure(status: int, body: object, headers: dict[str, str] | None = None) -> ProviderError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return failure(content, Envelope(status, headers or {}, NOW))


def _class(status: int, body: object) -> ErrorClass:
    return _failure(status, body).problem.error_class


@pytest.mark.parametrize(("code", "status", "letter"), ROWS)
def test_every_code_of_the_table_has_its_class_under_any_status(
    code: str, status: str, letter: str
) -> None:
    classes = {
        _class(http, {"error": {"code": sent, "message": "任意"}})
        for http in (int(status), 400, 429, 500)
        for sent in (code, int(code))
    }
    (error_class,) = classes
    assert error_class.rule.action is ACTIONS[letter]
    assert (error_class is ErrorClass.MODEL_UNAVAILABLE) == (letter == "M")


def test_no_other_number_is_a_known_code() -> None:
    assert {code for code in CODES if code.isdecimal()} == {code for code, _, _ in ROWS}


@pytest.mark.parametrize(
    ("code", "error_class"),
    [
        ("1003", ErrorClass.TOKEN_EXPIRED),
        ("1113", ErrorClass.BALANCE),
        ("1220", ErrorClass.PERMISSION),
        ("1222", ErrorClass.ENDPOINT_UNKNOWN),
        ("1261", ErrorClass.PROMPT_TOO_LONG),
        ("1301", ErrorClass.CONTENT_FILTERED),
        ("1302", ErrorClass.THROTTLED),
        ("1305", ErrorClass.OVERLOADED),
        ("1309", ErrorClass.BALANCE),
        ("1312", ErrorClass.OVERLOADED),
        ("1315", ErrorClass.AUTHENTICATION),
        ("insufficient_quota", ErrorClass.BALANCE),
        ("rate_limit_exceeded", ErrorClass.THROTTLED),
        ("invalid_api_key", ErrorClass.AUTHENTICATION),
        ("model_not_found", ErrorClass.MODEL_UNAVAILABLE),
        ("context_length_exceeded", ErrorClass.PROMPT_TOO_LONG),
        ("content_policy_violation", ErrorClass.CONTENT_FILTERED),
        ("content_filter", ErrorClass.CONTENT_FILTERED),
    ],
)
def test_codes_whose_action_alone_does_not_say_their_class(
    code: str, error_class: ErrorClass
) -> None:
    assert _class(400, {"error": {"code": code, "message": ""}}) is error_class


@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        *((status, ErrorClass.BAD_REQUEST) for status in (400, 413, 418, 422)),
        *((status, ErrorClass.SERVER_ERROR) for status in (408, 409, 500, 502, 504, 520, 199)),
        *((status, ErrorClass.OVERLOADED) for status in (503, 529)),
        *((status, ErrorClass.ENDPOINT_UNKNOWN) for status in (301, 302, 307, 308, 404, 405, 410)),
        (401, ErrorClass.AUTHENTICATION),
        (402, ErrorClass.BALANCE),
        (403, ErrorClass.PERMISSION),
        (429, ErrorClass.THROTTLED),
    ],
)
@pytest.mark.parametrize(
    "body",
    [b"", b"<html>502</html>", b"\xff", {}, [], {"error": None}, {"error": {"code": "9999"}}],
    ids=repr,
)
def test_the_status_decides_where_no_code_is_known(
    status: int, error_class: ErrorClass, body: object
) -> None:
    problem = _failure(status, body).problem
    assert problem.error_class is error_class
    assert problem.http_status == status
    assert str(status) in problem.message


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": {"code": "1302", "message": "m"}}, "1302", "m"),
        ({"error": {"code": 1302, "message": "m"}}, "1302", "m"),
        ({"code": 500, "msg": "404 NOT_FOUND", "success": False}, "500", "404 NOT_FOUND"),
        ({"code": "1302", "message": "m"}, "1302", "m"),
        ({"error": {"message": "m", "type": "BadRequestError", "code": 400}}, "400", "m"),
        ({"object": "error", "message": "m", "type": "T", "code": 40303}, "40303", "m"),
        ({"error": {"message": "m", "type": "tokens", "code": None}}, "tokens", "m"),
        ({"error": "m"}, None, "m"),
        ({"error": "m", "code": 7}, "7", "m"),
        ({"detail": "Not Found"}, None, "Not Found"),
        ({"error": {"code": True, "message": "m"}}, None, "m"),
        ({"error": {"code": 1.5, "type": [], "message": "m"}}, None, "m"),
        ({"error": {"code": "13\x1b02", "message": "m\x00\n"}}, "13 02", "m"),
        ({"error": {"code": "1302", "message": {"zh": "m"}}}, "1302", "HTTP 400 without a message"),
        ({"error": {"code": "1302"}}, "1302", "HTTP 400 without a message"),
        ({"error": " \x00"}, None, "HTTP 400 without a message"),
    ],
)
def test_every_known_shape_of_error_object_is_read(
    body: object, code: str | None, message: str
) -> None:
    problem = _failure(400, body).problem
    assert (problem.code, problem.message) == (code, message)


@pytest.mark.parametrize(
    "body", [None, [], "text", 5, {}, {"error": None}, {"error": []}, {"id": "1", "type": "ping"}]
)
def test_a_body_that_states_no_error_has_no_error_object(body: object) -> None:
    assert error_object(body) is None


@pytest.mark.parametrize("code", ["1210", "1214"])
def test_an_invalid_field_named_model_code_is_about_the_model(code: str) -> None:
    named = {"error": {"code": code, "message": "modelCode: does not exist"}}
    assert _class(400, named) is ErrorClass.MODEL_UNAVAILABLE


@given(st.text())
def test_no_other_text_decides(message: str) -> None:
    assert _class(400, {"error": {"code": "1261", "message": f"modelCode {message}"}}) is (
        ErrorClass.PROMPT_TOO_LONG
    )
    assert _class(429, {"error": {"message": f"modelCode {message}"}}) is ErrorClass.THROTTLED


def test_a_type_decides_where_the_code_is_unknown() -> None:
    unpaid = {"error": {"message": "m", "type": "insufficient_quota", "code": None}}
    assert _class(429, unpaid) is ErrorClass.BALANCE
    no_model = {"error": {"message": "m", "type": "NotFoundError", "param": "model", "code": 404}}
    assert _class(404, no_model) is ErrorClass.MODEL_UNAVAILABLE


@pytest.mark.parametrize(
    ("code", "error_class"),
    [
        (None, ErrorClass.SERVER_ERROR),
        ("odd", ErrorClass.SERVER_ERROR),
        ("400", ErrorClass.BAD_REQUEST),
        ("429", ErrorClass.THROTTLED),
        ("500", ErrorClass.SERVER_ERROR),
        ("99999", ErrorClass.SERVER_ERROR),
        ("1302", ErrorClass.THROTTLED),
    ],
)
def test_a_refusal_under_http_200_goes_by_the_code_that_stands_for_the_status(
    code: str | None, error_class: ErrorClass
) -> None:
    assert classify(ErrorObject(code, None, "m"), 200) is error_class


def test_the_reset_text_of_a_used_up_limit_becomes_a_moment() -> None:
    message = "已达到 5小时的使用上限。您的限额将在 2026-08-25 07:41:44 重置。"
    error = _failure(429, {"error": {"code": "1308", "message": message}})
    assert error.problem == Problem(ErrorClass.QUOTA_EXHAUSTED, message, "1308", 429)
    assert error.resets_at == datetime(2026, 8, 24, 23, 41, 44, tzinfo=UTC)


def test_a_redirect_is_not_followed_and_says_where_it_leads() -> None:
    error = _failure(301, {"error": {"code": "1302"}}, {"location": "https://other.example/v1"})
    assert error.problem.message == (
        "HTTP 301 to https://other.example/v1; redirects are not followed"
    )
    assert error.problem.code is None
    assert "to nowhere;" in _failure(302, b"").problem.message


def test_a_page_of_html_is_shown_by_its_start() -> None:
    message = _failure(502, b"<html>\n" + b"x" * 9000).problem.message
    assert message.startswith("HTTP 502: <html> xxx")
    assert len(message) < 250


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["error", "code", "message", "msg", "type", "detail", "choices"]), inner
        )
    ),
)


@given(st.integers(100, 999), _JSON.map(lambda body: json.dumps(body).encode()) | st.binary())
def test_no_body_whatever_goes_without_a_class_and_a_printable_message(
    status: int, body: bytes
) -> None:
    problem = failure(body, Envelope(status, {}, NOW)).problem
    assert problem.message
    assert problem.message.isprintable()
    assert problem.code is None or problem.code.isprintable()
    assert len(problem.message) <= 500
