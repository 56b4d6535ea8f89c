"""What alerts say, in English and Chinese: the one table of their words."""

from __future__ import annotations

from collections.abc import Mapping

from batcher.observe.language import Lang, Said

TEXTS: Mapping[str, Said] = {
    # Signs, which are wider in Chinese.
    "title": Said("{marks}batcher: {said}", "{marks}batcher：{said}"),
    "simulated": Said("[SIMULATED] ", "【模拟】"),
    "test": Said("[TEST] ", "【测试】"),
    "colon": Said(": ", "："),
    "comma": Said(", ", "、"),
    "footer": Said("{host}, {moment}", "{host}，{moment}"),
    "errors_by": Said("{count} ({classes})", "{count}（{classes}）"),
    # What happened.
    "finish": Said("{run} is done", "{run} 已完成"),
    "failure": Said("{run} stopped", "{run} 已停止"),
    "too_many": Said("{run} ended with too many errors", "{run} 结束，错误过多"),
    "outage": Said("{run} could make no call for {lasted}", "{run} 已有 {lasted}无法发出任何调用"),
    "recovered": Said("{run} makes calls again after {lasted}", "{run} 在 {lasted}之后恢复调用"),
    "error_rate": Said(
        "{run}: more than {over} of its rows are errors", "{run}：错误率超过 {over}"
    ),
    "cost": Said("{run} has cost more than {over}", "{run} 的费用超过 {over}"),
    # Labels of figures.
    "rows": Said("Rows", "行数"),
    "results": Said("Results", "结果"),
    "errors": Said("Errors", "错误"),
    "spent": Said("Cost", "费用"),
    "rate": Said("Speed", "速度"),
    "left": Said("Time left", "剩余时间"),
    # Figures.
    "of": Said("{done} of {total} ({share})", "{done} / {total}（{share}）"),
    "possible": Said(
        "{cost}, at most {possible} more for calls without an answer",
        "{cost}，未得到回答的调用最多另计 {possible}",
    ),
    "per_second": Said("{rate} rows/s", "{rate} 行/秒"),
    "more": Said("{count} more", "其他 {count}"),
    # Why, and the way on.
    "why_too_many_errors": Said(
        "Every row has an outcome, but more of them are errors than the job allows "
        "(allow_errors). `batcher retry` calls them again.",
        "每一行都有结果，但错误行数超过了任务允许的数目（allow_errors）。"
        "用 `batcher retry` 可以重新调用它们。",
    ),
    "why_provider": Said("Stopped by the provider: {detail}.", "因服务商原因停止：{detail}。"),
    "why_stopped": Said("{detail}", "运行按规则提前停止：{detail}"),
    "why_pending": Said("Rows are pending.", "还有未完成的行。"),
    "why_interrupted": Said("Stopped by {detail}.", "被信号 {detail} 停止。"),
    "why_disk_full": Said(
        "The disk is full. Every answer that came is recorded; free space first.",
        "磁盘已满。已收到的回答都已记录；请先腾出空间。",
    ),
    "why_error": Said(
        "It ended in an error ({detail}). What was recorded is safe; the command's own output "
        "says more.",
        "因错误（{detail}）而结束。已记录的内容是安全的；详情见该命令自己的输出。",
    ),
    "outage_why": Said(
        "The endpoint is down, or asks to wait. Rows wait for it; none fails by it.",
        "服务端不可用，或要求等待。各行会一直等待，不会因此失败。",
    ),
    "error_rate_why": Said(
        "The run goes on; `batcher status` says which errors there are.",
        "运行仍在继续；`batcher status` 会列出有哪些错误。",
    ),
    "cost_why": Said(
        "The run goes on; max_cost under [ceilings] would end it.",
        "运行仍在继续；若要到此为止，请在 [ceilings] 中设置 max_cost。",
    ),
    "way_on": Said(
        "The same command goes on where it stopped.", "再次运行同一条命令，即可从中断处继续。"
    ),
    "test_note": Said(
        "A test: nothing of this happened, and the figures are made up.",
        "这是测试消息：以上并未发生，数字均为虚构。",
    ),
}


def say(lang: Lang, name: str, **figures: object) -> str:
    """Return the text `name`, with its figures."""
    return TEXTS[name].to(lang, **figures)
