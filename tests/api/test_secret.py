"""Keys that do not show themselves."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from batcher.api.secret import HidesSecret, Secret

SECRET = Secret("canary.key")


def test_it_is_shown_by_nothing_that_shows_values() -> None:
    assert "canary" not in f"{SECRET!r} {SECRET} {[SECRET]}"
    assert SECRET.get_secret_value() == "canary.key"
    assert isinstance(SECRET, HidesSecret)


@pytest.mark.parametrize("write", [pickle.dumps, copy.copy])
def test_it_is_written_nowhere(write: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError, match="not written anywhere"):
        write(SECRET)
