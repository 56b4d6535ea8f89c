"""One row for each class of errors, in a line."""

from __future__ import annotations

import pytest

from batcher.errors import ErrorClass
from batcher.observe import examples
from batcher.recorded import Recorded

ROW = Recorded(3, "id-3", None, 0, 0, None, 0, None, source="in.jsonl:4", message="no prompt")
REFUSED = ROW._replace(
    http_status=400, code="1210", message="unknown\n\x1b[31m  field " + "x" * 900
)


def test_it_says_where_the_row_stands_and_what_was_said_of_it() -> None:
    found = examples({ErrorClass.INVALID_ROW: ROW}, texts=True)
    assert found == {ErrorClass.INVALID_ROW: "in.jsonl:4: no prompt"}


def test_what_a_provider_said_stands_in_one_line_that_is_not_long() -> None:
    (line,) = examples({ErrorClass.BAD_REQUEST: REFUSED}, texts=True).values()
    assert line.startswith("in.jsonl:4: HTTP 400, 1210: unknown ?[31m field xxx")
    assert line.endswith("xxx…")
    assert len(line) < 240


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (ROW, "in.jsonl:4"),
        (REFUSED, "in.jsonl:4: HTTP 400, 1210"),
        (ROW._replace(source=None), "id-3"),
    ],
)
def test_without_texts_it_quotes_nothing(row: Recorded, line: str) -> None:
    assert examples({ErrorClass.BAD_REQUEST: row}, texts=False) == {ErrorClass.BAD_REQUEST: line}
