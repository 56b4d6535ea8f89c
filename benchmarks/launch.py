"""Start a command on one core, wait for it, and tell what it cost; for benchmarks/process.py.

A process of its own, and a small one: Linux counts the memory of the process that starts a command
into the command's peak.
"""

import json
import os
import resource
import sys
import time


def main() -> None:
    """Run the command; write its code, wall and CPU seconds and peak KiB to a descriptor."""
    report, core, descriptors, *command = sys.argv[1:]
    os.set_inheritable(int(report), False)  # noqa: FBT003 -- has no name
    if core:
        os.sched_setaffinity(0, {int(core)})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(int(descriptors), hard), hard))
    since = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    wall_s = time.perf_counter() - since
    code = os.waitstatus_to_exitcode(status)
    told = (code, wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
    os.write(int(report), json.dumps(told).encode())


main()
