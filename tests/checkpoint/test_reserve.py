"""Space kept for what is in flight when the disk is full."""

from __future__ import annotations

from pathlib import Path

import pytest

from batcher.checkpoint.reserve import MAX_BYTES, OVERHEAD_BYTES, Reserve
from batcher.errors import StorageError

SIZE = 2 * (1000 + OVERHEAD_BYTES)


@pytest.mark.parametrize("options", [{}, {"allocate": None}])
def test_it_takes_up_its_space_until_the_end(tmp_path: Path, options: dict[str, None]) -> None:
    path = tmp_path / "reserve"
    with Reserve.held(path, 2, 1000, **options):
        assert path.stat().st_size == SIZE
        assert path.stat().st_blocks * 512 >= SIZE
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


def test_it_gives_its_space_back_when_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    with Reserve.held(path, 2, 1000) as reserve:
        reserve.release()
        assert not path.exists()
        reserve.release()


def test_one_that_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    path.write_bytes(bytes(10))
    with Reserve.held(path, 2, 1000):
        assert path.stat().st_size == SIZE


def test_it_never_takes_more_than_its_limit(tmp_path: Path) -> None:
    with Reserve.held(tmp_path / "reserve", 1000, 2**50):
        assert (tmp_path / "reserve").stat().st_size == MAX_BYTES


def test_a_place_that_cannot_hold_it_is_an_error_with_the_way_out(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=r"cannot reserve 0\.1 MiB in .*: Is a dir.*another dir"),
        Reserve.held(tmp_path, 2, 1000),
    ):
        pass


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "reserve").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError), Reserve.held(tmp_path / "reserve", 2, 1000):
        pass
    assert not (tmp_path / "elsewhere").exists()
