"""What is known of a child is known of no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.faults.children import Parent
from tests.faults.parent import Order

# The system gives the PID of a process that has ended to one that begins.
SAYS = """
input()
print('{"child": 0, "pid": 7}', '{"child": 0, "status": 0}', sep="\\n", flush=True)
input()
print('{"child": 1, "pid": 7}', flush=True)
"""


def test_a_child_with_the_pid_of_one_that_has_ended_has_not_ended_itself(tmp_path: Path) -> None:
    order = Order(arguments=[], output=str(tmp_path / "said"), environment={})
    with subprocess.Popen(  # noqa: S603 -- our own interpreter and words
        [sys.executable, "-c", SAYS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        parent = Parent(process)
        ended = parent.start(order)
        assert ended.wait() == 0
        begun = parent.start(order)
        assert begun.pid == ended.pid
        assert begun.running
        assert not ended.running
