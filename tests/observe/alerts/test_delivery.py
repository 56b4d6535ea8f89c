"""Deliveries: tries, waits and ends, in time that passes only by waiting."""

from __future__ import annotations

import json
import signal
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import Interruption
from batcher.observe.alerts import (
    Clocks,
    Courier,
    Delivery,
    Event,
    Network,
    Outgoing,
    Poster,
    Send,
    Undelivered,
    Webhook,
    attempt,
)
from batcher.observe.alerts.delivery import TOTAL_S, TRIES
from batcher.observe.alerts.posting import UnreachableError
from batcher.observe.alerts.verdict import Answer
from batcher.runs.stopping import go_on
from tests.observe.alerts.conftest import NOON, alert_of
from tests.webhooks import SECRET, Hook, Reply, hook

FINE = Answer(200, {}, b'{"errcode": 0, "code": 0}')
BUSY = Answer(503, {}, b"")
WEBHOOK = Webhook("generic", "hooks.example.com", "https://hooks.example.com/canary")


@dataclass
class _Time:
    """Time that passes only where a delivery waits."""

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)

    def wait(self, _event: threading.Event, seconds: float) -> None:
        self.seconds += seconds
        self.waits.append(seconds)

    def clocks(self) -> Clocks:
        return Clocks(
            lambda: NOON + self.seconds, lambda: self.seconds, self.wait, lambda _low, high: high
        )


@dataclass
class _Platform:
    """Answers one post after the other; the last answer stays."""

    answers: Sequence[Answer | UnreachableError]
    posts: list[Outgoing] = field(default_factory=list)

    def __call__(self, outgoing: Outgoing) -> Answer:
        self.posts.append(outgoing)
        answer = self.answers[min(len(self.posts), len(self.answers)) - 1]
        if isinstance(answer, UnreachableError):
            raise answer
        return answer


def _delivered(platform: Send, time: _Time, webhook: Webhook = WEBHOOK) -> list[Undelivered]:
    """Deliver one alert to the end; return what failed."""
    failed: list[Undelivered] = []
    courier = Courier(webhook, platform, "en", failed.append, time.clocks())
    courier.put(alert_of(Event.FINISH))
    _ended(courier)
    return failed


def _ended(courier: Courier) -> None:
    """Let a courier bring all that it has."""
    courier._queue.put(None)
    assert courier._thread is not None
    courier._thread.join()


def test_an_alert_is_posted_once_where_all_is_well() -> None:
    platform, time = _Platform([FINE]), _Time()
    assert _delivered(platform, time) == []
    assert (len(platform.posts), time.waits) == (1, [])


@pytest.mark.parametrize("trouble", [BUSY, Answer(429, {}, b""), UnreachableError("gone")])
def test_troubles_that_pass_are_waited_out_longer_each_time(
    trouble: Answer | UnreachableError,
) -> None:
    platform, time = _Platform([trouble, trouble, trouble, FINE]), _Time()
    assert _delivered(platform, time) == []
    assert (len(platform.posts), time.waits) == (4, [2.0, 4.0, 8.0])


def test_waits_have_jitter_of_up_to_half_their_length() -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    time = _Time()
    clocks = Clocks(lambda: NOON, lambda: time.seconds, time.wait, uniform)
    courier = Courier(WEBHOOK, _Platform([BUSY, FINE]), "en", lambda _: None, clocks)
    courier._deliver({})
    assert (asked, time.waits) == ([(1.0, 2.0)], [1.0])


def test_a_wish_of_the_platform_is_kept_to() -> None:
    platform, time = _Platform([Answer(429, {"retry-after": "40"}, b""), FINE]), _Time()
    assert _delivered(platform, time) == []
    assert time.waits == [42.0]


def test_one_that_wishes_for_too_long_is_given_up_at_once() -> None:
    platform, time = _Platform([Answer(429, {"retry-after": "600"}, b""), FINE]), _Time()
    assert _delivered(platform, time) == [
        Undelivered("hooks.example.com", Event.FINISH, "HTTP 429")
    ]
    assert (len(platform.posts), time.waits) == (1, [])


def test_what_does_not_pass_is_given_up_and_told_of_by_its_host_alone() -> None:
    platform, time = _Platform([BUSY]), _Time()
    assert _delivered(platform, time) == [
        Undelivered("hooks.example.com", Event.FINISH, "HTTP 503")
    ]
    assert len(platform.posts) == TRIES


def test_a_refusal_is_not_asked_again() -> None:
    platform, time = _Platform([Answer(404, {}, b"no_service")]), _Time()
    assert [one.said for one in _delivered(platform, time)] == ["HTTP 404"]
    assert len(platform.posts) == 1


@given(
    st.lists(
        st.sampled_from([429, 500, 503]).flatmap(
            lambda status: st.builds(
                lambda seconds: Answer(status, {"retry-after": str(seconds)}, b""),
                st.integers(0, 1000),
            )
        ),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_a_platform_wishes_there_are_few_tries_in_a_bounded_time(
    answers: list[Answer],
) -> None:
    platform, time = _Platform(answers), _Time()
    _delivered(platform, time)
    assert len(platform.posts) <= TRIES
    assert time.seconds <= TOTAL_S


def test_each_try_is_signed_anew() -> None:
    platform, time = _Platform([BUSY, FINE]), _Time()
    webhook = Webhook("dingtalk", "host", "https://host/", SECRET)
    assert _delivered(platform, time, webhook) == []
    stamps = [post.query["timestamp"] for post in platform.posts]
    assert stamps == ["1700049600000", "1700049602000"]


def test_a_signature_of_feishu_stands_in_the_body() -> None:
    platform = _Platform([FINE])
    webhook = Webhook("feishu", "host", "https://host/", SECRET)
    assert attempt(webhook, platform, {"msg_type": "interactive"}, NOON).delivered
    (post,) = platform.posts
    assert post.body.keys() == {"timestamp", "sign", "msg_type"}
    assert post.query == {}


def test_an_error_of_ours_is_told_of_and_the_next_alert_is_delivered() -> None:
    def broken(_outgoing: Outgoing) -> Answer:
        raise ValueError("canary")

    assert [one.said for one in _delivered(broken, _Time())] == ["internal: ValueError"]


def _delivery(
    sends: Sequence[Send], time: _Time, on: Sequence[Sequence[str]] = ()
) -> tuple[Delivery, Callable[[], list[Undelivered]]]:
    webhooks = [
        Webhook("generic", f"host-{at}", "https://host/", on=on[at] if on else tuple(Event))
        for at in range(len(sends))
    ]
    by_host = {webhook.host: send for webhook, send in zip(webhooks, sends, strict=True)}
    delivery = Delivery(webhooks, lambda webhook: by_host[webhook.host], "en", time.clocks())
    return delivery, lambda: list(delivery.failures())


def test_each_webhook_is_told_of_what_it_wants() -> None:
    first, second, time = _Platform([FINE]), _Platform([FINE]), _Time()
    delivery, failures = _delivery([first, second], time, [("cost",), ("outage", "finish")])
    for event in Event:
        delivery.tell(alert_of(event))
    for courier in delivery._couriers:
        _ended(courier)
    assert [post.body["event"] for post in first.posts] == ["cost"]
    assert [post.body["event"] for post in second.posts] == ["finish", "outage", "recovered"]
    assert failures() == []


def test_a_webhook_that_hangs_holds_up_neither_the_run_nor_another_webhook() -> None:
    hold, answered = threading.Event(), threading.Event()

    def hanging(_outgoing: Outgoing) -> Answer:
        hold.wait()
        return FINE

    def quick(_outgoing: Outgoing) -> Answer:
        answered.set()
        return FINE

    time = _Time()
    delivery, failures = _delivery([hanging, quick], time)
    delivery.tell(alert_of(Event.FINISH))
    answered.wait()
    delivery.close(10.0, go_on)
    assert time.seconds == pytest.approx(10.0, abs=0.2)
    assert [(one.host, one.said) for one in failures()] == [
        ("host-0", "it was still being sent when the run ended")
    ]
    hold.set()
    for courier in delivery._couriers:
        assert courier._thread is not None
        courier._thread.join()
    assert failures() == []


def test_what_is_still_tried_again_at_the_end_is_told_of_with_what_came_last() -> None:
    busy, let = threading.Event(), threading.Event()

    class Waiting(_Time):
        def wait(self, event: threading.Event, seconds: float) -> None:
            super().wait(event, seconds)
            if threading.current_thread().name == "alerts":
                busy.set()
                let.wait()

    delivery, failures = _delivery([_Platform([BUSY])], Waiting())
    delivery.tell(alert_of(Event.OUTAGE))
    delivery.tell(alert_of(Event.FINISH))
    busy.wait()
    delivery.close(0.0, go_on)
    late = "it was still being sent when the run ended"
    assert [(one.event, one.said) for one in failures()] == [
        (Event.OUTAGE, f"{late} (last: HTTP 503)"),
        (Event.FINISH, late),
    ]
    let.set()


def test_what_came_of_an_alert_is_not_said_of_the_next() -> None:
    began, hold = threading.Event(), threading.Event()

    def refusing_then_hanging(outgoing: Outgoing) -> Answer:
        if outgoing.body["event"] == "outage":
            return Answer(404, {}, b"")
        began.set()
        hold.wait()
        return FINE

    delivery, failures = _delivery([refusing_then_hanging], _Time())
    delivery.tell(alert_of(Event.OUTAGE))
    delivery.tell(alert_of(Event.FINISH))
    began.wait()
    delivery.close(0.0, go_on)
    assert [one.said for one in failures()] == [
        "HTTP 404",
        "it was still being sent when the run ended",
    ]
    hold.set()


def test_what_there_is_no_room_for_is_lost_and_told_of() -> None:
    hold, began = threading.Event(), threading.Event()

    def hanging(_outgoing: Outgoing) -> Answer:
        began.set()
        hold.wait()
        return FINE

    delivery, failures = _delivery([hanging], _Time())
    delivery.tell(alert_of(Event.FINISH))
    began.wait()
    for _ in range(18):
        delivery.tell(alert_of(Event.COST))
    assert [one.said for one in failures()] == ["too many wait for it"] * 2
    hold.set()
    delivery.close(0.0, go_on)


def test_whoever_interrupts_the_wait_ends_it() -> None:
    hold = threading.Event()

    def hanging(_outgoing: Outgoing) -> Answer:
        hold.wait()
        return FINE

    def interrupt() -> None:
        raise Interruption(signal.SIGINT)

    delivery, failures = _delivery([hanging], _Time())
    delivery.tell(alert_of(Event.FINISH))
    with pytest.raises(Interruption):
        delivery.close(10.0, interrupt)
    assert len(failures()) == 1
    hold.set()


def test_a_real_server_gets_each_alert_in_order_after_a_trouble() -> None:
    served: Hook
    with hook([Reply(500), Reply(200), Reply(429, headers={"retry-after": "1"})]) as served:
        webhook = Webhook("generic", "127.0.0.1", served.url)
        network = Network(ssl.create_default_context(), None)
        time = _Time()
        courier = Courier(webhook, Poster(served.url, network), "zh", lambda _: None, time.clocks())
        courier.put(alert_of(Event.COST))
        courier.put(alert_of(Event.FINISH))
        _ended(courier)
    assert served.events() == ["cost", "cost", "finish", "finish"]
    assert time.waits == [2.0, 3.0]
    assert "已完成" in json.dumps(served.taken[-1].body, ensure_ascii=False)


def test_an_alert_for_which_no_thread_can_be_had_is_told_of_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    delivery, failures = _delivery([_Platform([FINE])], _Time())
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        delivery.tell(alert_of(Event.FINISH))
    delivery.close(1.0, go_on)
    assert [one.said for one in failures()] == ["it was still being sent when the run ended"]
