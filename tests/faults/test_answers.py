"""What an endpoint may answer instead of a completion, and what becomes of the rows."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from batcher.records import Exchange as Attempted
from batcher.records import (
    Failure,
    InvalidAnswer,
    Kept,
    Outcome,
    Request,
    Success,
)
from tests.engines import Engine
from tests.faults.real_run import (
    GOOD_ROWS,
    LAST_ONCE,
    MODEL,
    ended,
    run_batcher,
    started,
    to_the_last,
    write_last,
    write_prompts,
)
from tests.one_call import REQUEST, calling
from tests.toxic import ANSWER, TEXT, Behaviour, Exchange, refuses, says, streamed, toxic, whole

TOO_MANY = "429 Too Many Requests"


def _first(*behaviours: Behaviour) -> Behaviour:
    """Answer the first requests so, one after the other, and the others well."""

    async def behave(exchange: Exchange) -> None:
        good = says(whole())
        await (behaviours[exchange.number] if exchange.number < len(behaviours) else good)(exchange)

    return behave


# --- 32: one status, four meanings ---


@pytest.mark.parametrize("code", ["1302", "1303"])
async def test_32_a_throttle_uses_up_none_of_a_row_s_attempts(tmp_path: Path, code: str) -> None:
    write_prompts(tmp_path)
    async with toxic(_first(refuses(code, "slow down", status=TOO_MANY))) as server:
        done = await run_batcher(tmp_path, server.url, "--max-attempts", "1")
    assert (done.code, len(server.seen)) == (0, 2)
    assert done.results[0]["attempts"] == 2


@pytest.mark.parametrize("code", ["1305", "1312"])
async def test_32_an_overload_uses_up_an_attempt(tmp_path: Path, code: str) -> None:
    write_last(tmp_path)
    async with toxic(to_the_last(refuses(code, "busy", status=TOO_MANY))) as server:
        done = await run_batcher(tmp_path, server.url, *LAST_ONCE)
    assert (done.code, done.classes) == (65, ["overloaded"])
    assert len(server.seen) == GOOD_ROWS + 1


async def test_32_an_empty_balance_stops_the_run_and_leaves_the_rows_pending(
    tmp_path: Path,
) -> None:
    write_prompts(tmp_path, 40)
    behave = _first(*[says(whole())] * 5, *[refuses("1113", "recharge", status=TOO_MANY)] * 35)
    async with toxic(behave) as server:
        done = await run_batcher(tmp_path, server.url, "-c", "2")
    assert done.code == 77
    assert (len(done.results), done.errors) == (5, [])
    assert len(server.seen) <= 5 + 2
    assert "recharge" in done.out


@pytest.mark.parametrize("code", ["1304", "1308", "1310"])
async def test_32_a_used_up_quota_waits_for_its_reset_or_leaves_the_rows_pending(
    tmp_path: Path, code: str
) -> None:
    write_prompts(tmp_path, 10)
    refusal = refuses(code, "resets at 2099-01-01 00:00:00", status=TOO_MANY)
    async with toxic(refusal) as server:
        done = await run_batcher(tmp_path, server.url, "-c", "2", "--max-wait", "60")
    assert done.code == 75
    assert (done.results, done.errors) == ([], [])
    assert len(server.seen) <= 2


async def test_32_a_quota_whose_reset_is_past_is_asked_again(tmp_path: Path) -> None:
    write_prompts(tmp_path)
    refusal = refuses("1308", "resets at 2020-01-01 00:00:00", status=TOO_MANY)
    async with toxic(_first(refusal)) as server:
        done = await run_batcher(tmp_path, server.url, "--max-attempts", "1")
    assert (done.code, len(server.seen)) == (0, 2)


# --- 33: the key is refused in mid-run ---


@pytest.mark.parametrize(
    ("status", "code"), [("401 Unauthorized", "1000"), ("403 Forbidden", "1220")]
)
async def test_33_a_key_refused_in_mid_run_stops_it_and_the_same_command_goes_on(
    tmp_path: Path, status: str, code: str
) -> None:
    write_prompts(tmp_path, 40)
    behave = _first(*[says(whole())] * 10, *[refuses(code, "no", status=status)] * 30)
    async with toxic(behave) as server:
        done = await run_batcher(tmp_path, server.url, "-c", "4")
    assert done.code == 77
    assert (len(done.results), done.errors) == (10, [])
    assert len(server.seen) <= 10 + 4
    recorded = {row["id"] for row in done.results}
    async with toxic(says(whole())) as server:
        done = await run_batcher(tmp_path, server.url, "-c", "4")
    assert done.code == 0
    assert len(done.results) == 40
    again = {seen.prompt.replace("Say ", "id-").removesuffix(".") for seen in server.seen}
    assert len(server.seen) == 30
    assert not again & recorded


# --- 35: no success, though the status says so ---

_NO_SUCCESS = {
    "an error": (b'{"error": {"code": "1305", "message": "busy"}}', "overloaded"),
    "an error beside choices": (
        ANSWER[:-1] + b', "error": {"code": "1234", "message": "network"}}',
        "server_error",
    ),
    "a flat error": (b'{"code": "500", "msg": "failed", "success": false}', "server_error"),
    "HTML": (b"<html><body>Sign in to the hotel's network</body></html>", "malformed_answer"),
    "no choices": (b'{"id": "1", "choices": []}', "malformed_answer"),
    "null choices": (b'{"id": "1", "choices": null}', "malformed_answer"),
    "no message": (b'{"choices": [{"finish_reason": "stop"}]}', "malformed_answer"),
    "nothing": (b"", "malformed_answer"),
    "an empty text": (b'{"choices": [{"message": {"content": ""}}]}', "empty_completion"),
}


@pytest.mark.parametrize(("body", "error_class"), _NO_SUCCESS.values(), ids=_NO_SUCCESS.keys())
async def test_35_what_comes_with_200_and_is_no_completion_is_no_success(
    tmp_path: Path, body: bytes, error_class: str
) -> None:
    write_last(tmp_path)
    async with toxic(to_the_last(says(whole(body)))) as server:
        done = await run_batcher(tmp_path, server.url, *LAST_ONCE)
    assert (done.code, done.classes, len(done.results)) == (65, [error_class], GOOD_ROWS)


async def test_35_an_error_in_the_midst_of_a_stream_is_no_success(tmp_path: Path) -> None:
    write_last(tmp_path)
    begun = b'data: {"choices": [{"delta": {"content": "hel"}}]}\n\n'
    error = b'data: {"error": {"code": "1234", "message": "network"}}\n\n'
    async with toxic(to_the_last(says(streamed(begun, error, b"data: [DONE]\n\n")))) as server:
        done = await run_batcher(tmp_path, server.url, "--stream", *LAST_ONCE)
    assert (done.code, done.classes, len(done.results)) == (65, ["server_error"], GOOD_ROWS)


# --- 36: how the model ended ---


@pytest.mark.parametrize(
    ("reason", "error_class", "calls"),
    [("sensitive", "content_filtered", 1), ("network_error", "inference_failed", 2)],
)
@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
async def test_36_a_finish_reason_that_is_no_success_is_an_error_of_its_class(
    tmp_path: Path, reason: str, error_class: str, calls: int, stream: str
) -> None:
    write_last(tmp_path)
    choice = {"finish_reason": reason, "message": {"content": "par"}, "delta": {"content": "par"}}
    body = json.dumps({"choices": [choice]}).encode()
    event = b"data: " + body + b"\n\n"
    answer = streamed(event, b"data: [DONE]\n\n") if stream == "--stream" else whole(body)
    async with toxic(to_the_last(says(answer))) as server:
        done = await run_batcher(tmp_path, server.url, stream, "-c", "1", "--max-attempts", "2")
    assert (done.code, done.classes, len(done.results)) == (65, [error_class], GOOD_ROWS)
    assert len(server.seen) == GOOD_ROWS + calls


async def test_36_a_cut_completion_and_one_without_usage_are_results_that_say_so(
    tmp_path: Path,
) -> None:
    write_prompts(tmp_path, 2)
    cut = {"choices": [{"finish_reason": "length", "message": {"content": "par"}}]}
    async with toxic(_first(says(whole(json.dumps(cut).encode())))) as server:
        done = await run_batcher(tmp_path, server.url, "-c", "1")
    first, second = done.results
    assert done.code == 0
    assert (first["response"], first["finish_reason"]) == ("par", "length")
    assert [first[name] for name in ("prompt_tokens", "completion_tokens")] == [None, None]
    assert [second[name] for name in ("prompt_tokens", "completion_tokens")] == [7, 2]
    assert "max_tokens" in done.out or "length" in done.out


# --- 37: a poison row ---


async def test_37_a_row_that_always_fails_is_called_eight_times_and_spoils_no_other() -> None:
    """A thousand rows by the real client and the real policy; only the waits are not waited."""
    attempted: Counter[str] = Counter()
    waits: list[float] = []
    outcomes: list[Outcome] = []

    async def behave(exchange: Exchange) -> None:
        poison = refuses("500", "failed", status="500 Internal Server Error")
        await (poison if exchange.seen.prompt == "poison" else says(whole()))(exchange)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def put(outcome: Kept) -> None:
        assert not isinstance(outcome, InvalidAnswer)
        outcomes.append(outcome)

    def seen(exchange: Attempted) -> None:
        attempted[exchange.request.id] += 1

    prompts = ["poison" if number == 500 else f"Say {number}." for number in range(1000)]
    async with toxic(behave) as server, calling(server.url) as client:
        engine = Engine([client.complete], 8, on_attempt=seen, sleep=sleep)
        retrier = engine.retrier()
        for prompt in prompts:
            await retrier.settle(_request(prompt), put)
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert [failure.id for failure in failed] == ["poison"]
    assert failed[0].problem.error_class == "server_error"
    assert sum(isinstance(outcome, Success) for outcome in outcomes) == 999
    assert attempted["poison"] == 8
    assert len(server.seen) == 999 + 8
    assert len(waits) == 7


def _request(prompt: str) -> Request:
    messages = [{"role": "user", "content": prompt}]
    body = {"model": "glm-4-flash", "messages": messages}
    return Request(0, prompt, prompt, body, REQUEST.source)


async def test_37_a_poison_row_ends_as_an_error_and_the_others_as_results(tmp_path: Path) -> None:
    write_prompts(tmp_path, 100)

    async def behave(exchange: Exchange) -> None:
        poison = refuses("500", "failed", status="500 Internal Server Error")
        await (poison if exchange.seen.prompt == "Say 50." else says(whole()))(exchange)

    async with toxic(behave) as server:
        done = await run_batcher(tmp_path, server.url, "--max-attempts", "3")
    assert (done.code, [row["id"] for row in done.errors]) == (65, ["id-50"])
    assert done.errors[0]["attempts"] == 3
    assert len(done.results) == 99
    assert {row["response"] for row in done.results} == {TEXT}
    assert len(server.seen) == 99 + 3


# --- 38: a request id that was seen before ---


async def test_38_a_duplicate_request_is_sent_again_under_a_new_id(tmp_path: Path) -> None:
    write_prompts(tmp_path, 3)
    ids: set[str] = set()
    told: Counter[str] = Counter()

    async def behave(exchange: Exchange) -> None:
        request_id = json.loads(exchange.seen.body)["request_id"]
        assert request_id == exchange.seen.headers["x-client-request-id"]
        told[exchange.seen.prompt] += 1
        # Each row's first id was, says the server, another's.
        seen = request_id in ids or told[exchange.seen.prompt] == 1
        ids.add(request_id)
        duplicate = refuses("1231", "duplicate request_id", status="400 Bad Request")
        await (duplicate if seen else says(whole()))(exchange)

    async with toxic(behave) as server:
        done = await run_batcher(tmp_path, server.url)
    assert (done.code, len(done.results)) == (0, 3)
    assert len(ids) == len(server.seen) == 6


# --- what a row's data reaches ---


async def test_no_data_of_a_row_reaches_a_header_or_the_address(tmp_path: Path) -> None:
    """A batch line's url is a name, its id and its model are text; breaks in them stay in JSON."""
    broken = "glm\r\nX-Evil: 1"
    line = {
        "custom_id": "a\r\nX-Evil: 1",
        "method": "POST",
        "url": "/v4/chat/completions",
        "body": {"model": broken, "messages": [{"role": "user", "content": "hi"}]},
    }
    away = {**line, "custom_id": "b", "url": "http://evil.example/v4/chat/completions"}
    rows = "".join(f"{json.dumps(row)}\n" for row in (line, away))
    (tmp_path / "prompts.jsonl").write_text(rows)
    async with toxic(says(whole())) as server, started(tmp_path, server.url) as process:
        done = await ended(tmp_path, process)
    assert (done.code, done.classes) == (65, ["invalid_row"])
    (seen,) = server.seen
    assert seen.target == "/chat/completions"
    assert "evil" not in seen.head.lower()
    assert json.loads(seen.body)["model"] == broken


async def test_a_model_that_the_job_does_not_name_is_not_called(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "hi"}]
    models = ("glm-4-flash", "glm-5-dear")
    rows = [
        {"custom_id": model, "body": {"model": model, "messages": messages}} for model in models
    ]
    (tmp_path / "prompts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    async with toxic(says(whole())) as server, started(tmp_path, server.url, *MODEL) as process:
        done = await ended(tmp_path, process)
    assert (done.code, done.classes) == (65, ["invalid_row"])
    assert "allowed_models" in done.errors[0]["message"]
    assert [json.loads(seen.body)["model"] for seen in server.seen] == ["glm-4-flash"]
