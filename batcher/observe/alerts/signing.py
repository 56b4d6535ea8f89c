"""The signatures by which bots of Feishu and DingTalk know who tells them something.

Both are HMAC-SHA256 in base64, of different things.
"""

from __future__ import annotations

import base64
import hashlib
import hmac


def feishu_signature(timestamp: int, secret: str) -> str:
    """Return the `sign` for a Unix second: of nothing, with second and secret as the key.

    https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot, "Signature verification"
    """
    return _signature(f"{timestamp}\n{secret}", "")


def dingtalk_signature(timestamp: int, secret: str) -> str:
    """Return the `sign` for a Unix millisecond: of it and the secret, with the secret as the key.

    https://open.dingtalk.com/document/robots/customize-robot-security-settings, "Sign"
    """
    return _signature(secret, f"{timestamp}\n{secret}")


def _signature(key: str, text: str) -> str:
    return base64.b64encode(hmac.digest(key.encode(), text.encode(), hashlib.sha256)).decode()
