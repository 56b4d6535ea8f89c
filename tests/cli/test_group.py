"""`batcher` itself: help, errors, exit codes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from batcher.cli.group import _COMMANDS, exit_codes
from batcher.errors import InputError, Interruption, StorageError

Batcher = Callable[..., Result]


def _never() -> bool:
    return False


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (StorageError("the disk is full"), 74, "Error: the disk is full"),
        (InputError("no such file"), 2, "Error: no such file"),
        (OSError(28, "No space left on device"), 74, "Error: [Errno 28] No space left on device"),
        (ZeroDivisionError("oops"), 70, "internal: ZeroDivisionError: oops"),
        (KeyboardInterrupt(), 130, "Stopped by SIGINT"),
        (Interruption(signal.SIGTERM), 143, "Stopped by SIGTERM"),
        (Interruption(signal.SIGHUP), 129, "Stopped by SIGHUP"),
    ],
)
def test_each_error_ends_with_its_code_and_its_words_but_no_traceback(
    error: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, exit_codes(_never):
        raise error
    assert ended.value.code == code
    shown = capsys.readouterr().err
    assert words in shown
    assert "Traceback" not in shown


def test_debug_shows_where_it_happened(batcher: Batcher) -> None:
    plain = batcher("run", "missing.jsonl", "--simulate")
    shown = batcher("run", "missing.jsonl", "--simulate", "--debug")
    assert plain.exit_code == shown.exit_code == 2
    assert "Traceback" not in plain.stderr
    assert "Traceback" in shown.stderr


def test_help_lists_each_command_and_imports_no_library_of_theirs() -> None:
    program = (
        "import sys, contextlib\n"
        "from batcher.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "heavy = {'pyarrow', 'aiohttp', 'httpx2', 'msgspec', 'jinja2', 'sqlite3', 'tqdm'}\n"
        "print('imported:', sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run(  # noqa: S603 -- our own interpreter and program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "imported: []" in done.stdout
    for name in _COMMANDS:
        assert f"\n  {name} " in done.stdout


def test_commands_that_make_no_call_load_nothing_that_makes_calls(
    batcher: Batcher, folder: Path
) -> None:
    """They are for a quick look, from a shell or a cron job, and loading it takes longest."""
    assert batcher("run", "prompts.jsonl", "--simulate", "-o", "d").exit_code == 0
    commands = [
        *(["status", "d"], ["head", "d"], ["verify", "d"], ["export", "d"], ["report", "d"]),
        *(["diff", "d", "d"], ["merge", "d", "-o", "m"]),
    ]
    program = (
        "import sys\n"
        "from batcher.cli import main\n"
        f"for words in {commands}:\n"
        "    try:\n"
        "        main(words)\n"
        "    except SystemExit as ended:\n"
        "        assert not ended.code, words\n"
        "heavy = {'aiohttp', 'httpx2', 'tenacity', 'dotenv'}\n"
        "print('imported:', sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run(  # noqa: S603 -- our own interpreter and program
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert "imported: []" in done.stdout


_INTERRUPTED = """
import signal, sys
from batcher.cli import main

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            signal.raise_signal(signal.SIGINT)

if "ignoring" in sys.argv:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.meta_path.insert(0, Interrupting())
main(["status", "--help"])
"""


@pytest.mark.parametrize(
    ("loading", "code", "said"),
    [("click", -signal.SIGINT, ""), ("batcher.cli.status", 130, "Stopped by SIGINT.\n")],
)
def test_ctrl_c_while_modules_are_loaded_ends_it_without_a_traceback(
    loading: str, code: int, said: str
) -> None:
    """Those of the command line itself, which has no words yet, or those of a command."""
    words = [sys.executable, "-c", _INTERRUPTED, loading]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 -- our own interpreter and program
    assert (done.returncode, done.stderr) == (code, said)
    ignoring = [*words, "ignoring"]
    done = subprocess.run(ignoring, capture_output=True, text=True, check=False)  # noqa: S603 -- the same
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_after_a_command_ends_the_process_at_once_as_well() -> None:
    program = (
        "import atexit, signal\n"
        "from batcher.cli import main\n"
        "atexit.register(signal.raise_signal, signal.SIGINT)\n"
        "main(['status', '--help'])\n"
    )
    done = subprocess.run(  # noqa: S603 -- our own interpreter and program
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_each_command_s_line_in_the_help_is_true(batcher: Batcher) -> None:
    for name in _COMMANDS:
        done = batcher(name, "--help")
        assert done.exit_code == 0
        assert "--debug" in done.stdout


def test_an_unknown_command_is_a_usage_error(batcher: Batcher) -> None:
    done = batcher("rnu")
    assert done.exit_code == 2
    assert "No such command 'rnu'. Did you mean 'run'?" in done.stderr
    assert "No such command 'xyzzy'.\n" in batcher("xyzzy").stderr


def test_a_reader_that_leaves_early_gets_no_traceback() -> None:
    """As in `batcher preview ... | head -1`."""
    program = (
        "import sys, os\n"
        "from batcher.cli import main\n"
        "os.close(1); r, w = os.pipe(); os.close(r)\n"
        "assert w == 1 or os.dup2(w, 1)\n"
        "main(['--help'])\n"
    )
    done = subprocess.run(  # noqa: S603 -- our own interpreter and program
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


def test_a_reader_that_leaves_in_the_middle_of_a_report_ends_the_command_as_others_end(
    folder: Path,
) -> None:
    """As in `batcher check bad.jsonl | head -1`: 141 is what a shell says of SIGPIPE."""
    (folder / "bad.jsonl").write_text("[]\n" * 20_000)
    with subprocess.Popen(
        [sys.executable, "-m", "batcher", "check", "bad.jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "bad.jsonl:1: invalid_row" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_run_whose_streams_are_closed_is_done_as_any_other(folder: Path, closed: str) -> None:
    """As daemons and some schedulers start it: Python has None for such a stream."""
    done = subprocess.run(  # noqa: S602 -- only a shell closes streams
        f"{sys.executable} -m batcher run prompts.jsonl --simulate -o d {closed}",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert (folder / "d/results.parquet").exists()


def test_a_closed_standard_input_is_an_empty_one(folder: Path) -> None:
    """So a run goes on with the copy of it that it keeps, as it does with /dev/null."""
    del folder
    command = f"{sys.executable} -m batcher run - --simulate -o d"
    for stdin in ("< prompts.jsonl", "<&-"):
        done = subprocess.run(  # noqa: S602 -- only a shell closes streams
            f"{command} {stdin}", shell=True, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0
        assert "5 results" in done.stdout


def test_a_full_standard_output_is_named_with_the_way_out(folder: Path) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 -- a device of the machine
        done = subprocess.run(
            [sys.executable, "-m", "batcher", "run", "prompts.jsonl", "--simulate", "-o", "d"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 74
    assert "Error: cannot write to standard output: No space left on device" in done.stderr
    assert "`batcher status DIR`" in done.stderr
    assert (folder / "d/results.parquet").exists()
