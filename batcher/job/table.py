"""What the tables of a job file have in common, and the kinds of their values."""

from __future__ import annotations

from typing import Annotated

import msgspec

from batcher.durations import DURATION
from batcher.money import MONEY

Natural = Annotated[int, msgspec.Meta(ge=1)]
# 0: any that is free.
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
# At most 30 days: every wait ends (reliability.md promise 14).
Seconds = Annotated[float, msgspec.Meta(gt=0, le=30 * 24 * 3600)]
Share = Annotated[str, msgspec.Meta(pattern=r"^(100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)%\Z")]
Duration = Annotated[str, msgspec.Meta(pattern=DURATION)]
Amount = Annotated[str, msgspec.Meta(pattern=MONEY)]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of a job file: unknown keys and wrong types are errors."""
