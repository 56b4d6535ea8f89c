"""An answer as an entry, and back."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from batcher.cache.entry import decoded, encoded, entry_key
from batcher.records import Completion, Usage

texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]))
counts = st.none() | st.integers(0, 2**40)
completions = st.builds(
    Completion,
    *(texts, texts, texts, st.just("stop"), st.just("m")),
    st.builds(Usage, counts, counts, counts, counts),
)


@given(completions)
def test_an_answer_comes_back_as_it_was(completion: Completion) -> None:
    entry = encoded("key", completion)
    assert entry is not None
    assert decoded("key", *entry) == completion


@given(completions, st.integers(0), st.integers(1, 255))
def test_one_byte_that_changed_makes_an_entry_as_good_as_none(
    completion: Completion, at: int, change: int
) -> None:
    entry = encoded("key", completion)
    assert entry is not None
    data, checksum = bytearray(entry[0]), entry[1]
    data[at % len(data)] ^= change
    assert decoded("key", bytes(data), checksum) is None


def test_an_entry_under_another_key_is_none() -> None:
    entry = encoded("key", Completion("hi", None, None, "stop", "m", Usage()))
    assert entry is not None
    assert decoded("other", *entry) is None


def test_what_is_no_entry_of_ours_is_none() -> None:
    key = entry_key("scope", "content")
    assert decoded(key, "text", 1) is None
    broken = encoded(key, Completion("hi", None, None, "stop", "m", Usage()))
    assert broken is not None
    assert decoded(key, None, broken[1]) is None


def test_an_entry_of_another_shape_is_none_though_it_is_whole() -> None:
    data = b"{}"
    assert decoded("key", data, zlib.crc32(data, zlib.crc32(b"key"))) is None


def test_an_answer_that_is_no_unicode_is_not_kept() -> None:
    assert encoded("key", Completion("\ud800", None, None, "stop", "m", Usage())) is None


def test_the_key_depends_on_whose_answer_it_is_and_on_what_is_asked() -> None:
    keys = {entry_key(scope, content) for scope in ("a", "ab") for content in ("c", "bc")}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)
