"""The simulated service on a real socket: what it answers, whom it refuses, what it records."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import socket
import struct
import sys
import termios
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import jwt
import msgspec
import pytest
from aiohttp import web

from batcher.errors import OutputError
from batcher.simulator.chances import prompt_key
from batcher.simulator.config import SIMULATED_KEY, SIMULATED_MODEL, SimulatorConfig
from batcher.simulator.schedule import Outage
from batcher.simulator.service import _CHAT, _STOP_S, _Service, serve
from tests.pictures import bare, noisy_picture

if TYPE_CHECKING:
    from tests.simulator.conftest import MakeBody, Simulate

pytestmark = pytest.mark.usefixtures("quiet")


def text_of(answer: Any) -> str:  # noqa: ANN401 -- what the service said
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


async def test_a_question_is_answered(simulate: Simulate, make_body: MakeBody) -> None:
    async with simulate() as caller:
        answer = await caller.ask(make_body("What is snow?", request_id="request-1"))
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    completion = answer.json()
    assert completion["model"] == SIMULATED_MODEL
    assert completion["request_id"] == "request-1"
    assert "What is snow?" in text_of(answer)


async def test_a_stream_says_the_same_and_ends_with_done(
    simulate: Simulate, make_body: MakeBody
) -> None:
    async with simulate() as caller:
        plain = await caller.ask(make_body("雪是什么？"))
        stream = await caller.ask(make_body("雪是什么？", stream=True))
    assert stream.headers["Content-Type"] == "text/event-stream"
    *events, done, end = stream.body.decode().split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    deltas = [
        msgspec.json.decode(event.removeprefix("data: "))["choices"][0]["delta"]["content"]
        for event in events
        if not event.startswith(":")
    ]
    assert "".join(deltas) == text_of(plain)


async def test_with_a_temperature_the_same_question_has_several_answers(
    simulate: Simulate, make_body: MakeBody
) -> None:
    """And the first one is that of the question; without, it is always that."""
    async with simulate() as caller:
        plain = {text_of(await caller.ask(make_body("Why is that so?"))) for _ in range(5)}
        warm = [
            text_of(await caller.ask(make_body("Why is that so?", temperature=0.8)))
            for _ in range(5)
        ]
    assert plain == {warm[0]}
    assert len(set(warm)) > 1


async def test_every_answer_has_an_id_of_its_own(simulate: Simulate) -> None:
    async with simulate() as caller:
        answers = [(await caller.ask()).json() for _ in range(3)]
    assert len({answer["id"] for answer in answers}) == 3
    assert len({answer["request_id"] for answer in answers}) == 3


async def test_answers_and_faults_depend_on_the_seed_and_not_on_the_order(
    simulate: Simulate, make_body: MakeBody
) -> None:
    prompts = [f"Question {number}" for number in range(20)]

    async def asked(seed: int, order: list[str]) -> dict[str, object]:
        async with simulate(seed=seed, faults={"500": 0.3}) as caller:
            answers = {prompt: await caller.ask(make_body(prompt)) for prompt in order}
        return {p: text_of(a) if a.status == 200 else a.status for p, a in answers.items()}

    first = await asked(1, prompts)
    assert first == await asked(1, prompts[::-1])
    assert first != await asked(2, prompts)
    assert 0 < list(first.values()).count(500) < 20


async def test_the_tokenizer_counts_a_prompt_and_leaves_no_trace_in_the_ledger(
    simulate: Simulate, make_body: MakeBody
) -> None:
    async with simulate() as caller:
        counted = await caller.ask(make_body("abcd"), "/tokenizer")
        missing = await caller.ask({"model": SIMULATED_MODEL}, "/tokenizer")
        broken = await caller.ask(b"{", "/tokenizer")
        assert caller.ledger() == []
    assert counted.json() == {"usage": {"prompt_tokens": 7}}
    assert [missing.code, broken.code] == ["1213", "1214"]


@pytest.mark.parametrize("path", ["/chat/completions", "/tokenizer"])
async def test_another_method_is_not_allowed(simulate: Simulate, path: str) -> None:
    async with simulate() as caller:
        answer = await caller.ask(path=path, method="GET")
    assert (answer.status, answer.code, answer.headers["Allow"]) == (405, "405", "POST")


@pytest.mark.parametrize("path", ["", "/", "/chat", "/chat/completions/", "/async/chat"])
async def test_another_path_is_not_found(simulate: Simulate, path: str) -> None:
    async with simulate() as caller:
        answer = await caller.ask(path=path)
    assert (answer.status, answer.code) == (404, "404")


async def test_a_large_request_is_taken(simulate: Simulate, make_body: MakeBody) -> None:
    image = {"type": "image_url", "image_url": {"url": bare(noisy_picture(1000))}}
    parts = [{"type": "text", "text": "Look"}, image]
    async with simulate() as caller:
        answer = await caller.ask(make_body(parts, model="glm-4.6v"))
    assert "Look" in text_of(answer)


async def test_a_lone_surrogate_is_taken(simulate: Simulate) -> None:
    body = b'{"model":"glm-4-flash","messages":[{"role":"user","content":"a\\ud800b"}]}'
    async with simulate() as caller:
        assert "a?b" in text_of(await caller.ask(body))
        assert caller.ledger()[0].prompt == "a?b"


# Who may ask.


def signed(key: str, expires: float) -> str:
    key_id, _, secret = key.partition(".")
    payload = {"api_key": key_id, "exp": int(expires * 1000), "timestamp": int(expires * 1000) - 1}
    return jwt.encode(payload, secret, "HS256", headers={"sign_type": "SIGN"})


@pytest.mark.parametrize("path", ["/chat/completions", "/tokenizer"])
async def test_tokens_are_accepted_until_they_expire_and_never_when_forged(
    simulate: Simulate, path: str
) -> None:
    forged = SIMULATED_KEY.partition(".")[0] + ".another-secret-of-thirty-two-bytes"
    async with simulate(clock=lambda: 1000.0) as caller:

        async def status(token: str) -> int | str:
            answer = await caller.ask(path=path, Authorization=f"Bearer {token}")
            return 200 if answer.status == 200 else answer.code

        assert await status(signed(SIMULATED_KEY, 1001)) == 200
        assert await status(signed(SIMULATED_KEY, 999)) == "1003"
        assert await status(signed(forged, 1001)) == "1004"


async def test_only_the_given_keys_are_accepted(simulate: Simulate) -> None:
    async with simulate(keys=frozenset({"my.key"})) as caller:
        mine = await caller.ask(Authorization="Bearer my.key")
        simulated = await caller.ask()
    assert (mine.status, simulated.status, simulated.code) == (200, 401, "1000")


async def test_who_may_not_ask_is_told_so_before_anything_else(simulate: Simulate) -> None:
    async with simulate(fail_after=(0, "500")) as caller:
        answer = await caller.ask(b"no json", Authorization="Basic x")
        (entry,) = caller.ledger()
    assert (answer.status, answer.code) == (401, "1002")
    assert (entry.status, entry.code, entry.fault, entry.sent) == (401, "1002", None, True)


# What is refused.


@pytest.mark.parametrize(("language", "ascii_only"), [("en-US", True), ("zh-CN", False)])
async def test_a_refusal_speaks_the_language_of_its_client(
    simulate: Simulate, make_body: MakeBody, language: str, *, ascii_only: bool
) -> None:
    async with simulate() as caller:
        answer = await caller.ask(make_body(model="gpt-4o"), Accept_Language=language)
    assert (answer.status, answer.code) == (400, "1211")
    assert answer.json()["error"]["message"].isascii() == ascii_only


async def test_more_requests_in_flight_than_the_limit_are_refused_until_one_ends(
    simulate: Simulate, make_body: MakeBody
) -> None:
    gate = asyncio.Event()

    async def wait(_seconds: float) -> None:
        await gate.wait()

    async with simulate(latency_s=1, limits={SIMULATED_MODEL: 2}, sleep=wait) as caller:
        waiting = [asyncio.create_task(caller.ask()) for _ in range(2)]
        await caller.arrived(2)
        refused = await caller.ask()
        other = asyncio.create_task(caller.ask(make_body(model="glm-4-air")))
        await caller.arrived(4)
        gate.set()
        assert [(await task).status for task in [*waiting, other]] == [200, 200, 200]
        assert (await caller.ask()).status == 200
        entries = caller.ledger()
    assert (refused.status, refused.code) == (429, "1302")
    assert [entry.in_flight for entry in entries] == [1, 2, 3, 3, 1]
    assert [entry.code for entry in entries] == [None, None, "1302", None, None]


async def test_a_client_that_leaves_makes_room(simulate: Simulate) -> None:
    async with simulate(faults={"timeout": 1.0}, limits={"*": 1, SIMULATED_MODEL: 1}) as caller:
        async with caller.connected():
            await caller.arrived(1)
            assert (await caller.ask()).code == "1302"
        await caller.ended(2)
        async with caller.connected():
            *_, last = await caller.arrived(3)
    assert last.in_flight == 1


async def test_each_key_has_a_limit_of_its_own_however_it_signs_in(simulate: Simulate) -> None:
    gate = asyncio.Event()

    async def wait(_seconds: float) -> None:
        await gate.wait()

    async with simulate(latency_s=1, limits={"*": 1}, sleep=wait) as caller:
        mine = asyncio.create_task(caller.ask())
        yours = asyncio.create_task(caller.ask(Authorization="Bearer yours.secret"))
        await caller.arrived(2)
        token = f"Bearer {signed(SIMULATED_KEY, time.time() + 60)}"
        assert (await caller.ask(Authorization=token)).code == "1302"
        gate.set()
        assert [(await task).status for task in (mine, yours)] == [200, 200]


async def test_a_server_that_queues_answers_all_in_turn(
    simulate: Simulate, make_body: MakeBody
) -> None:
    served: list[float] = []
    gate = asyncio.Semaphore(0)

    async def wait(seconds: float) -> None:
        served.append(seconds)
        await gate.acquire()

    async with simulate(latency_s=1, limits={}, queue=1, sleep=wait) as caller:
        asking = [asyncio.create_task(caller.ask(make_body(f"Question {n}"))) for n in range(3)]
        await caller.arrived(3)
        for number in range(1, 4):
            assert len(served) == number
            gate.release()
            await caller.ended(number)
        assert [(await task).status for task in asking] == [200] * 3
        entries = caller.ledger()
    assert [entry.in_flight for entry in entries] == [1, 2, 3]


@pytest.mark.parametrize("rate", ["rpm", "tpm"])
async def test_a_rate_that_is_used_up_is_refused_until_some_of_it_is_back(
    simulate: Simulate, rate: str
) -> None:
    async with simulate() as caller:
        tokens: int = (await caller.ask()).json()["usage"]["total_tokens"]
    now = 1000.0
    limit = 2 if rate == "rpm" else 2 * tokens
    async with simulate(clock=lambda: now, **{rate: limit}) as caller:
        statuses = [(await caller.ask()).status for _ in range(2)]
        refused = await caller.ask()
        now += 30
        statuses.append((await caller.ask()).status)
    assert statuses == [200] * 3
    assert (refused.status, refused.code) == (429, "1303")


async def test_every_answer_to_an_account_tells_of_its_rates_where_that_is_wanted(
    simulate: Simulate,
) -> None:
    fields: dict[str, Any] = {"rpm": 2, "fail_after": (1, "500"), "clock": lambda: 1000.0}
    async with simulate(rate_headers=True, **fields) as caller:
        answers = [await caller.ask() for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 500, 429]
    remaining = [answer.headers["x-ratelimit-remaining-requests"] for answer in answers]
    resets = [answer.headers["x-ratelimit-reset-requests"] for answer in answers]
    assert (remaining, resets) == (["1", "0", "0"], ["30s", "1m0s", "1m0s"])
    async with simulate(**fields) as caller:
        assert "x-ratelimit-limit-requests" not in (await caller.ask()).headers


# Faults, as a client sees them.


async def test_in_an_outage_every_request_meets_its_fault_before_any_limit(
    simulate: Simulate,
) -> None:
    now = 1000.0
    fields: dict[str, Any] = {"rpm": 1, "rate_headers": True, "limits": {"*": 0}}
    outages = (Outage(10, 5, "502"),)
    async with simulate(outages=outages, clock=lambda: now, **fields) as caller:
        before = await caller.ask()
        now += 10
        during = [await caller.ask() for _ in range(3)]
        now += 5
        after = await caller.ask()
        entries = caller.ledger()
    assert [before.code, after.code] == ["1302", "1302"]
    assert [answer.status for answer in during] == [502] * 3
    assert "x-ratelimit-limit-requests" not in during[0].headers
    assert [entry.fault for entry in entries] == [None, "502", "502", "502", None]


async def test_one_key_runs_out_while_others_go_on(simulate: Simulate) -> None:
    async with simulate(key_faults={"spent": (1, "1113")}) as caller:
        asked = ["spent.key", "rich.key", "spent.key", "rich.key"]
        answers = [await caller.ask(Authorization=f"Bearer {key}") for key in asked]
    assert [answer.status for answer in answers] == [200, 200, 429, 200]
    assert answers[2].code == "1113"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("1302", 429, "1302"),
        ("1113", 429, "1113"),
        ("1003", 401, "1003"),
        ("401", 401, "401"),
        ("1301", 400, "1301"),
        ("1220", 403, "1220"),
        ("500", 500, "1200"),
        ("poison", 500, "1200"),
        ("error_200", 200, "1234"),
    ],
)
async def test_a_code_comes_with_its_status(
    simulate: Simulate, fault: str, status: int, code: str
) -> None:
    async with simulate(faults={fault: 1.0}) as caller:
        answer = await caller.ask()
        (entry,) = caller.ledger()
    assert (answer.status, answer.code) == (status, code)
    assert (entry.status, entry.code, entry.fault, entry.sent) == (status, code, fault, True)


@pytest.mark.parametrize(
    ("fault", "status", "start"), [("502", 502, b"<html>"), ("503", 503, b"upstream")]
)
async def test_a_gateway_answers_with_what_is_no_json(
    simulate: Simulate, fault: str, status: int, start: bytes
) -> None:
    async with simulate(faults={fault: 1.0}) as caller:
        answer = await caller.ask()
    assert answer.status == status
    assert answer.body.startswith(start)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("length", b'"finish_reason":"length"'),
        ("sensitive", b'"finish_reason":"sensitive"'),
        ("network_error", b'"finish_reason":"network_error"'),
        ("no_choices", b'"choices":[]'),
        ("empty", b'"completion_tokens":0'),
    ],
)
async def test_an_answer_can_be_spoiled(simulate: Simulate, fault: str, said: bytes) -> None:
    async with simulate(faults={fault: 1.0}) as caller:
        answer = await caller.ask()
    assert answer.status == 200
    assert said in answer.body


async def test_only_answers_of_json_meet_the_fault_of_json_and_the_ledger_names_it(
    simulate: Simulate, make_body: MakeBody
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    async with simulate(faults={"broken_json": 1.0}) as caller:
        text = text_of(await caller.ask(make_body("How many?", response_format=wanted)))
        await caller.ask(make_body("How many?"))
        entries = await caller.ended(2)
    with pytest.raises((ValueError, AssertionError)):
        assert type(msgspec.json.decode(text)["n"]) is int
    assert [entry.fault for entry in entries] == ["broken_json", None]


async def test_a_row_that_is_asked_again_with_more_messages_draws_anew(
    simulate: Simulate, make_body: MakeBody
) -> None:
    async with simulate(faults={"broken_json": 0.5}) as caller:
        for number in range(40):
            user = {"role": "user", "content": f"Answer {number} in JSON"}
            again = {"role": "user", "content": "This answer cannot be used: no JSON"}
            await caller.ask(make_body(messages=[user]))
            await caller.ask(make_body(messages=[user, again]))
        entries = await caller.ended(80)
    faults = [entry.fault for entry in entries]
    assert {*zip(faults[::2], faults[1::2], strict=True)} == {
        (one, other) for one in ("broken_json", None) for other in ("broken_json", None)
    }


async def test_usage_can_be_missing(simulate: Simulate) -> None:
    async with simulate(faults={"no_usage": 1.0}) as caller:
        assert "usage" not in (await caller.ask()).json()


async def test_a_hanging_request_ends_when_its_client_leaves(simulate: Simulate) -> None:
    async with simulate(faults={"timeout": 1.0}) as caller:
        async with caller.connected():
            (entry,) = await caller.arrived()
            assert entry.finished_at is None
        (entry,) = await caller.ended()
    assert (entry.status, entry.fault, entry.sent) == (None, "timeout", False)


async def test_a_hanging_request_can_be_cut(simulate: Simulate) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with simulate(faults={"timeout": 1.0}, hang_s=90, sleep=sleep) as caller:
        async with caller.connected() as reader:
            assert await reader.read() == b""
        (entry,) = await caller.ended()
    assert slept == [90]
    assert (entry.status, entry.sent) == (None, False)


async def test_a_connection_can_be_reset(simulate: Simulate) -> None:
    async with simulate(faults={"reset": 1.0}) as caller:
        async with caller.connected() as reader:
            with pytest.raises(ConnectionResetError):
                await reader.read()
        (entry,) = await caller.ended()
    assert (entry.status, entry.fault, entry.sent) == (None, "reset", False)


async def test_a_body_can_be_shorter_than_promised(simulate: Simulate) -> None:
    async with simulate(faults={"truncated": 1.0}) as caller:
        async with caller.connected() as reader:
            head, body = (await reader.read()).split(b"\r\n\r\n", 1)
        with pytest.raises(aiohttp.ClientPayloadError):
            await caller.ask()
        entries = await caller.ended(2)
    promised = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    assert len(body) == promised // 2
    assert [(entry.status, entry.sent) for entry in entries] == [(200, False)] * 2


async def test_a_stream_can_be_cut_inside(simulate: Simulate, make_body: MakeBody) -> None:
    async with simulate(faults={"truncated": 1.0}) as caller:
        async with caller.connected(caller.request(make_body(stream=True))) as reader:
            stream = await reader.read()
        (entry,) = await caller.ended()
    assert stream.count(b"data: ") > 1
    assert b"[DONE]" not in stream
    assert not stream.endswith(b"0\r\n\r\n")
    assert not entry.sent


@pytest.mark.parametrize("stream", [True, False])
async def test_a_body_can_come_byte_by_byte(
    simulate: Simulate, make_body: MakeBody, *, stream: bool
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with simulate(faults={"drip": 1.0}, drip_s=0.25, sleep=sleep) as caller:
        answer = await caller.ask(make_body(stream=stream))
        (entry,) = caller.ledger()
    assert slept == [0.25] * (len(answer.body) - 1)
    assert (entry.status, entry.sent) == (200, True)


async def test_slow_takes_ten_times_as_long(simulate: Simulate) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    for faults in ({}, {"slow": 1.0}):
        async with simulate(latency_s=0.2, faults=faults, sleep=sleep) as caller:
            assert (await caller.ask()).status == 200
    assert slept[1] == pytest.approx(10 * slept[0])


async def test_a_used_up_quota_names_a_time_from_now(simulate: Simulate) -> None:
    async with simulate(
        faults={"1308": 1.0}, reset_after_s=60, clock=lambda: 1_800_000_000.0
    ) as caller:
        answer = await caller.ask()
    assert "2027-01-15 16:01:00" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fault", "header"), [("1302", "7"), ("503", "7"), ("500", None), ("no_usage", None)]
)
async def test_a_wait_is_asked_for_only_where_it_was_configured(
    simulate: Simulate, fault: str, header: str | None
) -> None:
    async with simulate(faults={fault: 1.0}, retry_after="7") as caller:
        assert (await caller.ask()).headers.get("Retry-After") == header
    async with simulate(faults={fault: 1.0}) as caller:
        assert "Retry-After" not in (await caller.ask()).headers


async def test_after_so_many_requests_each_meets_the_fault(simulate: Simulate) -> None:
    async with simulate(fail_after=(2, "1113")) as caller:
        statuses = [(await caller.ask()).status for _ in range(4)]
    assert statuses == [200, 200, 429, 429]


# The ledger.


async def test_the_ledger_tells_of_a_request_all_but_its_key(
    simulate: Simulate, make_body: MakeBody
) -> None:
    body = make_body("长" * 100, request_id="request-1")
    async with simulate(clock=lambda: 1000.0) as caller:
        await caller.ask(body)
        (entry,) = caller.ledger()
        written = caller.ledger_path.read_text("utf-8")
    assert (entry.seq, entry.arrived_at, entry.finished_at) == (1, 1000.0, 1000.0)
    assert (entry.request_id, entry.model) == ("request-1", SIMULATED_MODEL)
    assert entry.prompt_key == prompt_key(SIMULATED_MODEL, body["messages"])
    assert entry.prompt == "长" * 60
    assert (entry.status, entry.code, entry.fault, entry.sent) == (200, None, None, True)
    assert SIMULATED_KEY.partition(".")[2] not in written


async def test_the_id_of_a_request_may_stand_in_a_header(simulate: Simulate) -> None:
    async with simulate() as caller:
        await caller.ask(X_Client_Request_Id="from-the-header")
        await caller.ask()
        await caller.ask({"request_id": 7})
        odd = caller.request(header=b"X-Client-Request-Id: \xff")
        async with caller.connected(odd) as reader:
            await reader.readuntil(b"\r\n\r\n")
        ids = [entry.request_id for entry in caller.ledger()]
    assert ids == ["from-the-header", None, None, "?"]


async def test_what_cannot_be_read_is_recorded_without_a_name(simulate: Simulate) -> None:
    async with simulate() as caller:
        assert (await caller.ask(b"{")).code == "1214"
        assert (await caller.ask(b'{"model":7}')).code == "1213"
        first, second = caller.ledger()
    assert (first.prompt_key, first.prompt, first.model) == ("", "", None)
    assert (second.prompt_key, second.model) == (prompt_key(7, None), None)


async def test_a_client_that_leaves_while_it_waits_gets_nothing(simulate: Simulate) -> None:
    async def forever(_seconds: float) -> None:
        await asyncio.Event().wait()

    async with simulate(latency_s=1, sleep=forever) as caller:
        async with caller.connected():
            await caller.arrived()
        (entry,) = await caller.ended()
    assert (entry.status, entry.sent) == (None, False)


async def test_a_client_that_leaves_between_two_writes_did_not_get_the_whole(
    simulate: Simulate, make_body: MakeBody
) -> None:
    async with simulate(faults={"drip": 1.0}, drip_s=0) as caller:
        async with caller.connected(caller.request(make_body(stream=True))) as reader:
            await reader.readuntil(b"\r\n\r\n1\r\nd\r\n")
        (entry,) = await caller.ended()
    assert (entry.status, entry.sent) == (200, False)


async def test_a_client_found_gone_by_a_write_is_no_error(simulate: Simulate) -> None:
    """The connection breaks while the service writes, before the event loop can tell."""
    clients: list[socket.socket] = []

    async def hang_up(_seconds: float) -> None:
        if clients:
            client = clients.pop()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()

    async with simulate(faults={"drip": 1.0}, sleep=hang_up) as caller:
        clients.append(socket.create_connection(caller.address))
        clients[0].sendall(caller.request())
        (entry,) = await caller.ended()
        assert not clients
    assert (entry.status, entry.sent) == (200, False)


async def test_a_request_that_breaks_off_has_not_arrived(simulate: Simulate) -> None:
    async with simulate() as caller:
        async with caller.connected(caller.request(length=1_000_000)):
            await asyncio.sleep(0.01)
        assert (await caller.ask()).status == 200
        assert len(caller.ledger()) == 1


@pytest.mark.parametrize("noise", [b"no http at all\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
async def test_what_is_no_http_is_refused_quietly(simulate: Simulate, noise: bytes) -> None:
    async with simulate() as caller:
        reader, writer = await asyncio.open_connection(*caller.address)
        for raw in (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", noise):
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.partition(b"Content-Length: ")[2].split()[0]))
        writer.close()
        await writer.wait_closed()
    assert b" 400 Bad Request\r\n" in head


async def test_stopping_cuts_what_hangs_and_what_idles(simulate: Simulate) -> None:
    async with AsyncExitStack() as stack, AsyncExitStack() as simulated:
        caller = await simulated.enter_async_context(simulate(faults={"timeout": 1.0}))
        hanging = await stack.enter_async_context(caller.connected())
        idle = await stack.enter_async_context(caller.connected(b"\r\n"))
        await caller.arrived()
        await _stop(simulated)
        for reader in (hanging, idle):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        (entry,) = caller.ledger()
    assert entry.finished_at is not None
    assert (entry.status, entry.sent) == (None, False)


# Not 2: a connection accepted in the very turn of the stop is lost inside asyncio (3.11), unread.
@pytest.mark.parametrize("turns", [0, 1, 3, 4, 5, 6, 7])
async def test_stopping_cuts_what_has_only_just_come_in(simulate: Simulate, turns: int) -> None:
    """The stop falls between any two steps of a connection's beginning."""
    async with AsyncExitStack() as simulated:
        caller = await simulated.enter_async_context(simulate(faults={"timeout": 1.0}))
        client = socket.create_connection(caller.address, 3)
        client.sendall(caller.request())
        _wait_until_received(client)
        for _ in range(turns):
            await asyncio.sleep(0)
        await _stop(simulated)
        with client, suppress(ConnectionResetError):
            assert client.recv(1) == b""
    assert all(entry.finished_at for entry in caller.ledger())


async def _stop(simulated: AsyncExitStack) -> None:
    """Let a simulator stop, which does not wait for what hangs."""
    async with asyncio.timeout(_STOP_S - 1):
        await simulated.aclose()


def _wait_until_received(client: socket.socket) -> None:
    """Wait until the other side's kernel has all that was sent, and so a connection to accept."""
    while int.from_bytes(fcntl.ioctl(client, termios.TIOCOUTQ, bytes(4)), sys.byteorder):
        time.sleep(0.001)


async def test_requests_leave_nothing_behind_and_share_a_connection(make_body: MakeBody) -> None:
    """Ten thousand requests, a tenth of which meets a fault, sent down one connection."""
    config = SimulatorConfig(latency_s=0, faults={"500": 0.1})
    service = _Service(config, None, time.time, asyncio.sleep)
    runner = web.AppRunner(service.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)

    async def ask(count: int) -> None:
        raw = msgspec.json.encode(make_body())
        head = (
            f"POST {_CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SIMULATED_KEY}\r\n"
            f"Content-Length: {len(raw)}\r\n\r\n"
        )
        writer.write((head.encode() + raw) * count)
        for _ in range(count):
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)

    await ask(100)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(99):
        await ask(100)
    gc.collect()
    after = len(gc.get_objects())
    writer.close()
    await writer.wait_closed()
    await runner.cleanup()
    assert service._arrivals == 10_000
    assert not service._in_flight
    assert after - before < 200


# Where it cannot begin.


async def test_an_address_that_is_taken_is_an_output_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*in use"):
            async with serve(SimulatorConfig(), port=port):
                pass


async def test_a_port_that_does_not_exist_is_an_output_error() -> None:
    with pytest.raises(OutputError, match="choose another port"):
        async with serve(SimulatorConfig(), port=70_000):
            pass


async def test_a_ledger_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot open the ledger"):
        async with serve(SimulatorConfig(ledger=tmp_path)):
            pass
