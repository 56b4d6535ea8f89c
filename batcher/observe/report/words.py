"""What pages say, in English and Chinese: the one table of their words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from batcher.errors import ErrorClass
from batcher.observe.report.hints import hint_in_chinese, name_in_chinese
from batcher.wording import lasting

Lang = Literal["en", "zh"]


class Said(NamedTuple):
    """A text in each language, with the same {figures}."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language."""

    lang: Lang

    @property
    def tag(self) -> str:
        """The language as HTML names it."""
        return "zh-CN" if self.lang == "zh" else "en"

    def __call__(self, name: str, **figures: object) -> str:
        """Return the text `name`, with its figures."""
        text = TEXTS[name]
        chosen = text.zh if self.lang == "zh" else text.en
        return chosen.format_map(figures) if figures else chosen

    def lasting(self, seconds: float) -> str:
        """Return a duration in its two largest units."""
        text = lasting(seconds)
        if self.lang == "en":
            return text
        return " ".join(_UNITS.get(part, part) for part in text.split(" "))

    def error(self, error_class: ErrorClass) -> str:
        """Return a class of errors as people call it, with its own name."""
        if self.lang == "en":
            return error_class.value
        return f"{name_in_chinese(error_class)} {error_class.value}"

    def hint(self, error_class: ErrorClass) -> str:
        """Return what to do about a class of errors."""
        if self.lang == "en":
            return error_class.rule.hint
        return hint_in_chinese(error_class)


_UNITS = {"s": "秒", "min": "分", "h": "小时", "d": "天"}

TEXTS: Mapping[str, Said] = {
    # The charts, and the sentence that says what each shows.
    "charts": Said("Over time", "随时间变化"),
    "charts_time": Said(
        "The horizontal axis is the time in which the run worked; the gaps between its processes "
        "are left out. Point at a chart to read its figures and the time of day; drag to look "
        "closer, and click twice to see all again.",
        "横轴是任务实际工作的时间，进程之间的空档不计在内。"
        "指向图表可读出数值和当时的时刻；拖动可放大，双击恢复。",
    ),
    "charts_marks": Said(
        "Dashed lines: the run was resumed. Shaded: no call could be made (an outage, or a pause "
        "that the provider asked for).",
        "虚线：任务在此恢复。阴影：当时无法调用（故障，或服务商要求暂停）。",
    ),
    "no_history": Said(
        "This run has no history: it was made by an older version, or no call was made yet.",
        "此任务没有历史记录：由旧版本生成，或尚未发出调用。",
    ),
    "time": Said("time", "时间"),
    "resumed": Said("resumed", "恢复"),
    "spread": Said("How long, how many", "分布"),
    "chart_rows": Said("Rows a second", "每秒行数"),
    "chart_tokens": Said("Tokens a second", "每秒 token 数"),
    "chart_calls": Said("Calls in flight", "并发调用数"),
    "chart_failures": Said("Failed attempts a second", "每秒失败的调用"),
    "chart_cost": Said("Cost, added up", "累计费用"),
    "chart_latency": Said("Seconds to an answer", "回答耗时（秒）"),
    "chart_prompt_tokens": Said("Prompt tokens of a row", "每行输入 token 数"),
    "chart_completion_tokens": Said("Completion tokens of a row", "每行输出 token 数"),
    "results": Said("results", "成功"),
    "errors": Said("errors", "失败"),
    "tokens_in": Said("prompt", "输入"),
    "tokens_out": Said("completion", "输出"),
    "in_flight": Said("in flight", "进行中"),
    "limit": Said("limit", "上限"),
    "cost": Said("cost", "费用"),
    "rows": Said("rows", "行"),
    "said_rows": Said(
        "{mean} rows a second over {time}; at most {peak}.",
        "{time}内平均每秒 {mean} 行，最高 {peak} 行。",
    ),
    "said_tokens": Said(
        "{sent} prompt and {came} completion tokens a second on average.",
        "平均每秒输入 {sent}、输出 {came} 个 token。",
    ),
    "said_calls": Said(
        "At most {peak} calls in flight; the limit was last {limit}.",
        "最多同时进行 {peak} 个调用；上限最后为 {limit}。",
    ),
    "said_paused": Said("No call could be made for {time}.", "共有 {time}无法调用。"),
    "said_failures": Said(
        "{failed} of {attempts} attempts failed: {classes}.",
        "{attempts} 次调用中有 {failed} 次失败：{classes}。",
    ),
    "said_cost": Said(
        "{cost} {currency} for the answers recorded.", "已记录的回答共 {cost} {currency}。"
    ),
    "said_seconds": Said(
        "Half of the answers took at most {p50} s, 95 % at most {p95} s, 99 % at most {p99} s.",
        "半数回答不超过 {p50} 秒，95 % 不超过 {p95} 秒，99 % 不超过 {p99} 秒。",
    ),
    "said_token_counts": Said(
        "Half have at most {p50} tokens, 95 % at most {p95}, 99 % at most {p99}.",
        "半数不超过 {p50} 个 token，95 % 不超过 {p95} 个，99 % 不超过 {p99} 个。",
    ),
    "none_rows": Said("No row has an outcome yet.", "还没有任何一行有结果。"),
    "none_tokens": Said("No answer told its tokens.", "没有回答给出 token 数。"),
    "none_calls": Said("No call was made.", "没有发出调用。"),
    "none_failures": Said("No attempt failed.", "没有失败的调用。"),
    "none_cost": Said("No price is known, or nothing was spent.", "价格未知，或没有费用。"),
    "none_prompt_tokens": Said("No answer told its tokens.", "没有回答给出 token 数。"),
    "none_completion_tokens": Said("No answer told its tokens.", "没有回答给出 token 数。"),
    "answers": Said("answers", "回答"),
    "between": Said(" ", ""),
    "comma": Said(", ", "、"),
    "none_latency": Said("No answer came.", "没有收到回答。"),
    # The figures at the head.
    "progress": Said("progress", "进度"),
    "tile_results": Said("Results", "成功"),
    "tile_errors": Said("Errors", "失败"),
    "tile_pending": Said("Pending", "待处理"),
    "tile_cost": Said("Cost", "费用"),
    "tile_tokens": Said("Tokens", "Token"),
    "tile_attempts": Said("Calls", "调用"),
    "share_of_rows": Said("{share} of the rows done", "占已完成行的 {share}"),
    "of_total": Said("of {total} in all", "共 {total}"),
    "unknown": Said("unknown", "未知"),
    "results_truncated": Said("{number} cut at max_tokens", "{number} 个因 max_tokens 截断"),
    "results_duplicates": Said("{number} duplicates", "{number} 个重复"),
    "results_cached": Said("{number} from the cache", "{number} 个来自缓存"),
    "tokens_note": Said("{sent} prompt, {came} completion", "输入 {sent}，输出 {came}"),
    "attempts_repairs": Said("{number} repairs", "{number} 次修复"),
    "attempts_twice": Said("up to {number} perhaps billed in vain", "最多 {number} 次可能白白计费"),
    "cost_unknown": Said("no price is known", "没有已知价格"),
    "cost_more": Said("at most {cost} more", "最多另加 {cost}"),
    "cost_unpriced": Said("{number} results without a price", "{number} 个结果没有价格"),
}
"""Every text by its name."""
