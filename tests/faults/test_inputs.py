"""Rows 39 to 43 and 50 of the fault matrix: inputs that are broken, ambiguous, or changed.

The real command in a process of its own; the simulator's ledger says what was called.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.simulator import SIMULATED_KEY
from tests.simulated import Place

# Far more than any of these runs takes: only a run that hangs meets it.
PATIENCE_S = 300
RUN = ("run", "prompts.jsonl", "--simulate", "--sim-latency", "0")
Rows = list[dict[str, Any]]
# Says at its end how much memory it had, as only it knows: in the resource usage that its parent is
# told of, the kernel counts what the parent itself had.
_PRELUDE = """
import atexit, os, pathlib, runpy
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: os.write({descriptor}, status.read_bytes()))
runpy.run_module("batcher", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended: its exit code, what it said, and the most memory it held."""

    code: int
    out: str
    err: str
    memory_kib: int


def batcher(folder: Path, *arguments: str, stdin: bytes = b"", **environment: str) -> Ended:
    """Run `batcher ARGUMENTS` in `folder`, with nothing of the user's environment."""
    with (
        TemporaryFile() as given_,
        TemporaryFile() as out,
        TemporaryFile() as err,
        TemporaryFile() as status,
    ):
        given_.write(stdin)
        given_.seek(0)
        process = subprocess.Popen(  # noqa: S603 -- our own interpreter and command
            [sys.executable, "-c", _PRELUDE.format(descriptor=status.fileno()), *arguments],
            cwd=folder,
            env={"PATH": os.environ["PATH"], **environment},
            stdin=given_,
            stdout=out,
            stderr=err,
            pass_fds=(status.fileno(),),
        )
        patience = threading.Timer(PATIENCE_S, process.kill)
        patience.start()
        code = process.wait()
        patience.cancel()
        for file in (out, err, status):
            file.seek(0)
        said = out.read().decode(), err.read().decode()
        known = dict(line.split(":", 1) for line in status.read().decode().splitlines())
    assert "Traceback" not in said[1]
    return Ended(code, *said, int(known.get("VmHWM", "0 kB").split()[0]))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a place with six good rows."""
    made = Place(tmp_path)
    made.write(_good(range(6)))
    return made


def _good(numbers: range) -> Rows:
    return [{"id": f"id-{n}", "prompt": f"Say {n}."} for n in numbers]


def _asked(place: Place) -> list[str]:
    return [entry.prompt for entry in place.ledger()]


def _run_lines(folder: Path, lines: list[bytes]) -> tuple[Ended, Place]:
    """Run an input of these lines."""
    place = Place(folder)
    place.input.write_bytes(b"\n".join(lines))
    return batcher(folder, *RUN), place


# 39: bytes that are no lines of JSON


GOOD = b'{"prompt": "Say it."}'
# Each with what is said of it; never a reason to call anything.
BROKEN = {
    b'{"prompt": "\xff"}': "not UTF-8",
    b'{"prompt": "caf\xe9"}': "not UTF-8",
    "你好".encode("gbk"): "not UTF-8",
    '{"prompt": "x"}'.encode("utf-16"): "not ",
    b"\x00": "not JSON",
    b'{"prompt": "\x00"}': "not JSON: invalid character",
    b'{"prompt": "x"}\x00': "not JSON: trailing characters",
    b'\xef\xbb\xbf{"prompt": "x"}': "not JSON",
    b'{"prompt": "x"}\r{"prompt": "y"}': "not JSON: trailing characters",
    b'{"prompt": "cut': "not JSON: Input data was truncated",
}


def test_39_every_broken_line_is_an_error_row_with_its_line_and_the_others_are_answered(
    tmp_path: Path,
) -> None:
    lines = [line for broken in BROKEN for line in (GOOD, broken)]
    done, place = _run_lines(tmp_path, lines)
    assert done.code == 65
    assert f"{len(BROKEN)} invalid_row" in done.out
    assert [row["row"] for row in place.results()] == list(range(0, len(lines), 2))
    errors = place.errors()
    assert [row["source_line"] for row in errors] == list(range(2, len(lines) + 1, 2))
    assert {row["error_class"] for row in errors} == {"invalid_row"}
    for row, reason in zip(errors, BROKEN.values(), strict=True):
        assert row["message"].startswith(reason)
    assert len(_asked(place)) == len(BROKEN)


def test_39_a_byte_order_mark_and_windows_line_ends_and_blank_lines_are_no_fault(
    tmp_path: Path,
) -> None:
    lines = [b"\xef\xbb\xbf" + GOOD + b"\r", b"\r", b" \t", GOOD + b"\r", GOOD + b" \r", b""]
    done, place = _run_lines(tmp_path, lines)
    assert done.code == 0
    assert [row["prompt"] for row in place.results()] == ["Say it."] * 3


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_39_a_line_of_100_mb_is_an_error_row_and_does_not_fill_the_memory(
    place: Place, suffix: str
) -> None:
    path = place.folder / f"prompts.jsonl{suffix}"
    with gzip.open(path, "wb", compresslevel=1) if suffix else path.open("wb") as file:
        file.write(GOOD + b"\n" + b'{"prompt": "')
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n' + GOOD + b"\n")
    done = batcher(place.folder, "run", f"prompts.jsonl{suffix}", *RUN[2:])
    assert done.code == 65
    (bad,) = place.errors()
    assert (bad["row"], bad["source_line"]) == (1, 2)
    assert bad["message"] == "the line is longer than 67,108,864 bytes"
    assert bad["source_text"] == '{"prompt": "' + "x" * 188
    assert [row["row"] for row in place.results()] == [0, 2]
    # What is read of it, once or twice, beside the program itself; never all of it thrice.
    assert done.memory_kib < 350 * 1024


@settings(max_examples=5)
@given(
    lines=st.lists(
        st.just(GOOD)
        | st.sampled_from(list(BROKEN))
        | st.binary(min_size=1, max_size=9).filter(lambda line: line.strip() and b"\n" not in line),
        min_size=1,
        max_size=30,
    )
)
def test_39_whatever_the_bytes_each_line_is_in_one_of_the_files(lines: list[bytes]) -> None:
    """No short line of any bytes is a row with a prompt."""
    # A mark at the start of the file would be one of the file.
    lines = [GOOD, *lines]
    with TemporaryDirectory() as name:
        done, place = _run_lines(Path(name), lines)
        answered = [number for number, line in enumerate(lines) if line == GOOD]
        assert done.code == (0 if len(answered) == len(lines) else 65)
        assert [row["row"] for row in place.results()] == answered
        assert [row["source_line"] - 1 for row in place.errors()] == [
            number for number, line in enumerate(lines) if line != GOOD
        ]
        assert len(_asked(place)) == len(answered)


# 40: halves of escaped pairs


def test_40_a_lone_surrogate_in_a_row_is_that_row_s_error_alone(tmp_path: Path) -> None:
    messages = json.dumps([{"role": "user", "content": "\ud800"}])
    body = json.dumps({"messages": [{"role": "user", "content": "\udfff"}]})
    lines = [
        GOOD,
        rb'{"prompt": "\ud800"}',
        rb'{"prompt": "x", "\udc00": 1}',
        rb'{"id": "\ud83d", "prompt": "x"}',
        json.dumps({"messages": messages}).encode(),
        json.dumps({"custom_id": "a", "body": body}).encode(),
        rb'{"prompt": "whole \ud83d\ude00"}',
    ]
    done, place = _run_lines(tmp_path, lines)
    assert done.code == 65
    assert [row["row"] for row in place.errors()] == [1, 2, 3, 4, 5]
    said = [row["message"] for row in place.errors()]
    assert said[:3] == ["a lone surrogate, which is no character"] * 3
    assert [message.partition(":")[0] for message in said[3:]] == [
        "`messages` is not JSON text",
        "`body` is not JSON text",
    ]
    assert [row["prompt"] for row in place.results()] == ["Say it.", "whole 😀"]
    assert sorted(_asked(place)) == ["Say it.", "whole 😀"]


class Halves(BaseHTTPRequestHandler):
    """A model that cuts what it says in the middle of an escaped pair, everywhere it can."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        cut = "cut \ud83d"
        answer: dict[str, object]
        if "fail" in request["messages"][0]["content"]:
            status, answer = 400, {"error": {"code": "1210", "message": f"{cut} here"}}
        else:
            call = {"id": cut, "type": "function", "function": {"name": cut, "arguments": cut}}
            message = {"role": "assistant", "content": cut, "tool_calls": [call]}
            message |= {"reasoning_content": cut}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            status, answer = 200, {"id": cut, "model": cut, "choices": [choice]}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def halves() -> Iterator[str]:
    """Serve `Halves`; return its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Halves) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v4"
        server.shutdown()


def test_40_a_lone_surrogate_in_an_answer_is_escaped_and_the_rest_of_it_kept(
    place: Place, halves: str
) -> None:
    place.write([{"prompt": "hi"}, {"prompt": "fail"}])
    command = ("run", "prompts.jsonl", "-m", "glm-4-flash", "--base-url", halves)
    done = batcher(place.folder, *command, ZHIPUAI_API_KEY=SIMULATED_KEY)
    assert done.code == 65
    (answered,), (failed,) = place.results(), place.errors()
    assert (answered["response"], answered["reasoning"]) == ("cut \\ud83d", "cut \\ud83d")
    # JSON text, which has its own escapes.
    assert json.loads(answered["tool_calls"])[0]["id"] == "cut \ud83d"
    assert "cut here" in failed["message"]
    for file_format in ("jsonl", "csv"):
        again = batcher(place.folder, "export", "prompts.batch", "--format", file_format)
        assert again.code == 0
        exported = place.directory.path / f"results.{file_format}"
        assert "ud83d" in exported.read_text("utf-8")


# 41: JSON that programs read differently

DOUBTFUL = {
    b'{"prompt": "x", "n": NaN}': "NaN is no JSON",
    b'{"prompt": "x", "n": -Infinity}': "-Infinity is no JSON",
    b'{"prompt": "x", "n": 1e999}': "a number is too large",
    b'{"prompt": "x", "n": ' + b"7" * 5000 + b"}": "a number is too large",
    b'{"prompt": "x", "n": ' + b"[" * 100 + b"]" * 100 + b"}": "nested more than 100 deep",
    b'{"prompt": "x", "n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}": "nested more than 100 deep",
    b'{"prompt": "x", "prompt": "y"}': "the key 'prompt' stands twice in one object",
    b'{"prompt": "x", "\\u0070rompt": "y"}': "the key 'prompt' stands twice in one object",
    b'{"prompt": "x", "n": [{"a": 1, "a": 1}]}': "the key 'a' stands twice in one object",
    b'{"prompt": "x", "n": 01}': "not JSON",
    b"{'prompt': 'x'}": "not JSON",
    b'{"prompt": "x",}': "not JSON",
    b'{"prompt": "x"} // note': "not JSON",
    b'[{"prompt": "x"}]': "an array, not a JSON object",
}


def test_41_json_that_not_all_programs_read_alike_is_an_error_row_with_the_reason(
    tmp_path: Path,
) -> None:
    done, place = _run_lines(tmp_path, [*DOUBTFUL, GOOD])
    assert done.code == 65
    errors = place.errors()
    assert [row["source_line"] for row in errors] == list(range(1, len(DOUBTFUL) + 1))
    for row, reason in zip(errors, DOUBTFUL.values(), strict=True):
        assert row["message"].startswith(reason)
    assert _asked(place) == ["Say it."]


def test_41_numbers_of_any_size_that_json_holds_come_back_as_they_were(tmp_path: Path) -> None:
    digits = ["18446744073709551616", "-1", "1e-999", "0.1"]
    lines = [f'{{"prompt": "x", "n": {text}}}'.encode() for text in digits]
    done, place = _run_lines(tmp_path, lines)
    assert done.code == 0
    assert [json.loads(row["n"]) for row in place.results()] == [2**64, -1, 0.0, 0.1]


# 42: two rows of one name


def test_42_a_second_row_of_an_id_is_an_error_that_names_both_lines(tmp_path: Path) -> None:
    """Whether it asks the same or not, and also where the id is a number once and text once."""
    lines = [
        b'{"id": "a", "prompt": "Say a."}',
        b'{"id": "a", "prompt": "Say a."}',
        b'{"id": 7, "prompt": "Say 7."}',
        b"",
        b'{"id": "a", "prompt": "Say b."}',
        b'{"id": "7", "prompt": "Say 7 again."}',
    ]
    done, place = _run_lines(tmp_path, lines)
    assert done.code == 65
    assert "3 duplicate_id" in done.out
    assert [(row["source_line"], row["message"]) for row in place.errors()] == [
        (2, "the id 'a' of prompts.jsonl:2 already names the row at prompts.jsonl:1"),
        (5, "the id 'a' of prompts.jsonl:5 already names the row at prompts.jsonl:1"),
        (6, "the id '7' of prompts.jsonl:6 already names the row at prompts.jsonl:3"),
    ]
    assert [row["id"] for row in place.results()] == ["a", "7"]
    assert sorted(_asked(place)) == ["Say 7.", "Say a."]


def test_42_two_files_with_one_id_are_both_named(place: Place) -> None:
    (place.folder / "more.jsonl").write_text('{"id": "id-3", "prompt": "Other."}\n')
    done = batcher(place.folder, *RUN, "more.jsonl", "-o", "prompts.batch")
    assert done.code == 65
    (twice,) = place.errors()
    assert twice["message"].endswith("of more.jsonl:1 already names the row at prompts.jsonl:4")
    assert len(_asked(place)) == 6


# 43: the input, edited between two runs


def _written(place: Place, rows: Rows, suffix: str) -> str:
    if suffix == ".jsonl":
        place.write(rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), place.folder / "prompts.parquet")
    return f"prompts{suffix}"


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_43_of_an_edited_input_only_the_edited_row_is_called_and_that_is_said(
    place: Place, suffix: str
) -> None:
    rows = _good(range(6))
    command = ("run", _written(place, rows, suffix), *RUN[2:])
    assert batcher(place.folder, *command).code == 0
    answers = {row["id"]: row["response"] for row in place.results()}
    edited = [row | {"prompt": "Say it again."} if row["id"] == "id-3" else row for row in rows]
    _written(place, edited, suffix)

    refused = batcher(place.folder, *command)
    assert refused.code == 78
    assert "the input files changed" in refused.err
    assert "1 row to be called; 5 rows with answer or error kept" in refused.err
    assert "1 recorded answer without a row any more" in refused.err
    assert "--yes" in refused.err
    assert len(_asked(place)) == 6

    assert batcher(place.folder, *command, "--yes").code == 0
    assert _asked(place)[6:] == ["Say it again."]
    again = {row["id"]: row["response"] for row in place.results()}
    assert {id_ for id_ in again if again[id_] != answers[id_]} == {"id-3"}

    _written(place, rows, suffix)
    undone = batcher(place.folder, *command, "--yes")
    assert undone.code == 0
    assert "0 rows to be called; 6 rows with answer or error kept" in undone.err
    assert {row["id"]: row["response"] for row in place.results()} == answers
    assert len(_asked(place)) == 7


def test_43_added_rows_are_called_without_a_question_and_removed_ones_need_consent(
    place: Place,
) -> None:
    assert batcher(place.folder, *RUN).code == 0
    place.write([{"id": "new", "prompt": "Say new."}, *_good(range(6))])
    more = batcher(place.folder, *RUN)
    assert more.code == 0
    assert "1 row to be called; 6 rows with answer or error kept" in more.err
    assert _asked(place)[6:] == ["Say new."]
    assert [row["id"] for row in place.results()] == ["new", *(f"id-{n}" for n in range(6))]
    place.write(_good(range(1, 6)))
    assert batcher(place.folder, *RUN).code == 78
    assert batcher(place.folder, *RUN, "--yes").code == 0
    assert [row["row"] for row in place.results()] == list(range(5))
    assert len(_asked(place)) == 7


# 50: the job, edited between two runs


@pytest.mark.parametrize(
    ("options", "said", "called"),
    [
        (["-m", "glm-4.7"], "model: 'glm-4-flash' -> 'glm-4.7'", range(6)),
        (["--template", "Please: {{ prompt }}"], "prompt.template: None -> ", range(6)),
        (["--system-template", "Be brief."], "prompt.system_template: None -> ", range(6)),
        (["-p", "temperature=0.5"], "parameters.temperature: None -> 0.5", range(6)),
        (
            ["--template", "{{ prompt }}{{ '!' if id == 'id-3' else '' }}"],
            "prompt.template: None -> ",
            range(3, 4),
        ),
    ],
)
def test_50_a_changed_job_is_shown_and_calls_what_it_changes_after_consent_only(
    place: Place, options: list[str], said: str, called: range
) -> None:
    command = (*RUN, "-m", "glm-4-flash")
    assert batcher(place.folder, *command).code == 0
    refused = batcher(place.folder, *command, *options)
    assert refused.code == 78
    assert said in refused.err
    assert "to be called; " in refused.err
    assert "--yes" in refused.err
    assert len(_asked(place)) == 6

    assert batcher(place.folder, *command, *options, "--yes").code == 0
    assert len(_asked(place)) == 6 + len(called)
    assert all(any(f"Say {n}." in asked for n in called) for asked in _asked(place)[6:])
    again = batcher(place.folder, *command, *options)
    assert (again.code, len(_asked(place))) == (0, 6 + len(called))


def test_50_a_job_file_edited_in_what_shapes_no_request_calls_nothing_and_asks_nothing(
    place: Place,
) -> None:
    job = place.folder / "job.toml"
    job.write_text('[provider]\nmodel = "glm-4-flash"\n')
    assert batcher(place.folder, *RUN, "--job", "job.toml").code == 0
    job.write_text('[provider]\nmodel = "glm-4-flash"\n[limits]\nconcurrency = 2\ntimeout = 9\n')
    again = batcher(place.folder, *RUN, "--job", "job.toml")
    assert again.code == 0
    assert "to be called" not in again.err
    assert len(_asked(place)) == 6


def test_50_a_change_that_is_taken_back_finds_its_answers_without_a_call(place: Place) -> None:
    assert batcher(place.folder, *RUN, "-m", "glm-4-flash").code == 0
    before = place.directory.results.read_bytes()
    assert batcher(place.folder, *RUN, "-m", "glm-4.7", "--yes").code == 0
    assert batcher(place.folder, *RUN, "-m", "glm-4-flash", "--yes").code == 0
    assert len(_asked(place)) == 12
    assert place.directory.results.read_bytes() == before
