"""What only the live page says, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batcher.history import Ended
from batcher.observe.language import Said
from batcher.observe.live.state import Phase, State
from batcher.observe.words import Words


@dataclass(frozen=True, slots=True)
class LiveWords(Words):
    """The words of a live page: those of the report, and its own."""

    def __call__(self, name: str, **figures: object) -> str:
        """Return the text `name`, with its figures."""
        if name not in TEXTS:
            return Words.__call__(self, name, **figures)
        return self._say(TEXTS[name], figures)

    def status(self, state: State) -> str:
        """Say in a sentence or two what a run is doing."""
        pending = self("some") if state.pending is None else self("some_rows", number=state.pending)
        if state.phase is Phase.STOPPED:
            why = self._why(state)
            return self("status_stopped", why=why, pending=pending)
        return self(
            f"status_{state.phase}",
            writer=state.writer,
            waiting=state.waiting,
            pending=pending,
            error=state.unreadable,
        )

    def _why(self, state: State) -> str:
        """Say why a run stopped; never in a provider's words, which may quote a prompt."""
        last = state.lately
        if last is None or last.ended is None:
            return ""
        if last.error_class is not None:
            kind, hint = self.error(last.error_class), self.hint(last.error_class)
            return self("why_provider", kind=kind, hint=hint)
        return f"{last.reason} " if last.reason else self(f"why_{Ended(last.ended)}")


TEXTS: Mapping[str, Said] = {
    "phase_running": Said("running", "运行中"),
    "phase_waiting": Said("waiting", "等待中"),
    "phase_busy": Said("working", "处理中"),
    "phase_finished": Said("finished", "已完成"),
    "phase_stopped": Said("stopped", "已停止"),
    "phase_killed": Said("killed", "被终止"),
    "phase_gone": Said("gone", "不见了"),
    "phase_unreadable": Said("unreadable", "无法读取"),
    "status_running": Said("The run goes on: {writer}.", "任务正在运行：{writer}。"),
    "status_waiting": Said("No call can be made for now: {waiting}.", "暂时无法调用：{waiting}。"),
    "status_busy": Said(
        "No calls just now: {writer} reads the input, or writes the files of results and errors.",
        "当前没有调用：{writer} 正在读取输入，或写出结果文件。",
    ),
    "status_finished": Said(
        "The run has ended: every row has an outcome.", "任务已结束：每一行都有了结果。"
    ),
    "status_stopped": Said(
        "The run has ended with {pending} pending. {why}The same command goes on with them.",
        "任务已结束，还有{pending}待处理。{why}再次运行同一命令即可继续。",
    ),
    "status_killed": Said(
        "The process was killed, or its machine stopped, with {pending} pending. All that was "
        "recorded is safe; the same command goes on.",
        "进程被终止，或机器停机，还有{pending}待处理。已记录的内容都是安全的；"
        "再次运行同一命令即可继续。",
    ),
    "status_gone": Said(
        "The directory of the run is not there any more: it was moved or deleted. Below is what "
        "was read last; the page goes on as soon as it is back.",
        "任务目录已不在原处：被移动或删除。以下是最后读到的内容；目录恢复后页面会继续更新。",
    ),
    "status_unreadable": Said(
        "The run cannot be read: {error} Below is what was read last; it is tried again.",
        "无法读取任务：{error} 以下是最后读到的内容；将继续重试。",
    ),
    "some": Said("some rows", "若干行"),
    "some_rows": Said("{number:row}", " {number} 行"),
    "why_done": Said("", ""),
    "why_pending": Said("", ""),
    "why_halted": Said(
        "It stopped by itself: a ceiling of the job was met, or the provider refuses every call. ",
        "任务自行停止：达到了设定的上限，或服务商拒绝一切调用。",
    ),
    "why_provider": Said(
        "The provider stops it: {kind}. {hint} ", "因服务商原因停止：{kind}。{hint}"
    ),
    "why_interrupted": Said("It was interrupted. ", "任务被中断。"),
    "why_disk_full": Said("The disk was full; free space first. ", "磁盘已满，请先腾出空间。"),
    # What the script says by itself.
    "reading": Said("Reading the run …", "正在读取任务……"),
    "no_answer": Said(
        "`batcher watch` does not answer; the page keeps trying. Below is what was read last.",
        "`batcher watch` 没有应答；页面会继续重试。以下是最后读到的内容。",
    ),
    "over": Said(
        "`batcher watch` has ended. Run the command again, and open the address that it prints. "
        "Below is what was read last.",
        "`batcher watch` 已结束。请再次运行该命令，并打开它给出的地址。以下是最后读到的内容。",
    ),
    # The figures of the moment.
    "now": Said("Now", "当前"),
    "tile_rate": Said("Rows a second", "每秒行数"),
    "tile_left": Said("Time left", "剩余时间"),
    "tile_flight": Said("In flight", "进行中"),
    "tile_throttled": Said("Throttled (429)", "限流（429）"),
    "rate_note": Said("over {time}, {tokens} tokens a second", "{time}内，每秒 {tokens} 个 token"),
    "left_note": Said("if it goes on like this", "按当前速度估计"),
    "flight_note": Said("of at most {limit}", "上限 {limit}"),
    "throttled_note": Said("in the last {time}", "最近 {time}内"),
    "none": Said("–", "–"),
    "footer": Said(
        "Only for this machine, and only to look: it changes nothing, and shows no prompts and no "
        "answers.",
        "仅供本机查看：不会改动任何内容，也不显示提示词和回答。",
    ),
}
"""Every text by its name."""
