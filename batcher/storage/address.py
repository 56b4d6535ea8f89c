"""URLs of files and folders, taken apart; one that may hold a secret is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

from batcher.errors import UsageError
from batcher.wording import printable

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://([^/]*)(.*)", re.DOTALL)
# As in `?access_key=...`: no glob, and no part of a name that anyone gives to a file.
_QUERY = re.compile(r"\?[\w.-]+=")
# There it is no user but the container: abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/...
_CONTAINERS = frozenset({"abfs", "abfss", "az"})
# Stores whose files lie in buckets, which are not made by the way.
_BUCKETS = _CONTAINERS | {"s3", "gs", "gcs"}
_NAMED = _BUCKETS | {"hf"}
# The commonest slips. As a path it would be a folder of this machine: a copy there goes with it.
_SLIP = re.compile(
    rf"({'|'.join(sorted(_NAMED))}|file|hdfs|viewfs|webhdfs|oss|cosn?|tos|sftp|ssh|ftp|smb|https?)"
    r"(:/(?!/)|//)",
    re.IGNORECASE,
)


def _holds_a_name(scheme: str, host: str, path: str) -> bool:
    """Whether the URL may hold a user; a password may have slashes in it, as keys of AWS do."""
    user, at, machine = host.rpartition("@")
    if at and (":" in user or scheme not in {*_CONTAINERS, "hdfs", "sftp", "ssh"}):
        return True
    _, colon, port = machine.rpartition(":")
    return bool(colon) and (scheme in _NAMED or not port.isdecimal() or "@" in path)


def is_url(text: str) -> bool:
    """Tell whether `text` is a URL, not a path; or meant as one, which `Address.of` refuses."""
    return (_URL.match(text) or _SLIP.match(text)) is not None


@dataclass(frozen=True, slots=True)
class Address:
    """A URL without any secret: safe to show and to keep.

    `host` is what the scheme makes of it: a bucket, an account, a machine. `path` has no slash at
    either end; its characters stand for themselves, as on the command lines of the clouds, except
    in `file:` URLs, where %20 is a space (RFC 8089).
    """

    scheme: str
    host: str
    path: str

    @classmethod
    def of(cls, url: str) -> Address:
        """Take a URL apart.

        Raises:
            UsageError: it holds a password or settings, or is no URL.
        """
        found = _URL.match(url)
        if slip := _SLIP.match(url):
            scheme = slip[1].lower()
            right = "file:///PATH" if scheme == "file" else f"{scheme}://..."
            wanting = "colon" if slip[2] == "//" else "slash"
            raise UsageError(
                f"{scheme}{slip[2]}... is no URL, for want of a {wanting}: write {right}"
            )
        if found is None:
            raise UsageError(f"{printable(url)} is no URL")
        scheme, host, path = found[1].lower(), found[2], found[3]
        if _holds_a_name(scheme, host, path):
            raise UsageError(
                f"{scheme}://...: the URL holds a name or a password, which would be seen in "
                "process lists and logs; give credentials the way of its cloud (environment "
                "variables, profiles: docs/object-storage.md)"
            )
        if scheme in _NAMED and not host:
            raise UsageError(f"{printable(url)} names no bucket: write {scheme}://BUCKET/PATH")
        if scheme == "file" and host not in ("", "localhost"):
            raise UsageError(
                f"{printable(url)} would be on a machine called {printable(host)}; a file of this "
                "one is file:///PATH, or just its path"
            )
        if settings := _QUERY.search(host + path):
            shown = (host + path)[: settings.start()]
            raise UsageError(
                f"{scheme}://{printable(shown)}?...: settings in a URL may hold secrets; give "
                "endpoint, region and keys by environment variables (docs/object-storage.md)"
            )
        if scheme == "file":
            return cls(scheme, "", unquote(path).rstrip("/") or "/")
        made = cls(scheme, host, path.strip("/"))
        if made.refusal is not None:
            raise UsageError(made.refusal)
        return made

    @property
    def url(self) -> str:
        """The URL, which `of` understands."""
        if self.scheme == "file":
            return f"file://{quote(self.path, '/=:@+,~')}"
        return f"{self.scheme}://{self.host}/{self.path}".rstrip("/")

    @property
    def name(self) -> str:
        """The last part of the path; the host's where there is none."""
        return self.path.rpartition("/")[2] or self.host

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be written there, by anybody."""
        return self.scheme in {"http", "https"}

    @property
    def refusal(self) -> str | None:
        """Why its store cannot be asked for it, though it may list it; None where it can."""
        if self.scheme not in _BUCKETS or not self.path or all(self.path.split("/")):
            return None
        return (
            f"{printable(self.url)} has an empty part in its path (`//`); pyarrow, which asks such "
            "stores, neither reads nor writes that"
        )

    @property
    def bucket(self) -> Address | None:
        """Its bucket or container; None where files lie in none, or nobody knows."""
        return replace(self, path="") if self.scheme in _BUCKETS else None

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> Address:
        """Return what is called `name` below this."""
        return replace(self, path=f"{self.path.rstrip('/')}/{name}" if self.path else name)
