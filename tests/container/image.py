"""The image of the Dockerfile, built and run without an engine or a network.

Buildah builds it; the Python that it begins from is put together here of Debian's packages, and
pip installs from a folder of wheels. What runs it is a mount namespace with a root that cannot be
written to, as `docker run --read-only` makes one.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
# What a build needs; the rest of the repository is kept out, and so are these.
_CONTEXT = (".dockerignore", "Dockerfile", "LICENSE", "README.md", "batcher", "pyproject.toml")
CANARY = "canary-id.canary-secret-of-the-image"
STRAYS = (".env", "batcher/.env", "prompts.batch/checkpoint.db", "batcher/old.batch/log", "key.txt")
_BASE = """\
FROM scratch
ADD base.tar /
RUN ln -s /usr/bin/python3 /usr/local/bin/python
ENV PATH=/usr/local/bin:/usr/bin:/bin
"""
_OFFLINE = "[global]\nno-index = true\nfind-links = /wheels-of-the-test\n"


def base_images() -> set[str]:
    """Return what the stages of the Dockerfile begin from."""
    return set(re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), re.MULTILINE))


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was built, and its files.

    Attributes:
        root: Its file system.
        config: What it says of itself, in the words of the OCI.
    """

    root: Path
    config: Mapping[str, Any]

    def command(
        self, work: Path | None, *args: str, user: int, mounts: Mapping[Path, str] | None = None
    ) -> Sequence[str]:
        """Return the words that start it as its process 1, like `docker run --read-only`.

        Args:
            work: What is mounted at its working directory; None mounts nothing.
            args: What follows the image's name.
            user: The number of user and group.
            mounts: What else is mounted, and where in the image.
        """
        root = shlex.quote(str(self.root))
        binds = dict(mounts or {})
        if work is not None:
            binds[work] = self.config["WorkingDir"]
        lines = [f"mount --bind {root} {root}", f"mount -o remount,bind,ro {root}"]
        lines += [
            f"mount --bind {shlex.quote(str(here))} {root}{there}" for here, there in binds.items()
        ]
        own = (("tmpfs", "tmp"), ("proc", "proc"))
        lines += [f"mount -t {kind} none {root}/{where}" for kind, where in own]
        words = ["env", "-i", "-C", self.config["WorkingDir"], *self.config["Env"]]
        words += [*self.config["Entrypoint"], *(args or self.config["Cmd"])]
        enter = f"exec chroot --userspec={user}:{user} --groups= {root}"
        lines.append(f"{enter} {shlex.join(words)}")
        alone = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
        return (*alone, "sh", "-euc", "\n".join(lines))

    def run(
        self, work: Path | None, *args: str, user: int, mounts: Mapping[Path, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end; see `command`."""
        return subprocess.run(  # noqa: S603 -- our own command
            self.command(work, *args, user=user, mounts=mounts),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


class Builder:
    """Buildah with a storage of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        storage = ("--root", str(folder / "storage"), "--runroot", str(folder / "run"))
        self._buildah = ("buildah", "--storage-driver", "vfs", *storage)

    def build(self) -> Image:
        """Build the Dockerfile, from a folder with strays that must not get in."""
        self._base()
        wheels, offline = self._wheels(), self._folder / "pip.conf"
        offline.write_text(_OFFLINE)
        mounts = {wheels: "/wheels-of-the-test", offline: "/etc/pip.conf"}
        volumes = [f"--volume={here}:{there}:ro" for here, there in mounts.items()]
        self._bud("--pull-never", *volumes, "--tag=batcher", str(self._context()))
        container = self._said("from", "--pull-never", "localhost/batcher")
        inspected = json.loads(self._said("inspect", container))
        return Image(Path(self._said("mount", container)), inspected["OCIv1"]["config"])

    def _base(self) -> None:
        """Make what the Dockerfile begins from, of Debian's packages, under the same name."""
        folder = self._folder / "base"
        folder.mkdir()
        unread = (f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man"))
        packages = "--include=python3,python3-venv,ca-certificates"
        # A mirror may fail once.
        again = '--aptopt=Acquire::Retries "3"'
        debian = ["mmdebstrap", "--quiet", "--variant=minbase", packages, again, *unread]
        debian += ["bookworm", "base.tar"]
        subprocess.run(debian, cwd=folder, check=True)  # noqa: S603 -- Debian's own
        (folder / "Dockerfile").write_text(_BASE)
        tags = [f"--tag=docker.io/library/{name}" for name in base_images()]
        self._bud(*tags, str(folder))
        (folder / "base.tar").unlink()

    def _wheels(self) -> Path:
        """Load what is pinned, as any environment of the Makefile does."""
        wheels = self._folder / "wheels"
        loading = (sys.executable, "-m", "pip", "--quiet", "download", "--only-binary=:all:")
        for name in ("build", "runtime"):
            pinned = ("--require-hashes", "-r", str(ROOT / "requirements" / f"{name}.txt"))
            subprocess.run(  # noqa: S603 -- our own interpreter
                [*loading, "--dest", str(wheels), *pinned],
                check=True,
            )
        return wheels

    def _context(self) -> Path:
        """Copy what a build needs, and add what often lies about."""
        context = self._folder / "context"
        context.mkdir()
        for name in _CONTEXT:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, context / name)
        shutil.copytree(ROOT / "requirements", context / "requirements")
        for name in STRAYS:
            (context / name).parent.mkdir(exist_ok=True)
            (context / name).write_text(CANARY)
        return context

    def _bud(self, *words: str) -> None:
        """Build as a user namespace or a container can: with no other isolation than a chroot."""
        self._said("bud", "--isolation=chroot", *words)

    def _said(self, *words: str) -> str:
        done = subprocess.run(  # noqa: S603 -- Debian's own
            [*self._buildah, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "BUILDAH_ISOLATION": "chroot"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()
