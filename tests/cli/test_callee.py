"""Whom a command calls."""

from __future__ import annotations

import resource

from batcher.cli.callee import real_callee
from batcher.job import ProviderSpec

KEY = "abc.canary-secret"


def test_no_crash_leaves_the_key_in_a_core_file() -> None:
    real_callee(ProviderSpec(), {"ZHIPUAI_API_KEY": KEY})
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] <= 1
