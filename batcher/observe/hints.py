"""Classes of errors in Chinese: what each is called, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

from batcher.errors import ErrorClass


def name_in_chinese(error_class: ErrorClass) -> str:
    """Return what the class is called."""
    return _CHINESE[error_class][0]


def hint_in_chinese(error_class: ErrorClass) -> str:
    """Return what its rule's `hint` says, in Chinese."""
    return _CHINESE[error_class][1]


_CHINESE: Mapping[ErrorClass, tuple[str, str]] = {
    ErrorClass.INVALID_ROW: (
        "无效行",
        "请改正所列的行；`batcher check` 不发调用即可列出它们。",
    ),
    ErrorClass.DUPLICATE_ID: (
        "重复 id",
        "请让每行有自己的 id，或用 --id-column 指定另一列。",
    ),
    ErrorClass.TEMPLATE_ERROR: (
        "模板错误",
        "请改正模板或这些行；`batcher preview` 显示模板生成的内容。",
    ),
    ErrorClass.BAD_REQUEST: (
        "请求无效",
        "服务商拒绝了这些参数或消息；原因见 message 列。",
    ),
    ErrorClass.PROMPT_TOO_LONG: (
        "提示词过长",
        "请缩短这些提示词，或换用上下文更长的模型。",
    ),
    ErrorClass.CONTENT_FILTERED: (
        "内容被拦截",
        "服务商的内容策略拦截了提示词或回答。",
    ),
    ErrorClass.INVALID_OUTPUT: (
        "输出不合要求",
        "回答不符合 [output] 的要求；response 列保留了最后一次回答。",
    ),
    ErrorClass.THROTTLED: (
        "限流",
        "账户限额用尽的时间超过了 --max-wait；请稍后再运行同一命令。",
    ),
    ErrorClass.OVERLOADED: (
        "服务过载",
        "服务商过载；请稍后用 `batcher retry` 重新调用。",
    ),
    ErrorClass.SERVER_ERROR: (
        "服务器错误",
        "服务商一侧出错；请用 `batcher retry` 重新调用。",
    ),
    ErrorClass.NOT_SENT: (
        "未送出",
        "无法连接到服务地址；请检查网络和 --base-url。",
    ),
    ErrorClass.AMBIGUOUS: (
        "结果不明",
        "已发送，但没有收到完整回答：可能已计费；加大 --timeout 也许有用。",
    ),
    ErrorClass.INFERENCE_FAILED: (
        "推理失败",
        "服务商返回了 200 但推理失败；请用 `batcher retry` 重新调用。",
    ),
    ErrorClass.MALFORMED_ANSWER: (
        "回答格式错误",
        "该地址返回的不是对话补全；请检查 --base-url。",
    ),
    ErrorClass.EMPTY_COMPLETION: (
        "空回答",
        "模型没有返回文本；如属预期，可用 --allow-empty 允许。",
    ),
    ErrorClass.TOKEN_EXPIRED: (
        "令牌过期",
        "签名令牌被拒绝；请检查本机的时钟。",
    ),
    ErrorClass.QUOTA_EXHAUSTED: (
        "配额用尽",
        "账户配额已用尽，等它重置后再运行同一命令。",
    ),
    ErrorClass.AUTHENTICATION: (
        "密钥无效",
        "服务商拒绝了密钥；请检查环境变量或 --api-key-file。",
    ),
    ErrorClass.BALANCE: (
        "余额不足",
        "账户余额不足或套餐已到期；请充值后再运行。",
    ),
    ErrorClass.PERMISSION: (
        "没有权限",
        "该账户不能使用此 API；请查看服务商的控制台。",
    ),
    ErrorClass.MODEL_UNAVAILABLE: (
        "模型不可用",
        "服务商没有此模型，或该账户不能使用它；请检查 --model。",
    ),
    ErrorClass.ENDPOINT_UNKNOWN: (
        "地址无效",
        "该地址没有对话补全 API；请检查 --provider 和 --base-url。",
    ),
}
