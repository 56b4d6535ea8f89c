"""The words of all pages, English and Chinese side by side."""

from __future__ import annotations

from collections.abc import Mapping

from batcher.observe.cost import CUT_SHORT, UNCOUNTED
from batcher.observe.language import Said

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
    "spread": Said("How long, how many", "分布"),
    "chart_rows": Said("Rows a second", "每秒行数"),
    "chart_tokens": Said("Tokens a second", "每秒 token 数"),
    "chart_calls": Said("Calls in flight", "并发调用数"),
    "chart_failures": Said("Failed attempts a second", "每秒失败的调用"),
    "chart_cost": Said("Cost, added up", "累计费用"),
    "chart_latency": Said("Seconds to an answer", "回答耗时（秒）"),
    "chart_prompt_tokens": Said("Prompt tokens of a row", "每行输入 token 数"),
    "chart_completion_tokens": Said("Completion tokens of a row", "每行输出 token 数"),
    "results": Said("results", "结果"),
    "errors": Said("errors", "错误"),
    "tokens_in": Said("prompt", "输入"),
    "tokens_out": Said("completion", "输出"),
    "in_flight": Said("in flight", "进行中"),
    "limit": Said("limit", "上限"),
    "cost": Said("cost", "费用"),
    "said_rows": Said(
        "{mean} rows a second over {time}; at most {peak}.",
        "{time}内平均每秒 {mean} 行，最高 {peak} 行。",
    ),
    "said_tokens": Said(
        "{sent} prompt and {came} completion tokens a second on average.",
        "平均每秒输入 {sent}、输出 {came} 个 token。",
    ),
    "said_calls": Said(
        "At most {peak} seen in flight at once; the limit was last {limit}.",
        "最多同时看到 {peak} 个调用进行中；上限最后为 {limit}。",
    ),
    "said_unseen": Said(
        "No call lasted long enough to be seen in flight.",
        "没有调用持续到足以被看到正在进行。",
    ),
    "said_paused": Said("No call could be made for {time}.", "共有 {time}无法调用。"),
    "said_failures": Said(
        "{failed} of {attempts:attempt} failed: {classes}.",
        "{attempts} 次调用中有 {failed} 次失败：{classes}。",
    ),
    "said_cost": Said(
        "{cost} {currency} for the answers recorded.", "已记录的回答共 {cost} {currency}。"
    ),
    "said_seconds": Said(
        "Half of the answers took at most {p50} s, 95% at most {p95} s, 99% at most {p99} s.",
        "半数回答不超过 {p50} 秒，95% 不超过 {p95} 秒，99% 不超过 {p99} 秒。",
    ),
    "said_token_counts": Said(
        "Half have at most {p50} tokens, 95% at most {p95}, 99% at most {p99}.",
        "半数不超过 {p50} 个 token，95% 不超过 {p95} 个，99% 不超过 {p99} 个。",
    ),
    "none_rows": Said("No row has an outcome yet.", "还没有任何一行有结果。"),
    "none_tokens": Said("No answer told its tokens.", "没有回答给出 token 数。"),
    "none_calls": Said("No call was made yet.", "尚未发出调用。"),
    "none_failures": Said("No attempt failed.", "没有失败的调用。"),
    "none_cost": Said("No price is known.", "价格未知。"),
    "said_no_cost": Said("Nothing was spent.", "没有费用。"),
    "none_prompt_tokens": Said("No answer told its tokens.", "没有回答给出 token 数。"),
    "none_completion_tokens": Said("No answer told its tokens.", "没有回答给出 token 数。"),
    "answers": Said("answers", "回答"),
    "between": Said(" ", ""),
    "comma": Said(", ", "、"),
    "colon": Said(": ", "："),
    "none_latency": Said("No answer came.", "没有收到回答。"),
    # The figures at the head.
    "progress": Said("progress", "进度"),
    "tile_results": Said("Results", "结果"),
    "tile_errors": Said("Errors", "错误"),
    "tile_pending": Said("Pending", "待处理"),
    "tile_cost": Said("Cost", "费用"),
    "tile_tokens": Said("Tokens", "Token"),
    "tile_attempts": Said("Calls", "调用"),
    "share_of_rows": Said("{share} of the rows done", "占已完成行的 {share}"),
    "of_total": Said("of {total} in all", "共 {total} 行"),
    "of_samples": Said("of {total:sample} in all", "共 {total} 个样本"),
    "unknown": Said("unknown", "未知"),
    "results_truncated": Said("{number} cut at max_tokens", "{number} 个因 max_tokens 截断"),
    "results_duplicates": Said("{number:duplicate}", "{number} 个重复"),
    "results_cached": Said("{number} from the cache", "{number} 个来自缓存"),
    "tokens_note": Said("{sent} prompt, {came} completion", "输入 {sent}，输出 {came}"),
    "attempts_repairs": Said("{number:repair}", "{number} 次修复"),
    "attempts_outcomes": Said("{number} for rows that are done", "其中 {number} 次属于已完成的行"),
    "attempts_billed": Said(
        "up to {number} possibly billed", "最多 {number} 次调用可能已计费但无结果"
    ),
    "cost_unknown": Said("no price is known", "没有已知价格"),
    "cost_nothing": Said("nothing was spent", "没有费用"),
    "cost_more": Said("at most {cost} more", "最多另加 {cost}"),
    "cost_unpriced": Said("{number:result} without a price", "{number} 个结果没有价格"),
    # What ran.
    "simulated": Said(
        "These answers come from the simulator; no model was called, and nothing was billed.",
        "这些回答来自模拟器；没有调用任何模型，也没有产生费用。",
    ),
    "state_running": Said("running", "运行中"),
    "state_finished": Said("finished", "已完成"),
    "state_stopped": Said("stopped", "已停止"),
    "state_killed": Said("killed", "被终止"),
    "more_inputs": Said("and {number:more input}", "另有 {number} 个输入"),
    "shard": Said(
        "Shard {number} of {of}: rows {first} to {last} of the {all} of the input",
        "第 {number}/{of} 个分片：输入共 {all} 行，此处为第 {first} 至 {last} 行（从 0 起）",
    ),
    "shard_empty": Said(
        "Shard {number} of {of}: none of the {all:row} of the input",
        "第 {number}/{of} 个分片：输入共 {all} 行，此分片没有行",
    ),
    "samples_each": Said("{number:sample} a row", "每行 {number} 个样本"),
    "began": Said("Began", "开始于"),
    "made": Said("Report made", "报告生成于"),
    "waiting": Said("Waiting:", "等待中："),
    "contents": Said("Contents", "目录"),
    # Errors.
    "errors_title": Said("Errors", "错误"),
    "no_errors": Said("No row ended in an error.", "没有出错的行。"),
    "errors_caption": Said("Rows that ended in an error, by its class", "出错的行，按错误类别"),
    "failed_by": Said("What calls failed by", "调用失败的原因"),
    "failed_by_caption": Said(
        "Failed attempts by their class; the rows are called again as the run goes on",
        "失败的调用，按错误类别；任务继续时会重新调用这些行",
    ),
    "class": Said("Class", "类别"),
    "share": Said("Share", "占比"),
    "what_to_do": Said("What to do", "处理办法"),
    "examples_of": Said("Examples of {what}", "{what} 的例子"),
    # All figures.
    "figures": Said("In figures", "数据明细"),
    "figures_rows": Said("Rows", "行"),
    "figures_samples": Said("Samples of rows", "各行的样本"),
    "figures_calls": Said("Calls", "调用"),
    "figures_cost": Said("Cost and tokens", "费用与 token"),
    "done": Said("Done", "已完成"),
    "truncated": Said("Truncated results", "被截断的结果"),
    "truncated_note": Said(
        "cut at max_tokens (finish reason: length)", "因 max_tokens 截断（length）"
    ),
    "called": Said("Called", "实际调用"),
    "duplicates": Said("Duplicates", "重复"),
    "duplicates_note": Said("answered by another row's call", "采用其他行的回答"),
    "cached": Said("From the cache", "来自缓存"),
    "hit_rate": Said("{share} of the results", "占结果的 {share}"),
    "attempts": Said("Attempts", "调用次数"),
    "failed_attempts": Said("Failed attempts", "失败的调用"),
    "failed_attempts_note": Said(
        "throttled ones among them, which cost no row an attempt",
        "包括被限流的调用，它们不计入行的尝试次数",
    ),
    "repairs": Said("Repairs", "修复"),
    "repairs_note": Said(
        "asked again, since an answer did not hold what [output] wants",
        "因回答不符合 [output] 的要求而再次询问",
    ),
    "unanswered": Said("Sent, not answered whole", "已发送但未完整回答"),
    "unanswered_note": Said("possibly billed", "可能已计费"),
    "killed_calls": Said("In flight when killed", "被终止时在途"),
    "killed_calls_note": Said(
        "at most this many were in flight when a process was killed: possibly billed",
        "进程被终止时最多有这么多调用在途：可能已计费",
    ),
    "cut_short": CUT_SHORT,
    "cut_short_note": UNCOUNTED,
    "working_time": Said("Time worked", "工作时间"),
    "latency": Said("latency", "耗时"),
    "latency_of": Said("Latency", "耗时"),
    "spent": Said("Spent", "已花费"),
    "by_prices": Said("by the prices of {source}", "按 {source} 的价格"),
    "at_most_more": Said("At most, more", "最多另加"),
    "at_most_more_note": Said("for calls without an answer", "来自未收到回答的调用"),
    "unpriced": Said("Results without a price", "没有价格的结果"),
    "unpriced_note": Said("not in this sum", "未计入总额"),
    "per_thousand": Said("For 1,000 rows", "每 1,000 行"),
    "per_thousand_note": Said(
        "all that was spent, by the rows that have an outcome", "全部花费除以已有结果的行"
    ),
    "prompt_tokens": Said("Prompt tokens", "输入 token"),
    "cached_tokens": Said("of these, cached by the provider", "其中服务商缓存"),
    "completion_tokens": Said("Completion tokens", "输出 token"),
    "reasoning_tokens": Said("of these, reasoning", "其中推理"),
    # Rows.
    "slowest": Said("Slowest rows", "最慢的行"),
    "slowest_note": Said("Those that took longest to be answered.", "回答耗时最长的行。"),
    "longest": Said("Longest answers", "最长的回答"),
    "longest_note": Said("Those with the most completion tokens.", "输出 token 最多的行。"),
    "no_answers": Said("No row has an answer.", "没有任何一行得到回答。"),
    "no_input": Said("The input has no rows.", "输入中没有任何行。"),
    "sample": Said("Prompts and answers", "提示词与回答"),
    "sample_note": Said(
        "Up to ten rows each from 20 places of the run; open one to read it.",
        "取自任务的 20 处，每处至多十行；点开即可阅读。",
    ),
    "sample_whole": Said(
        "Every row that is done; open one to read it.", "所有已完成的行；点开即可阅读。"
    ),
    "sample_of": Said("sample {one} of {all}", "样本 {one}/{all}"),
    "fact_sample": Said("sample column", "sample 列"),
    "seconds": Said("{number} s", "{number} 秒"),
    "tokens_of": Said("{number} tok", "{number} token"),
    "search": Said("Search", "搜索"),
    "show": Said("Show", "显示"),
    "all": Said("all", "全部"),
    "found": Said("{shown} of {all}", "{all} 行中的 {shown} 行"),
    "cut": Said("… cut: {number:more character}", "……已截断：另有 {number} 个字符"),
    "messages_left_out": Said("… {number:more message}", "……另有 {number} 条消息"),
    "image": Said("image", "图片"),
    "reasoning": Said("Reasoning", "推理过程"),
    "answer": Said("answer", "回答"),
    "output": Said("output", "输出值"),
    "tool_calls": Said("tool calls", "工具调用"),
    "model": Said("model", "模型"),
    "finish_reason": Said("finish reason", "结束原因"),
    "tokens": Said("tokens", "token"),
    "fact_reasoning": Said("of these, reasoning", "其中推理"),
    "fact_attempts": Said("calls", "调用"),
    "fact_unanswered": Said("not answered whole", "未完整回答"),
    "fact_repairs": Said("repairs", "修复"),
    "prompts_missing": Said("Some prompts are missing: {note}", "缺少部分提示词：{note}"),
    "answered_by": Said("answered by", "回答来自"),
    "answered_by_duplicate": Said("another row's call", "其他行的调用"),
    "answered_by_cache": Said("the cache", "缓存"),
    # Processes and the job.
    "processes": Said("Processes", "进程"),
    "processes_caption": Said("Each time the run was started", "任务的每次启动"),
    "number": Said("No.", "序号"),
    "worked_for": Said("Worked for", "工作时长"),
    "ended": Said("How it ended", "如何结束"),
    "ended_done": Said("done", "完成"),
    "ended_pending": Said("stopped with rows pending", "停止，仍有待处理的行"),
    "ended_halted": Said("stopped by a ceiling or an error", "因限额或错误停止"),
    "ended_interrupted": Said("interrupted", "被中断"),
    "ended_disk_full": Said("the disk was full", "磁盘已满"),
    "ended_killed": Said("killed", "被强行终止"),
    "ended_working": Said("still working", "仍在工作"),
    "job": Said("Settings and limits", "设置与限额"),
    "settings": Said("Requests", "请求"),
    "left_out": Said("(left out)", "（已略去）"),
    "no_settings": Said("The job sets nothing.", "任务没有设置。"),
    "private": Said(
        "Prompts, templates and answers were left out. Ids, file names and settings are in here.",
        "提示词、模板与回答已略去；仍包含 id、文件名和设置。",
    ),
    "holds_texts": Said(
        "This file holds prompts and answers. Share it as you would share them; "
        "--no-samples leaves them out.",
        "此文件包含提示词与回答，请像对待它们一样谨慎分享；--no-samples 可将其略去。",
    ),
    "made_with": Said(
        "One file, no network. Charts: uPlot (MIT).", "单个文件，不访问网络。图表：uPlot（MIT）。"
    ),
}
"""Every text by its name."""
