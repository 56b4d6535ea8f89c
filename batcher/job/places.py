"""Where each setting of a job stands in its file: the names of options and keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batcher.job.spec import TABLES

# A table's own name says more than these do outside of it.
_RENAMED = {("provider", "name"): "provider", ("output", "directory"): "output"}

PLACES = {
    _RENAMED.get((table, key), key): (table, key)
    for table, kind in TABLES.items()
    for key in kind.__struct_fields__
}
"""The name of a setting outside of a job file -> its table and key within."""


def tables_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return `settings` in the shape of a job file; names of PLACES stand in their tables.

    A setting that is None was not given, nor was one of several values that has none; other names
    are not looked at.
    """
    tables: dict[str, Any] = {}
    for name, (table, key) in PLACES.items():
        if settings.get(name) not in (None, ()):
            tables.setdefault(table, {})[key] = settings[name]
    return tables
