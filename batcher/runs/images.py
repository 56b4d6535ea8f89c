"""Local images of rows, read; only from the folder where they may be."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from batcher.errors import ConfigurationError, InputError
from batcher.job import ANY_FOLDER, JobSpec
from batcher.render import UnusableImageError, too_large
from batcher.storage import is_url

_STDIN = "stdin"
# What is the row's fault; anything else, such as a disk that fails, would blame every row.
_ROWS_FAULT = frozenset(
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG),
        *(errno.EACCES, errno.EPERM, errno.ENXIO),
    }
)


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """Reads images that rows name: those in `folder`, or in the folder of the row's input file.

    With `anywhere`, rows may name any file of this machine. What comes by standard input is read
    from the working directory.
    """

    folder: Path | None = None
    anywhere: bool = False

    @classmethod
    def of(cls, job: JobSpec) -> ImageFolder:
        """Return where the rows of `job` may read images.

        Raises:
            ConfigurationError: the job names a folder that is none.
        """
        named = job.prompt.images_from
        if named == ANY_FOLDER:
            return cls(anywhere=True)
        if named is not None and not Path(named).is_dir():
            raise ConfigurationError(f"[prompt] images_from: there is no folder {named}")
        return cls(None if named is None else Path(named))

    def __call__(self, path: str, file: str, most: int) -> bytes:
        """Return the bytes of the image at `path`, which a row of the input `file` names.

        Raises:
            UnusableImageError: it may not be read, or is no file, or larger than `most` bytes; or
                it would be beside an input at a URL.
            InputError: this machine cannot read it now, whatever the row says.
        """
        beside = not (self.anywhere and Path(path).is_absolute())
        if self.folder is None and beside and is_url(file):
            raise UnusableImageError(
                f"{path!r} is beside {file}, which is not on this machine: copy the images here "
                "and name their folder with --images-from, or give them in the row (bytes, a data "
                "URL, an https URL)"
            )
        base = self.folder or (Path() if file == _STDIN else Path(file).parent)
        try:
            root = "/" if self.anywhere else os.path.realpath(base)
            found = os.path.realpath(base / path)
            if os.path.commonpath([root, found]) != root:
                raise UnusableImageError(
                    f"{path!r} is not in the folder {base}; put it there, or name another folder "
                    'with --images-from ("*" for any)'
                )
            return _read(root, found, path, most)
        except OSError as error:
            if error.errno in _ROWS_FAULT:
                raise UnusableImageError(f"{path!r}: {error.strerror}") from None
            raise InputError(f"cannot read the image {found}: {error.strerror}") from None
        except ValueError:  # a NUL, or half a character
            raise UnusableImageError(f"{path!r} is no path") from None


def _read(root: str, found: str, path: str, most: int) -> bytes:
    descriptor = _opened(root, found)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnusableImageError(f"{path!r} is no regular file")
        if status.st_size > most:
            raise too_large(repr(path), status.st_size, most)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most + 1)
    finally:
        os.close(descriptor)


def _opened(root: str, found: str) -> int:
    """Open a resolved path step by step: a link that has come in between is not followed.

    Nor is there a wait for whoever writes, where it is a pipe.
    """
    *folders, name = Path(found).relative_to(root).parts or (".",)
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            inner = os.open(
                folder,
                os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
                dir_fd=directory,
            )
            os.close(directory)
            directory = inner
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(name, flags, dir_fd=directory)
    finally:
        os.close(directory)
