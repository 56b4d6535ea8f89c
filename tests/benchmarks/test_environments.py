"""Environments of other people's tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.environments import ROOT, Environment, NotInstalledError, environment


def made(tmp_path: Path, wanted: str, done: str) -> Environment:
    """Return an environment that was installed with `done` and now needs `wanted`."""
    folder, requirements = tmp_path / "tool", tmp_path / "tool.txt"
    folder.mkdir()
    (folder / "installed.txt").write_text(done)
    requirements.write_text(wanted)
    return Environment(folder, requirements)


def test_what_is_installed_is_left_alone(tmp_path: Path) -> None:
    tool = made(tmp_path, "a==1\n", "a==1\n")
    tool.install()
    assert [file.name for file in tool.folder.iterdir()] == ["installed.txt"]


def test_what_cannot_be_installed_says_why(tmp_path: Path) -> None:
    tool = made(tmp_path, "./no-such-package-1.0-py3-none-any.whl\n", "a==1\n")
    with pytest.raises(NotInstalledError, match=r"not installed: .*no-such-package"):
        tool.install()
    assert tool.python.exists()
    assert not (tool.folder / "installed.txt").exists()


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks" / "requirements").iterdir()))
def test_every_environment_pins_each_of_its_packages(file: Path) -> None:
    assert environment(file.stem).requirements == file
    lines = file.read_text().splitlines()
    assert lines
    assert all("==" in line and "://" not in line for line in lines)
