"""A run in a thread that is asked to end while a store is silent: it waits for that no longer."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from batcher.checkpoint import Checkpoint, Reserve
from batcher.errors import Interruption
from batcher.job import JobSpec
from batcher.runs.delivery import Delivery
from batcher.runs.finish import Finish
from batcher.runs.stopping import Asked
from batcher.storage import Folder, GivenUpError, at_work
from tests.engines import Engine
from tests.simulated import Place

URL = "s3://bucket/out"


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have all of S3 take requests and answer none."""
    listening = socket.create_server(("127.0.0.1", 0))
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{listening.getsockname()[1]}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    yield
    # Whoever still waits there hears that it is gone.
    listening.close()
    _end()


def _end() -> None:
    """Wait for what was left behind."""
    for thread in threading.enumerate():
        if thread.name == "batcher-store":
            thread.join()
    assert not at_work()


@pytest.fixture
def asked() -> Asked:
    asked = Asked()
    asked.ask(signal.SIGTERM)
    return asked


Change = Callable[[Place], JobSpec]


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize(
    "job",
    [
        lambda place: place.job(output={"to": URL}),
        lambda place: place.job(output={"sync_checkpoint": URL}),
        lambda place: place.job(
            input=["s3://bucket/in/*.jsonl"], output={"directory": str(place.directory.path)}
        ),
    ],
    ids=["where results go", "the place of copies", "the input"],
)
def test_before_the_first_call_a_run_ends_as_stopped(
    job: Change, place: Place, asked: Asked
) -> None:
    with pytest.raises(Interruption) as ended:
        replace(place.session(job(place)), stopping=asked).run()
    assert ended.value.number is signal.SIGTERM
    assert place.ledger() == []


@pytest.mark.usefixtures("silent")
def test_after_the_calls_it_ends_as_stopped_and_says_what_is_not_there(
    place: Place, asked: Asked
) -> None:
    place.run(place.job(observe={"report": False}))
    with (
        Checkpoint.open(place.directory.checkpoint) as checkpoint,
        Reserve.held(place.directory.reserve, 1, 1024) as reserve,
    ):
        live = place.live(checkpoint, reserve, Engine([]).retrier())
        finish = Finish(live, place.directory, asked)
        said, number = finish.deliver(Delivery(Folder.at(URL)), report=False)
    assert number is signal.SIGTERM
    assert said == f"not all of it is at {URL}, as the run had to end"


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize(
    "work",
    [
        lambda folder, _path: folder.check(),
        lambda folder, _path: folder.read("a"),
        lambda folder, _path: folder.write("a", b""),
        lambda folder, path: folder.upload(path, "a"),
        lambda folder, path: folder.download("a", path.with_name("to")),
        lambda folder, _path: folder.remove("a"),
        lambda folder, _path: folder.names(),
    ],
    ids=["check", "read", "write", "upload", "download", "remove", "names"],
)
def test_whatever_is_done_there(work: Callable[[Folder, Path], object], tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(b"")
    folder = Folder.at(URL).heeding(lambda: True)
    with pytest.raises(GivenUpError):
        work(folder, tmp_path / "here")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]
