"""Refusals: the provider's error object, and the class of problem it means.

Codes decide, never texts (protocol.md section 3); the HTTP status decides where no code is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batcher.errors import ErrorClass, ProviderError
from batcher.providers.envelope import Envelope, one_line
from batcher.providers.strict_json import parse

_MAX_CODE = 100
_MAX_EXCERPT = 200

# https://docs.bigmodel.cn/cn/api/api-code (section 3). No code here means two things to two
# providers, so one table serves all.
CODES: Mapping[str, ErrorClass] = {
    "401": ErrorClass.AUTHENTICATION,  # token expired or wrong
    "1000": ErrorClass.AUTHENTICATION,  # authentication failed
    "1001": ErrorClass.AUTHENTICATION,  # no auth header
    "1002": ErrorClass.AUTHENTICATION,  # token malformed
    "1003": ErrorClass.TOKEN_EXPIRED,  # token expired: sign a new one, once
    "1004": ErrorClass.AUTHENTICATION,  # token verification failed
    "1005": ErrorClass.AUTHENTICATION,  # second factor required
    "1100": ErrorClass.SERVER_ERROR,  # account read/write
    "1110": ErrorClass.PERMISSION,  # account inactive
    "1111": ErrorClass.PERMISSION,  # account missing
    "1112": ErrorClass.PERMISSION,  # account locked
    "1113": ErrorClass.BALANCE,  # arrears, or no resource package: a 429 that no retry cures
    "1120": ErrorClass.SERVER_ERROR,  # account temporarily unreachable
    "1121": ErrorClass.PERMISSION,  # account locked for a violation
    "1200": ErrorClass.SERVER_ERROR,  # call failed
    "1210": ErrorClass.BAD_REQUEST,  # bad parameters
    "1211": ErrorClass.MODEL_UNAVAILABLE,  # model not found
    "1212": ErrorClass.MODEL_UNAVAILABLE,  # model lacks this call method
    "1213": ErrorClass.BAD_REQUEST,  # missing field
    "1214": ErrorClass.BAD_REQUEST,  # invalid field
    "1215": ErrorClass.BAD_REQUEST,  # mutually exclusive fields
    "1220": ErrorClass.PERMISSION,  # no access to this API
    "1221": ErrorClass.ENDPOINT_UNKNOWN,  # API retired
    "1222": ErrorClass.ENDPOINT_UNKNOWN,  # API unknown
    "1230": ErrorClass.SERVER_ERROR,  # process error
    "1231": ErrorClass.SERVER_ERROR,  # duplicate request_id: each attempt has a new one
    "1232": ErrorClass.BAD_REQUEST,  # use task_id
    "1233": ErrorClass.BAD_REQUEST,  # task missing
    "1234": ErrorClass.SERVER_ERROR,  # network error
    "1235": ErrorClass.SERVER_ERROR,  # network error
    "1260": ErrorClass.SERVER_ERROR,  # runtime error
    "1261": ErrorClass.PROMPT_TOO_LONG,  # prompt too long
    "1300": ErrorClass.CONTENT_FILTERED,  # blocked by policy
    "1301": ErrorClass.CONTENT_FILTERED,  # unsafe input or output
    "1302": ErrorClass.THROTTLED,  # account rate limit (concurrency)
    "1303": ErrorClass.THROTTLED,  # frequency too high (legacy)
    "1304": ErrorClass.QUOTA_EXHAUSTED,  # daily call quota
    "1305": ErrorClass.OVERLOADED,  # platform overload
    "1308": ErrorClass.QUOTA_EXHAUSTED,  # limit reached, reset time in the message
    "1309": ErrorClass.BALANCE,  # plan expired
    "1310": ErrorClass.QUOTA_EXHAUSTED,  # weekly or monthly limit, reset time in the message
    "1311": ErrorClass.MODEL_UNAVAILABLE,  # plan lacks the model
    "1312": ErrorClass.OVERLOADED,  # model busy
    "1313": ErrorClass.PERMISSION,  # fair-use restriction
    "1314": ErrorClass.PERMISSION,  # plan invalid
    "1315": ErrorClass.AUTHENTICATION,  # wrong key type
    **dict.fromkeys(map(str, range(1316, 1322)), ErrorClass.QUOTA_EXHAUSTED),  # 5-hour, 7-day
    # https://platform.openai.com/docs/guides/error-codes
    "insufficient_quota": ErrorClass.BALANCE,  # a 429 that no retry cures
    "billing_hard_limit_reached": ErrorClass.BALANCE,
    "rate_limit_exceeded": ErrorClass.THROTTLED,
    "invalid_api_key": ErrorClass.AUTHENTICATION,
    "model_not_found": ErrorClass.MODEL_UNAVAILABLE,
    "context_length_exceeded": ErrorClass.PROMPT_TOO_LONG,
    "content_policy_violation": ErrorClass.CONTENT_FILTERED,
    "content_filter": ErrorClass.CONTENT_FILTERED,
    # vLLM: the model, since an unknown path gets no error object there (section 3)
    "NotFoundError": ErrorClass.MODEL_UNAVAILABLE,
}

_STATUSES: Mapping[int, ErrorClass] = {
    401: ErrorClass.AUTHENTICATION,
    402: ErrorClass.BALANCE,
    403: ErrorClass.PERMISSION,
    404: ErrorClass.ENDPOINT_UNKNOWN,
    405: ErrorClass.ENDPOINT_UNKNOWN,
    408: ErrorClass.SERVER_ERROR,
    409: ErrorClass.SERVER_ERROR,
    410: ErrorClass.ENDPOINT_UNKNOWN,
    429: ErrorClass.THROTTLED,
    503: ErrorClass.OVERLOADED,
    529: ErrorClass.OVERLOADED,
}

_BY_HUNDREDS: Mapping[int, ErrorClass] = {
    # A refusal under a status of success says nothing of the request.
    2: ErrorClass.SERVER_ERROR,
    3: ErrorClass.ENDPOINT_UNKNOWN,
    4: ErrorClass.BAD_REQUEST,
    5: ErrorClass.SERVER_ERROR,
}


@dataclass(frozen=True, slots=True)
class ErrorObject:
    """What a provider says of a refusal: `code` and `type` as text, None where absent."""

    code: str | None
    type: str | None
    message: str


def error_object(body: object) -> ErrorObject | None:
    """Return the error object in a body of any known shape (section 3), if there is one.

    Known are `{"error": {...}}`, `{"error": "text"}`, and flat ones with a code or a message.
    """
    if not isinstance(body, Mapping):
        return None
    inner = body.get("error")
    if inner and isinstance(inner, str):
        return ErrorObject(_code(body.get("code")), None, inner)
    stated = inner if inner and isinstance(inner, Mapping) else body
    texts = (stated.get(name) for name in ("message", "msg", "detail"))
    message = next((text for text in texts if text and isinstance(text, str)), "")
    code, type_ = _code(stated.get("code")), _code(stated.get("type"))
    if stated is body and not (code or message):
        return None
    return ErrorObject(code, type_, message)


def refusal(error: ErrorObject, envelope: Envelope) -> ProviderError:
    """Return the error for a refusal that the provider put into words."""
    code = error.code or error.type
    blank = not one_line(error.message)
    message = f"HTTP {envelope.status} without a message" if blank else error.message
    return envelope.error(classify(error, envelope.status), message, code)


def failure(body: bytes, envelope: Envelope) -> ProviderError:
    """Return the error for an answer whose HTTP status is one of failure."""
    if 300 <= envelope.status < 400:  # noqa: PLR2004 -- HTTP's own range
        # The key would go along, to wherever the redirect leads (reliability.md section D).
        target = one_line(envelope.headers.get("location", "nowhere"), _MAX_EXCERPT)
        message = f"HTTP {envelope.status} to {target}; redirects are not followed"
        return envelope.error(_class_of_status(envelope.status), message)
    try:
        stated = error_object(parse(body))
    except ValueError:
        stated = None
    if stated is not None:
        return refusal(stated, envelope)
    message = f"HTTP {envelope.status}: {excerpt(body)}"
    return envelope.error(_class_of_status(envelope.status), message)


def classify(error: ErrorObject, status: int) -> ErrorClass:
    """Return the class of a refusal: by its code, else by its type, else by the HTTP status."""
    if error.code in ("1210", "1214") and "modelCode" in error.message:
        # The one text that decides (section 3): the field it names is the model.
        return ErrorClass.MODEL_UNAVAILABLE
    for code in (error.code, error.type):
        if code is not None and code in CODES:
            return CODES[code]
    if status < 300 and error.code and error.code.isdecimal():  # noqa: PLR2004 -- HTTP's own
        # Some say HTTP 200 and put the status into the body.
        return _class_of_status(int(error.code))
    return _class_of_status(status)


def excerpt(body: bytes) -> str:
    """Return the start of a body for a message."""
    start = body[: 4 * _MAX_EXCERPT].decode(errors="replace")
    return one_line(start, _MAX_EXCERPT) or "an empty body"


def _class_of_status(status: int) -> ErrorClass:
    return _STATUSES.get(status) or _BY_HUNDREDS.get(status // 100, ErrorClass.SERVER_ERROR)


def _code(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return one_line(str(value), _MAX_CODE) or None
