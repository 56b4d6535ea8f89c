"""What a child does to its files, recorded by strace call by call."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.disk import Operation

_CHANGING = (
    "openat,write,pwrite64,ftruncate,rename,renameat,renameat2,unlink,unlinkat,fsync,fdatasync"
)
_LINE = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)", re.DOTALL)
_CALL = re.compile(r"(?P<name>\w+)\((?P<args>.*)\) += (?P<result>-?\d+)(?P<on><[^>]*>)?")
_DESCRIPTOR = re.compile(r"(\w+)<([^>]*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_ACK = "ROW "
STANDARD_OUTPUT = "1"


def record(command: Sequence[str], directory: Path, cwd: Path) -> list[Operation]:
    """Run `command` and return what it did to files below `directory`, in the kernel's order.

    Its output lines "ROW n" become acks. The write-ahead index (`-shm`) is left out: it lies in
    shared memory and is made anew.
    """
    log = cwd / "strace.log"
    strace = ["strace", "-f", "-y", "-xx", "-s", "100000000", "-o", str(log)]
    done = subprocess.run(  # noqa: S603 -- our own command
        [*strace, "-e", f"trace={_CHANGING}", *command], cwd=cwd, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    reading = _Reading(directory, cwd)
    with log.open(encoding="ascii") as lines:
        operations = [operation for call in _whole(lines) for operation in reading.read(call)]
    log.unlink()
    return operations


def _whole(lines: Iterator[str]) -> Iterator[re.Match[str]]:
    """Yield the calls that succeeded; one that another thread's interrupts counts as of its end."""
    begun: dict[str, str] = {}
    for line in lines:
        found = _LINE.fullmatch(line.rstrip("\n"))
        assert found is not None, line[:200]
        rest = found["rest"]
        if rest.endswith("<unfinished ...>"):
            begun[found["pid"]] = rest.removesuffix("<unfinished ...>")
            continue
        if resumed := _RESUMED.fullmatch(rest):
            rest = begun.pop(found["pid"]) + resumed[1]
        call = _CALL.match(rest)
        if call is not None and int(call["result"]) >= 0:
            yield call


class _Reading:
    """Turns calls into operations; knows how far each descriptor has been written."""

    def __init__(self, directory: Path, cwd: Path) -> None:
        self._directory = str(directory)
        self._cwd = cwd
        self._places: dict[str, int] = {}

    def read(self, call: re.Match[str]) -> Iterator[Operation]:
        name, arguments = call["name"], call["args"]
        texts = [_unhex(text) for text in _TEXT.findall(arguments)]
        if name == "openat":
            yield from self._opened(call)
        elif name.startswith(("rename", "unlink")):
            # Names may be relative; descriptors come with their whole path.
            source, target = (str(self._cwd / texts[place].decode()) for place in (0, -1))
            if self._wanted(source):
                kind = "rename" if name.startswith("rename") else "unlink"
                yield Operation(kind, source, target)
        elif on := _DESCRIPTOR.match(arguments):
            number, path = on[1], _unhex(on[2]).decode()
            if name == "write" and number == STANDARD_OUTPUT:
                for line in texts[0].decode().splitlines():
                    if line.startswith(_ACK):
                        yield Operation("ack", line.removeprefix(_ACK))
            elif self._wanted(path):
                yield self._changed(name, number, path, arguments, texts)

    def _opened(self, call: re.Match[str]) -> Iterator[Operation]:
        self._places[call["result"]] = 0
        path = _unhex(call["on"][1:-1]).decode() if call["on"] else ""
        if self._wanted(path) and "O_CREAT" in call["args"]:
            yield Operation("create", path)
            if "O_TRUNC" in call["args"]:
                yield Operation("truncate", path)

    def _changed(
        self, name: str, number: str, path: str, arguments: str, texts: Sequence[bytes]
    ) -> Operation:
        last = arguments.rpartition(", ")[2]
        match name:
            case "write":
                place = self._places[number]
                self._places[number] += len(texts[0])
                return Operation("write", path, offset=place, data=texts[0])
            case "pwrite64":
                return Operation("write", path, offset=int(last), data=texts[0])
            case "ftruncate":
                return Operation("truncate", path, offset=int(last))
            case _:
                return Operation("sync", path)

    def _wanted(self, path: str) -> bool:
        inside = path == self._directory or path.startswith(f"{self._directory}/")
        return inside and not path.endswith("-shm")


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
