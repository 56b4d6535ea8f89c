r"""Signatures, compared with what openssl makes of the same.

printf '' | openssl dgst -sha256 -mac HMAC -macopt key:"$(printf '1599360473\nthis is secret')"
printf '1599360473000\nthis is secret' | openssl dgst -sha256 -mac HMAC -macopt 'key:this is secret'
"""

from __future__ import annotations

from batcher.observe.alerts.signing import dingtalk_signature, feishu_signature


def test_feishu_signs_nothing_by_second_and_secret() -> None:
    signature = feishu_signature(1599360473, "this is secret")
    assert signature == "/eYKrXQBzTjUZJ3s6NX16VxGbTwmK7AEs8/FnvC1CSw="


def test_dingtalk_signs_millisecond_and_secret_by_the_secret() -> None:
    signature = dingtalk_signature(1599360473000, "this is secret")
    assert signature == "hXZTWifRGHclNuZSKxoXc//sh51SWfVfRIhcdeKs63I="
