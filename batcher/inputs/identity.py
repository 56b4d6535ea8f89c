"""The id of a row: a column of the user's choice, else `id`, else `custom_id`, else its number."""

from __future__ import annotations

from collections.abc import Mapping

from batcher.errors import ErrorClass, RowError
from batcher.wording import did_you_mean

ID_COLUMNS = ("id", "custom_id")
_SHOWN = 20
_WIDTH = 40


def row_id(columns: Mapping[str, object], row: int, id_column: str | None) -> str:
    """Return the id of row number `row`; integers become text.

    Raises:
        RowError: `id_column` is named but missing or null here, or the id is neither a string
            with something in it nor an integer.
    """
    for name in ID_COLUMNS if id_column is None else (id_column,):
        value = columns.get(name)
        if value is None:
            continue
        if type(value) is str and value:
            return value
        if type(value) is int:
            return str(value)
        kind = "empty" if value == "" else f"a {type(value).__name__}"
        raise RowError(
            ErrorClass.INVALID_ROW, f"the id in `{name}` is {kind}, not a string or an integer"
        )
    if id_column is None:
        return str(row)
    near = did_you_mean(id_column, columns)
    raise RowError(
        ErrorClass.INVALID_ROW,
        f"no id in `{id_column}`; columns: {_names(columns)}{near} Name the right one with "
        "--id-column, or leave it out",
    )


def _names(columns: Mapping[str, object]) -> str:
    shown = [name[:_WIDTH] for name in list(columns)[:_SHOWN]]
    more = ["..."] if len(columns) > _SHOWN else []
    return ", ".join([*shown, *more]) or "none"
