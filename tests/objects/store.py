"""moto's S3 server as a process of its own, and a bucket there, asked without our own code."""

from __future__ import annotations

import contextlib
import http.client
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# It wants to know who writes over an object, and believes everybody.
_SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request"}
_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


@dataclass(frozen=True)
class Bucket:
    """A bucket called `name` of the server at `server`; `url` is what users write."""

    server: str
    name: str

    @property
    def url(self) -> str:
        """What stands before the name of an object."""
        return f"s3://{self.name}"

    def put(self, key: str, content: bytes) -> None:
        """Write an object."""
        status, said = _asked(self.server, "PUT", f"/{self.name}/{key}", content)
        assert status == 200, said

    def get(self, key: str) -> bytes | None:
        """Return an object; None where there is none."""
        status, content = _asked(self.server, "GET", f"/{self.name}/{key}")
        return content if status == 200 else None

    def keys(self, prefix: str) -> list[str]:
        """Return the names of all objects that begin so, less those that stand for folders."""
        _, content = _asked(self.server, "GET", f"/{self.name}?list-type=2&prefix={prefix}")
        found = ET.fromstring(content).iter(f"{_NAMESPACE}Key")  # noqa: S314 -- our own server
        names = (key.text or "" for key in found)
        return sorted(name for name in names if not name.endswith("/"))


def made(server: str, name: str) -> Bucket:
    """Make a bucket."""
    status, _ = _asked(server, "PUT", f"/{name}")
    assert status == 200
    return Bucket(server, name)


@contextlib.contextmanager
def refusing(server: str) -> Iterator[None]:
    """Have the server know no key for the length of the block."""
    _asked(server, "POST", "/moto-api/reset-auth", b"0")
    try:
        yield
    finally:
        _asked(server, "POST", "/moto-api/reset-auth", b"1000000000")


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve on a free port, with a log in `folder`; yield the address."""
    # A pipe that nobody reads would fill up, and stop the server.
    log = folder / "moto.log"
    with (
        log.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=file,
            stderr=file,
        ) as process,
    ):
        try:
            yield _address(process, log)
        finally:
            process.kill()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    while process.poll() is None:
        if found := re.search(r"Running on (http://127\.0\.0\.1:\d+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def variables(endpoint: str) -> Mapping[str, str]:
    """Return what lets a process sign in at `endpoint`, and nowhere else."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "a-secret-that-nobody-may-see",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _asked(server: str, method: str, place: str, body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.removeprefix("http://"))
    try:
        connection.request(method, place, body, _SIGNED)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
