"""A process that has imported everything, and forks children that run the real command line.

Starting Python and importing costs a second each time; a fork, a few milliseconds. Orders come as
JSON lines on standard input, and what became of the children goes as JSON lines to standard
output: {"child": number, "pid": pid}, and later {"child": number, "status": as of waitpid}. The
number is a child's place among the orders, since the system gives the PID of one that has ended to
another. At the end of the orders the children that are left are killed.
"""

from __future__ import annotations

import contextlib
import gc
import io
import itertools
import os
import resource
import selectors
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from batcher.cli import main


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A child to start.

    Attributes:
        arguments: Those of `batcher`.
        output: The file that standard output and standard error go to, as OUTPUT.out and .err.
        environment: All of it.
        halted: Stops itself by SIGSTOP before it begins, so that strace can be attached.
        one_thread: Does in one thread what executors do in others, so that calls of the system
            come in one order and can be counted (strace's `when=` counts for each thread).
        limits: Resource limits, soft and hard, by their name in `resource`.
        user: The user and group it becomes.
    """

    arguments: list[str]
    output: str
    environment: dict[str, str]
    halted: bool = False
    one_thread: bool = False
    limits: Mapping[str, int] = {}
    user: int | None = None


def _at_once(
    _executor: Executor, work: Callable[..., Any], /, *args: object, **kwargs: object
) -> Future[Any]:
    """Do in the thread that asks what an executor would do in another."""
    future = Future[Any]()
    try:
        future.set_result(work(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001 -- handed on, as by any executor
        future.set_exception(error)
    return future


def serve(orders: io.FileIO, reports: BinaryIO) -> Order | None:
    """Fork a child for each order. Returns in each child with its order, and at the end None."""
    children: dict[int, tuple[int, int]] = {}
    numbers = itertools.count()

    def report(**facts: int) -> None:
        reports.write(msgspec.json.encode(facts) + b"\n")
        reports.flush()

    with selectors.DefaultSelector() as selector:
        selector.register(orders, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not orders:
                    descriptor = key.fd
                    selector.unregister(descriptor)
                    number, pid = children.pop(descriptor)
                    os.close(descriptor)
                    report(child=number, status=os.waitpid(pid, 0)[1])
                elif line := orders.readline():
                    pid = os.fork()
                    if pid == 0:
                        for descriptor in children:
                            os.close(descriptor)
                        return msgspec.json.decode(line, type=Order)
                    descriptor = os.pidfd_open(pid)
                    number = next(numbers)
                    children[descriptor] = (number, pid)
                    selector.register(descriptor, selectors.EVENT_READ)
                    report(child=number, pid=pid)
                else:
                    for _, pid in children.values():
                        os.kill(pid, signal.SIGKILL)
                    return None


def become(order: Order) -> None:
    """Turn this process into the child that `order` describes."""
    os.chdir("/")
    os.environ.clear()
    os.environ.update(order.environment)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, path, mode in (
        (0, "/dev/null", os.O_RDONLY),
        (1, f"{order.output}.out", flags),
        (2, f"{order.output}.err", flags),
    ):
        descriptor = os.open(path, mode, 0o644)
        os.dup2(descriptor, number)
        os.close(descriptor)
    for name, limit in order.limits.items():
        resource.setrlimit(getattr(resource, name), (limit, limit))
    if order.user is not None:
        os.setgroups([])
        os.setgid(order.user)
        os.setuid(order.user)
    if order.one_thread:
        ThreadPoolExecutor.submit = _at_once  # type: ignore[method-assign] # for this child only
    if order.halted:
        os.kill(os.getpid(), signal.SIGSTOP)


def rehearse() -> None:
    """Run once, so that what is imported or made at first use is there for the children."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        prompts = Path(folder) / "prompts.jsonl"
        prompts.write_text('{"prompt": "Say 1."}\n{}\n')
        arguments = ["run", str(prompts), "--simulate", "--sim-latency", "0"]
        with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
            main(arguments)


if __name__ == "__main__":
    rehearse()
    gc.collect()
    gc.freeze()
    # Unbuffered, so that the selector knows of every order.
    mine = serve(open(0, "rb", buffering=0, closefd=False), sys.stdout.buffer)  # noqa: SIM115 -- for good
    if mine is not None:
        become(mine)
        main(mine.arguments, prog_name="batcher")
