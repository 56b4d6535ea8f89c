"""Checksums: what differs in a bit has another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batcher.checkpoint.checksum import checksum

VALUES = st.lists(
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    max_size=6,
)


def test_it_is_the_same_in_every_version() -> None:
    """It is stored: another formula would call every checkpoint damaged."""
    assert checksum(["id-1", None, 3, 0.25, "好"]) == 1305979971


@given(VALUES)
def test_a_tuple_and_a_list_of_the_same_values_have_the_same(values: list[object]) -> None:
    assert checksum(values) == checksum(tuple(values))


@given(st.text(st.characters(max_codepoint=127), min_size=1), st.data())
def test_one_flipped_bit_is_seen(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text) - 1))
    bit = data.draw(st.integers(0, 6))
    flipped = text[:place] + chr(ord(text[place]) ^ 1 << bit) + text[place + 1 :]
    assert checksum(["id", text]) != checksum(["id", flipped])
