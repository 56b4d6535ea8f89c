"""Classes of errors in Chinese."""

from __future__ import annotations

import pytest

from batcher.errors import ErrorClass
from batcher.observe.hints import hint_in_chinese, name_in_chinese


@pytest.mark.parametrize("error_class", ErrorClass)
def test_every_class_has_a_name_and_a_hint_that_names_the_same_options(
    error_class: ErrorClass,
) -> None:
    """Commands, options and columns are the same in both languages."""
    name, hint = name_in_chinese(error_class), hint_in_chinese(error_class)
    assert any("\u4e00" <= character <= "\u9fff" for character in name)
    assert any("\u4e00" <= character <= "\u9fff" for character in hint)
    words = {word.strip("`,.;") for word in error_class.rule.hint.split()}
    for word in words:
        if word.startswith(("--", "[")) or word == "batcher":
            assert word in hint
