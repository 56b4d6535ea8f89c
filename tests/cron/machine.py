"""A machine with a cron daemon, made of a mount namespace and Debian's `cron`.

Nothing of it touches the real one: its accounts, spool, mail, /run and /dev are its own, and cron
is its process 1, so that all ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
USER = "annotator"
UID = 61_234
HOME = "/home/the annotator"
# Far more than anything here takes; cron looks at its tables once a minute.
_PATIENCE_S = 300
# Begin and end of each job, those that failed, and process ids: cron's own account of what it does.
_LOG_LEVEL = "15"
_FAILED = re.compile(r"grandchild #(?P<job>\d+) failed with exit status (?P<code>\d+)")
_ENDED = re.compile(rf"\({USER}\) END \(\[(?P<job>\d+)\]")
_MAIL = """\
#!/bin/sh
mail=$(mktemp /var/mail/letter.XXXXXX) && { echo "Argument: $*"; cat; } > "$mail"
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine's disk; it outlives its daemon, and holds one user with a home.

    Attributes:
        folder: Where all that lasts is kept.
    """

    folder: Path

    @property
    def home(self) -> Path:
        """The user's home, as it is seen from outside."""
        return self.folder / "home"

    @property
    def letters(self) -> list[str]:
        """All mail that was sent."""
        return [path.read_text("utf-8") for path in sorted((self.folder / "mail").iterdir())]

    @classmethod
    def built(cls, folder: Path) -> Machine:
        """Make the disk of a machine; batcher is where pipx and uv put it, and nowhere else."""
        machine = cls(folder)
        for name in ("home", "mail", "etc", "sbin", "cron.d", "spool/crontabs"):
            (folder / name).mkdir(parents=True)
        for name, line in (
            ("passwd", f"{USER}:x:{UID}:{UID}::{HOME}:/bin/sh\n"),
            ("group", f"{USER}:x:{UID}:\n"),
            ("shadow", f"{USER}:*:20000:0:99999:7:::\n"),
        ):
            (folder / "etc" / name).write_text(Path("/etc", name).read_text() + line)
        (folder / "etc" / "crontab").touch()
        cron = shutil.which("cron", path="/usr/sbin")
        assert cron is not None, "Debian's cron is not installed"
        shutil.copy(cron, folder / "sbin")
        sendmail = folder / "sbin" / "sendmail"
        sendmail.write_text(_MAIL)
        sendmail.chmod(0o755)
        programs = machine.home / ".local" / "bin"
        programs.mkdir(parents=True)
        (programs / "batcher").symlink_to(Path(sys.prefix, "bin", "batcher"))
        (folder / "mail").chmod(0o777)
        machine.hand_over()
        return machine

    def hand_over(self) -> None:
        """Make all that lies in the home the user's."""
        for path in (self.home, *self.home.rglob("*")):
            shutil.chown(path, UID, UID) if not path.is_symlink() else None

    @contextlib.asynccontextmanager
    async def up(self, *crontab: str) -> AsyncIterator[Daemon]:
        """Start cron with the user's table of these lines; at the end all its processes end."""
        table = self.folder / "spool" / "crontabs" / USER
        table.write_text("".join(f"{line}\n" for line in crontab))
        table.chmod(0o600)
        shutil.chown(table, UID)
        address = self.folder / "log"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.setblocking(False)  # noqa: FBT003 -- the standard library's own
            log.bind(str(address))
            address.chmod(0o666)
            process = await asyncio.create_subprocess_exec(
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *("sh", "-euc", self._script()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                start_new_session=True,  # no terminal
            )
            try:
                yield Daemon(process, log)
            finally:
                if process.returncode is None:
                    process.kill()
                await process.communicate()

    def _script(self) -> str:
        """Return what makes the disk this machine's, and becomes cron."""
        lines = ["mkdir -p /mnt", "mount -t tmpfs none /mnt", "mkdir -p /mnt/dev /mnt/home"]
        for name in ("null", "zero", "full", "random", "urandom"):
            lines += [f"touch /mnt/dev/{name}", f"mount --bind /dev/{name} /mnt/dev/{name}"]
        lines += ["ln -s /proc/self/fd /mnt/dev/fd"]
        lines += ["touch /mnt/dev/log", _bind(self.folder / "log", "/mnt/dev/log")]
        lines += [f"mkdir {shlex.quote(f'/mnt{HOME}')}", _bind(self.home, f"/mnt{HOME}")]
        lines += [
            _bind(self.folder / here, there)
            for here, there in (
                *((f"etc/{name}", f"/etc/{name}") for name in ("passwd", "group", "shadow")),
                ("etc/crontab", "/etc/crontab"),
                ("cron.d", "/etc/cron.d"),
                ("spool", "/var/spool/cron"),
                ("mail", "/var/mail"),
                ("sbin", "/usr/sbin"),
            )
        ]
        lines += [
            "mount -t tmpfs none /run",
            *opened(ROOT, Path(sys.prefix), Path(sys.base_prefix)),
        ]
        lines += ["mount --rbind /mnt/home /home", "mount --rbind /mnt/dev /dev"]
        return "\n".join([*lines, f"exec cron -f -L {_LOG_LEVEL}"])


def _bind(here: Path | str, there: Path | str) -> str:
    return f"mount --bind {shlex.quote(str(here))} {shlex.quote(str(there))}"


def opened(*trees: Path) -> list[str]:
    """Return what lets everyone reach these trees, where a folder above is open to root only."""
    behind: dict[Path, list[Path]] = {}
    for tree in trees:
        for above in reversed(tree.parents):
            if not above.stat().st_mode & stat.S_IXOTH:
                behind.setdefault(above, []).append(tree)
                break
    lines = []
    for number, (closed, hidden) in enumerate(behind.items()):
        kept = [(f"/mnt/{number}-{at}", shlex.quote(str(tree))) for at, tree in enumerate(hidden)]
        for place, path in kept:
            lines += [f"mkdir {place}", f"mount --rbind {path} {place}"]
        lines.append(f"mount -t tmpfs -o mode=755 none {shlex.quote(str(closed))}")
        for place, path in kept:
            lines += [f"mkdir -p {path}", f"mount --rbind {place} {path}"]
    return lines


@dataclass(frozen=True, slots=True)
class Daemon:
    """A cron daemon that runs, and what it says of itself."""

    process: asyncio.subprocess.Process
    log: socket.socket

    async def ended(self, jobs: int = 1) -> list[int]:
        """Wait until so many jobs have ended, their mail included; return their exit codes."""
        codes: dict[str, int] = {}
        ended: list[int] = []
        while len(ended) < jobs:
            line = await self._line()
            if failed := _FAILED.search(line):
                codes[failed["job"]] = int(failed["code"])
            elif end := _ENDED.search(line):
                ended.append(codes.pop(end["job"], 0))
        return ended

    def shut_down(self) -> None:
        """Send SIGTERM to all processes of the user, as a machine does that shuts down."""
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
                if fields["Uid"].split()[0] == str(UID):
                    os.kill(int(status.parent.name), signal.SIGTERM)

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(_PATIENCE_S):
            while not fact():
                assert self.process.returncode is None, await self._last_words()
                await asyncio.sleep(0.05)

    async def _line(self) -> str:
        line = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(self.log, 65_536))
        end = asyncio.ensure_future(self.process.wait())
        try:
            await asyncio.wait({line, end}, timeout=_PATIENCE_S, return_when="FIRST_COMPLETED")
            assert line.done(), await self._last_words()
            return line.result().decode()
        finally:
            line.cancel()
            end.cancel()

    async def _last_words(self) -> str:
        if self.process.returncode is None:
            return f"cron said nothing for {_PATIENCE_S} s"
        assert self.process.stdout is not None
        return (await self.process.stdout.read()).decode()
