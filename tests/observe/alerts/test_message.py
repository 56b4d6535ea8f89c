"""What people read of an alert."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from batcher.errors import ErrorClass
from batcher.observe.alerts import Alert, Cause, Event, Figures, Why
from batcher.observe.alerts.message import LONGEST_NAME, Tone, message_of
from batcher.observe.hints import hint_in_chinese
from batcher.observe.language import Lang
from tests.observe.alerts.conftest import alert_of

TITLES = {
    Event.FINISH: "batcher: reviews.batch is done",
    Event.FAILURE: "batcher: reviews.batch stopped",
    Event.OUTAGE: "batcher: reviews.batch could make no call for 12 min",
    Event.RECOVERED: "batcher: reviews.batch makes calls again after 12 min",
    Event.ERROR_RATE: "batcher: reviews.batch: more than 5% of its rows are errors",
    Event.COST: "batcher: reviews.batch has cost more than 2.00 CNY",
}


def test_the_title_says_what_happened_to_which_run(alert: Alert) -> None:
    assert message_of(alert, "en").title == TITLES[alert.event]


def test_all_that_is_known_is_said(alert: Alert) -> None:
    fields = dict(message_of(alert, "en").fields)
    if not alert.event.is_of_outage:
        assert (fields.pop("Speed"), fields.pop("Time left")) == ("12.5 rows/s", "4 s")
    assert fields == {
        "Rows": "150 of 200 (75.0%)",
        "Results": "140",
        "Errors": "10 (content_filtered 7, server_error 2, bad_request 1)",
        "Cost": "2.00 CNY, at most 0.5000 more for calls without an answer",
    }
    assert message_of(alert, "en").footer == "gpu-7, 2023-11-15 12:00:00 UTC"


def test_what_is_unknown_is_left_out() -> None:
    nothing = replace(alert_of(Event.FAILURE), figures=Figures())
    assert dict(message_of(nothing, "en").fields) == {"Rows": "0", "Results": "0", "Errors": "0"}


def test_of_many_classes_of_errors_the_rest_is_summed_up() -> None:
    errors = {name: 10 - at for at, name in enumerate(list(ErrorClass)[:5])}
    message = message_of(replace(alert_of(Event.FINISH), figures=Figures(errors=errors)), "en")
    assert dict(message.fields)["Errors"] == (
        "40 (invalid_row 10, duplicate_id 9, template_error 8, 13 more)"
    )


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (Why(Cause.TOO_MANY_ERRORS), "more of them are errors than the job allows"),
        (Why(Cause.PROVIDER, "balance"), "Stopped by the provider: balance."),
        (Why(Cause.STOPPED, "Stopped after 10 rows (--max-rows)."), "Stopped after 10 rows"),
        (Why(Cause.PENDING), "Rows are pending."),
        (Why(Cause.INTERRUPTED, "SIGTERM"), "Stopped by SIGTERM."),
        (Why(Cause.DISK_FULL), "free space first"),
        (Why(Cause.ERROR, "InputError"), "It ended in an error (InputError)"),
    ],
)
def test_a_failure_says_why_and_the_way_on(why: Why, said: str) -> None:
    lines = message_of(replace(alert_of(Event.FAILURE), why=why), "en").lines
    assert said in lines[0]
    again = why.cause is not Cause.TOO_MANY_ERRORS
    assert ("The same command goes on where it stopped." in lines) == again


def test_a_provider_that_stops_a_run_is_explained_by_our_words() -> None:
    assert ErrorClass.BALANCE.rule.hint in message_of(alert_of(Event.FAILURE), "en").lines


def test_what_a_provider_did_is_explained_in_chinese_too() -> None:
    why, hint, way = message_of(alert_of(Event.FAILURE), "zh").lines
    assert why == "因服务商原因停止：余额不足（balance）。"
    assert (hint, way) == (
        hint_in_chinese(ErrorClass.BALANCE),
        "再次运行同一条命令，即可从中断处继续。",
    )


def test_durations_have_units_of_the_language() -> None:
    assert "12 分" in message_of(alert_of(Event.OUTAGE), "zh").title


def test_simulated_runs_and_tests_are_marked() -> None:
    marked = replace(alert_of(Event.FINISH), simulated=True, test=True)
    message = message_of(marked, "en")
    assert message.title == "[TEST] [SIMULATED] batcher: reviews.batch is done"
    assert "nothing of this happened" in message.lines[-1]


def test_in_chinese_all_but_names_is_chinese(alert: Alert) -> None:
    message = message_of(alert, "zh")
    assert "reviews.batch" in message.title
    assert all(label[0] >= "\u4e00" for label, _ in message.fields)
    assert all(any(character >= "\u4e00" for character in line) for line in message.lines)


def test_in_chinese_signs_are_as_wide_as_its_characters(alert: Alert) -> None:
    message = message_of(replace(alert, simulated=True, test=True), "zh")
    # What stands between backquotes, or inside of a figure or a time, is no sign of a sentence.
    text = re.sub(r"`[^`]*`|[0-9][0-9:,.]*|\[ceilings\]", "", message.text())
    assert re.findall(r"[(),:;\[\]]", text) == []
    assert message.title.startswith("【测试】【模拟】batcher：")
    assert "\n错误：10（内容被拦截 content_filtered 7、" in message.text()
    assert message.footer == "gpu-7，2023-11-15 12:00:00 UTC"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_name_is_one_line_and_not_too_long(lang: Lang) -> None:
    named = replace(alert_of(Event.FINISH), run="a\nb\u202e" + "x" * 200, host="\x1b[31m")
    message = message_of(named, lang)
    assert "a?b?xxx" in message.title
    assert len(message.title) < LONGEST_NAME + 40
    assert "\n" not in message.title + message.footer
    assert "\x1b" not in message.text()


def test_good_news_and_bad_news_have_their_tone(alert: Alert) -> None:
    good, bad = (Event.FINISH, Event.RECOVERED), (Event.FAILURE,)
    wanted = Tone.GOOD if alert.event in good else Tone.BAD if alert.event in bad else Tone.WARNING
    assert message_of(alert, "en").tone is wanted
