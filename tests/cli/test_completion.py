"""`batcher completion`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Batcher = Callable[..., Result]

# As bash itself calls a function of completion at the Tab key.
_TAB = r"""
eval "$(batcher completion bash)"
complete -p batcher >&2
tab() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _batcher_completion batcher
    echo "${COMPREPLY[*]}"
}
tab batcher ver
tab batcher run --prov
tab batcher run --provider zai -m glm-5.3-
"""


@pytest.mark.parametrize(
    ("shell", "words"),
    [("bash", "complete -o nosort"), ("zsh", "#compdef batcher"), ("fish", "complete --no-files")],
)
def test_each_shell_has_its_script(batcher: Batcher, shell: str, words: str) -> None:
    done = batcher("completion", shell)
    assert done.exit_code == 0
    assert words in done.stdout
    assert f"_BATCHER_COMPLETE={shell}_complete" in done.stdout


def test_an_unknown_shell_is_an_error_that_names_the_known_ones(batcher: Batcher) -> None:
    done = batcher("completion", "tcsh")
    assert done.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr


def test_the_help_says_how_to_install_it(batcher: Batcher) -> None:
    shown = batcher("completion", "--help").stdout
    assert """echo 'eval "$(batcher completion bash)"' >> ~/.bashrc\n""" in shown
    assert """echo 'eval "$(batcher completion zsh)"' >> ~/.zshrc\n""" in shown
    assert "batcher completion fish > ~/.config/fish/completions/batcher.fish\n" in shown


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
def test_bash_completes_commands_options_and_values() -> None:
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S603 -- our own program
        ["bash", "--norc", "-c", _TAB],  # noqa: S607 -- the shell that a user has
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": programs, "HOME": os.environ.get("HOME", "/")},
    )
    assert done.stdout.splitlines() == ["verify", "--provider", "glm-5.3-flash"]
    assert "-F _batcher_completion batcher" in done.stderr
