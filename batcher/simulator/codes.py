"""The error codes the simulator speaks, with their HTTP status and texts (protocol.md section 3).

Where the documents leave a status open ("?"), the likeliest one stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import msgspec

ZHIPU_ZONE = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Code:
    """What an error code means: the HTTP status it comes with, and its two texts."""

    status: int
    chinese: str
    english: str


CODES = {
    "401": Code(401, "令牌已过期或验证不正确", "Token expired or incorrect"),
    "1000": Code(401, "身份验证失败", "Authentication Failed"),
    "1001": Code(
        401,
        "Header中未收到Authorization参数，无法进行身份验证",
        "Authentication parameter not received in Header",
    ),
    "1002": Code(401, "Authorization Token非法", "Invalid Authentication Token"),
    "1003": Code(401, "Authorization Token已过期", "Authentication Token expired"),
    "1004": Code(401, "Authorization Token验证失败", "Authentication Token verification failed"),
    "1112": Code(401, "账户已被锁定", "Your account has been locked"),
    "1113": Code(
        429,
        "余额不足或无可用资源包,请充值。",
        "Insufficient balance or no resource package. Please recharge.",
    ),
    "1120": Code(500, "无法成功访问您的账户", "Unable to reach your account, try again later"),
    "1200": Code(500, "API调用失败", "API call failed"),
    "1210": Code(400, "API 调用参数有误", "Invalid API parameter"),
    "1211": Code(
        400, "模型不存在，请检查模型代码。", "Unknown Model, please check the model code."
    ),
    "1213": Code(400, "未正常接收到必填参数", "Missing required parameter"),
    "1214": Code(400, "参数非法。请检查文档。", "Invalid parameter. Please check the document."),
    "1220": Code(403, "您无权访问该API", "You do not have permission to access this API"),
    "1230": Code(500, "API 调用流程出错", "API call process error"),
    "1231": Code(400, "您已有相同的请求", "You already have a request with this id"),
    "1234": Code(500, "网络错误，请稍后重试", "Network error, please try again later"),
    "1261": Code(400, "Prompt 超长", "Prompt exceeds max length"),
    "1301": Code(
        400,
        "系统检测到输入或生成内容可能包含不安全或敏感内容，请您避免输入易产生敏感内容的提示语。",
        "The system has detected potentially unsafe or sensitive content in input or generation.",
    ),
    "1302": Code(
        429, "您的账户已达到速率限制，请您控制请求频率", "Rate limit reached for requests"
    ),
    "1303": Code(429, "您当前调用该API的频率过高", "API call frequency is too high"),
    "1304": Code(429, "该API今日调用次数已达到上限", "The daily call limit has been reached"),
    "1305": Code(
        429, "该模型当前访问量过大，请您稍后再试", "The service may be temporarily overloaded"
    ),
    "1308": Code(
        429,
        "已达到 5小时的使用上限。您的限额将在 {reset} 重置。",
        "Usage limit reached for 5 hour. Your limit will reset at {reset}",
    ),
    "1309": Code(429, "您的套餐已到期", "Your plan has expired"),
    "1310": Code(
        429,
        "已达到每周/每月使用上限，您的限额将在 {reset} 重置。",
        "Weekly/Monthly limit exhausted. Your limit will reset at {reset}",
    ),
    "1311": Code(429, "当前套餐暂未开放该模型权限", "Your plan does not include this model"),
    "1312": Code(429, "该模型当前访问量过大", "This model is busy"),
    "1313": Code(429, "您的使用已触发公平使用限制", "Fair-use restriction"),
}


class RefusedError(Exception):
    """A request the service refuses with `code`; `detail` says what exactly is wrong."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    @property
    def status(self) -> int:
        """The HTTP status of the refusal."""
        return CODES[self.code].status


def reset_text(moment: float) -> str:
    """Write a moment as the codes 1308 and 1310 do: UTC+8, no zone, whole seconds, rounded up."""
    return datetime.fromtimestamp(-(-moment // 1), ZHIPU_ZONE).strftime("%Y-%m-%d %H:%M:%S")


def speaks_english(accept_language: str | None) -> bool:
    """Tell whether a client prefers English; Chinese is the service's own language."""
    return accept_language is not None and accept_language.lstrip()[:2].lower() == "en"


def error_body(code: str, detail: str = "", *, english: bool = False, reset_at: float = 0) -> bytes:
    """Encode `{"error":{"code":"...","message":"..."}}`; the code is a string."""
    texts = CODES[code]
    message = texts.english if english else texts.chinese
    if "{reset}" in message:
        message = message.replace("{reset}", reset_text(reset_at))
    if detail:
        message = f"{message} ({detail})"
    return msgspec.json.encode({"error": {"code": code, "message": message}})
