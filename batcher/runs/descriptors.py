"""How many connections this process may open (fault 8: descriptor exhaustion)."""

from __future__ import annotations

import contextlib
import resource

# What a run holds open beside its connections: checkpoint, log, input, outputs, event loop.
OTHERS = 40


def affordable_calls(wanted: int, sockets_per_call: int) -> int:
    """Return how many of `wanted` calls at once the limit of open files allows, at least 1.

    The soft limit is raised as far as this process may.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted * sockets_per_call + OTHERS
    if soft != resource.RLIM_INFINITY and soft < needed:
        goal = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        # Some systems refuse what they name as the hard limit.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (goal, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, (soft - OTHERS) // sockets_per_call))
