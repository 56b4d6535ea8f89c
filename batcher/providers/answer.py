"""A whole answer: from the body of a response to a `Completion` (protocol.md section 2)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from batcher.errors import ErrorClass, ProviderError
from batcher.providers.classify import error_object, excerpt, failure, refusal
from batcher.providers.envelope import Envelope
from batcher.providers.strict_json import parse
from batcher.records import Completion, Usage

UNKNOWN_REASON = "unknown"

# Finish reasons that are no success; every other one is.
_FAILURES: Mapping[str, tuple[ErrorClass, str]] = {
    "sensitive": (ErrorClass.CONTENT_FILTERED, "the content policy stopped the answer"),
    "content_filter": (ErrorClass.CONTENT_FILTERED, "the content policy stopped the answer"),
    # HTTP 200, and often recorded as a success by others (BerriAI/litellm#24373).
    "network_error": (ErrorClass.INFERENCE_FAILED, "the inference failed behind the API"),
    "model_context_window_exceeded": (
        ErrorClass.PROMPT_TOO_LONG,
        "prompt and answer exceed the model's context window",
    ),
    # https://api-docs.deepseek.com/api/create-chat-completion
    "insufficient_system_resource": (
        ErrorClass.INFERENCE_FAILED,
        "the inference was interrupted for lack of resources",
    ),
    # vLLM
    "abort": (ErrorClass.INFERENCE_FAILED, "the inference was aborted"),
}

# What a checkpoint and a Parquet column can hold.
_MAX_COUNT = 2**63 - 1


def decode_body(body: bytes, envelope: Envelope, *, allow_empty: bool) -> Completion:
    """Read an answer that came as one body; see `Provider.decode`."""
    if not envelope.is_success:
        raise failure(body, envelope)
    try:
        content = parse(body)
    except ValueError as error:
        if envelope.ends_by_closing and body.lstrip()[:1] in (b"", b"{"):
            raise envelope.error(ErrorClass.AMBIGUOUS, "the answer was cut off") from None
        raise malformed(f"no JSON ({error}): {excerpt(body)}", envelope) from None
    return completion(content, envelope, allow_empty=allow_empty)


def completion(body: object, envelope: Envelope, *, allow_empty: bool) -> Completion:
    """Return the completion in a JSON body that came under a status of success.

    Raises:
        ProviderError: the body refuses, ends for a reason that is no success, is of another
            shape, or is empty though `allow_empty` is false.
    """
    choice = first_choice(body)
    if not isinstance(body, dict) or choice is None or body.get("error"):
        stated = error_object(body)
        raise refusal(stated, envelope) if stated else malformed("no choices", envelope)
    check_reason(choice, envelope)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise malformed("no message in the choice", envelope)
    text = text_of(message.get("content"))
    tool_calls = _tool_calls(message, envelope)
    reason = reason_of(choice) or UNKNOWN_REASON
    if not (text or tool_calls or reason == "length" or allow_empty):
        raise envelope.error(
            ErrorClass.EMPTY_COMPLETION, f"no text and no tool call; finish_reason {reason}"
        )
    return Completion(
        text=text or None,
        reasoning=reasoning_of(message) or None,
        tool_calls=tool_calls,
        finish_reason=reason,
        model=_text(body.get("model")),
        usage=usage_of(body.get("usage")),
        request_id=_request_id(body, envelope),
        rate_limits=envelope.rate_limits,
    )


def first_choice(body: object) -> Mapping[str, object] | None:
    """Return the first choice of an answer or of a piece of one; only one is ever asked for."""
    choices = body.get("choices") if isinstance(body, dict) else None
    first = choices[0] if choices and isinstance(choices, list) else None
    return first if isinstance(first, dict) else None


def reason_of(choice: Mapping[str, object]) -> str | None:
    """Return why the model ended, None where the answer does not say."""
    return _text(choice.get("finish_reason")) or None


def check_reason(choice: Mapping[str, object], envelope: Envelope) -> None:
    """Raise the `ProviderError` that a finish reason means, if it is no success."""
    reason = reason_of(choice) or UNKNOWN_REASON
    if reason in _FAILURES:
        error_class, message = _FAILURES[reason]
        raise envelope.error(error_class, f"{message} (finish_reason {reason})")


def text_of(content: object) -> str:
    """Return the text of a message's content, which may be a list of parts."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return _text(content)


def reasoning_of(message: Mapping[str, object]) -> str:
    """Return the reasoning of a message: `reasoning_content`, or `reasoning` (newer vLLM)."""
    return _text(message.get("reasoning_content")) or _text(message.get("reasoning"))


def malformed(what: str, envelope: Envelope) -> ProviderError:
    """Return the error for an answer that is no chat completion."""
    return envelope.error(ErrorClass.MALFORMED_ANSWER, f"no chat completion: {what}")


def _tool_calls(message: Mapping[str, object], envelope: Envelope) -> str | None:
    """Return the calls as compact JSON; the older `function_call` as a list of one."""
    calls = message.get("tool_calls")
    function = message.get("function_call")
    if not (calls and isinstance(calls, list)):
        if not (function and isinstance(function, dict)):
            return None
        calls = [{"type": "function", "function": function}]
    # The place in the list is the index; only streams need the number.
    kept = [
        {name: value for name, value in call.items() if name != "index"}
        for call in calls
        if isinstance(call, dict)
    ]
    try:
        text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise malformed("tool calls nested too deeply", envelope) from None
    # A lone surrogate is no UTF-8, but its escape is.
    return text if _is_utf8(text) else json.dumps(kept, separators=(",", ":"))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def usage_of(usage: object) -> Usage:
    """Return the tokens that an answer says it took."""
    if not isinstance(usage, dict):
        return Usage()
    cached = _count(usage.get("prompt_tokens_details"), "cached_tokens")
    return Usage(
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
        # DeepSeek has a field of its own for it.
        cached_tokens=_count(usage, "prompt_cache_hit_tokens") if cached is None else cached,
        reasoning_tokens=_count(usage.get("completion_tokens_details"), "reasoning_tokens"),
    )


def _count(counts: object, name: str) -> int | None:
    """Return a count; what is no whole number from 0 is as good as not sent."""
    value = counts.get(name) if isinstance(counts, dict) else None
    return value if type(value) is int and 0 <= value <= _MAX_COUNT else None


def _request_id(body: Mapping[str, object], envelope: Envelope) -> str | None:
    return (
        envelope.headers.get("x-request-id")
        or _text(body.get("request_id"))
        or _text(body.get("id"))
        or None
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
