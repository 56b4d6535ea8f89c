"""The fault matrix: each fault that a run must stand, and where its tests are: `test_NN_...`.

Exit codes are those of the disturbed process. After each fault the run is started again without
it, and the oracle (`oracle.py`) holds ledger, checkpoint and outputs against each other: no
recorded row is called again, at most the calls in flight are lost, each row is published once.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One fault.

    Attributes:
        fault: What goes wrong.
        injection: How the tests make it go wrong.
        codes: The exit codes that the disturbed process may end with; 65 stands for a finished
            run, since every input here has a bad row; - where no process is disturbed.
        required: What must hold, beside the oracle.
    """

    fault: str
    injection: str
    codes: str
    required: str


MATRIX = {
    1: Row(
        "SIGKILL at every I/O call",
        "strace: SIGKILL at the k-th call that changes a file, for every k of a recorded run",
        "-9",
        "the oracle",
    ),
    2: Row(
        "random SIGKILL",
        "200 moments U(0, T) from a printed seed, in chains until the run is finished",
        "-9",
        "the oracle",
    ),
    3: Row(
        "kill during recovery",
        "as 1, on the runs after a killed one, three deep, sampled from the seed",
        "-9",
        "the next undisturbed run finishes",
    ),
    4: Row(
        "out of memory",
        "RLIMIT_AS; MemoryError in the call of a row",
        "65, 70, 74",
        "a row error or the end of the run; nothing recorded is lost",
    ),
    5: Row(
        "SIGTERM, SIGINT, SIGHUP in mid-call",
        "a simulator that never answers",
        "143, 130, 129",
        "the process has ended after 25 s",
    ),
    6: Row(
        "storms of signals, SIGPIPE",
        "signals by the hundred; closed output streams",
        "143, 130, 129, 141",
        "nothing lost, no traceback",
    ),
    7: Row(
        "SIGSTOP for longer than the timeout, then CONT",
        "signals",
        "65",
        "expired calls are retried; never more calls in flight than allowed",
    ),
    8: Row(
        "descriptor exhaustion",
        "RLIMIT_NOFILE 64, 200 calls at once",
        "65",
        "concurrency is cut with a warning; no row fails of it",
    ),
    9: Row(
        "a worker raises or hangs",
        "at each await of a call, in process",
        "-",
        "the run ends with the error, or the deadline ends the call; it never hangs",
    ),
    10: Row(
        "power loss",
        "recorded writes replayed without the unsynced ones, every prefix",
        "-",
        "no acknowledged row is lost",
    ),
    11: Row(
        "torn or reordered writes",
        "as 10, with any subset of the pending sectors",
        "-",
        "damage is found; what came before it is kept",
    ),
    12: Row(
        "EIO at every I/O call",
        "strace: error=EIO at the k-th call, for every k of a recorded run",
        "73, 74, 65",
        "acknowledged rows are kept; 2 only where the input cannot be read",
    ),
    13: Row(
        "ENOSPC at every call that writes",
        "strace: error=ENOSPC from the k-th call on, for every k of a recorded run",
        "73, 74, 65",
        "acknowledged rows are kept",
    ),
    14: Row(
        "a disk that is really full; no inodes",
        "private tmpfs: size=1m, nr_inodes=8; one that fills in mid-run",
        "73, 74",
        "nothing received is dropped; with room made, the run finishes",
    ),
    15: Row("short writes", "RLIMIT_FSIZE of several sizes", "73, 74, 65", "finished or stopped"),
    16: Row(
        "read-only or forbidden output", "a read-only directory, as another user", "73", "no call"
    ),
    17: Row(
        "fsync takes 2 s",
        "strace: delay_exit=2000000 on fsync and fdatasync",
        "65",
        "the run finishes; what is not recorded stays bounded",
    ),
    18: Row(
        "truncated or bit-flipped checkpoint",
        "sampled offsets",
        "74",
        "damage is named; never silently wrong",
    ),
    19: Row("truncated Parquet", "20 bytes cut off", "65", "made again from the checkpoint"),
    20: Row(
        "bit flip in Parquet",
        "a data byte flipped",
        "74",
        "page checksums are written; `batcher verify` finds it",
    ),
    21: Row(
        "no directory fsync after a rename",
        "as 10, with the rename delayed",
        "-",
        "the old file or the new one",
    ),
    22: Row(
        "refused, reset, no such name",
        "a toxic server; strace: error at connect",
        "65, 75",
        "not sent, so tried again for free",
    ),
    23: Row(
        "black hole",
        "a server that accepts and never replies",
        "65",
        "the deadline ends it; ambiguous",
    ),
    24: Row("dripping bytes", "a byte every 100 ms", "65", "the total deadline ends it"),
    25: Row("cut at every byte of the answer", "all offsets", "65", "never recorded as a success"),
    26: Row("endless SSE", "no [DONE]; comments only", "65", "deadline and cap end it"),
    27: Row(
        "decompression bomb",
        "200 KB of gzip that become 200 MiB",
        "65",
        "the cap on the decoded size; flat memory",
    ),
    28: Row("expired or wrong-host certificate", "a local authority", "78", "no key is sent"),
    29: Row(
        "301-308 to another host or to http",
        "a second listener",
        "78, 65",
        "an error; the key is unseen there",
    ),
    30: Row(
        "stale keep-alive",
        "closed after each reply",
        "65",
        "reconnects unnoticed where the end is known; a call that crosses with it is ambiguous",
    ),
    31: Row(
        "Retry-After 0, -1, NaN, 1e400, a date, ms, 10 h", "a table", "-", "the overload policy"
    ),
    32: Row(
        "GLM 429 by code",
        "1302/1303, 1305/1312, 1113, 1304/1308/1310",
        "75, 77",
        "throttle, overload, end of the run, wait until",
    ),
    33: Row("401/403 in mid-run", "after n rows", "77", "the run stops; rows are pending"),
    34: Row(
        "2 h of 503; 2 h of a black hole",
        "discrete-event simulation with a fake clock",
        "-",
        "no row fails because the endpoint was down; at most 300 calls into the outage",
    ),
    35: Row("200 with an error object, HTML, no choices", "fixtures", "65", "not a success"),
    36: Row(
        "finish_reason length/sensitive/network_error; no usage",
        "fixtures",
        "65",
        "a typed status; cost is marked unknown",
    ),
    37: Row(
        "poison row: always 500",
        "1 in 1,000",
        "65",
        "at most 8 counted attempts; the others are unaffected",
    ),
    38: Row("duplicate-request code 1231", "a fixture", "65", "tried again with a new request id"),
    39: Row(
        "invalid UTF-8, BOM, CRLF, NUL, a 100 MB line",
        "hypothesis",
        "65",
        "an error row with its line number",
    ),
    40: Row("lone surrogate in or out", r'"\ud800"', "65", "escaped; the rest is not lost"),
    41: Row(
        "NaN, 1e999, 5,000-digit int, depth, duplicate keys",
        "a table",
        "65",
        "strict parsing; error rows",
    ),
    42: Row("duplicate ids", "same and different body", "65", "error rows that name both lines"),
    43: Row(
        "input edited between runs",
        "row k changed",
        "65",
        "only row k is called again, and that is said",
    ),
    44: Row(
        "wall clock +/- 1 h, 2038, DST",
        "a fake clock",
        "-",
        "timeouts are monotonic; tokens are signed again",
    ),
    45: Row(
        "two starts at once", "200 races", "65, 75", "the loser ends with 75 and makes no call"
    ),
    46: Row(
        "flock fails, or lies",
        "strace: flock:retval=0, flock:error=ENOLCK",
        "75, 73, 74",
        "no interleaving",
    ),
    47: Row(
        "stale lock, PID reuse",
        "the holder killed, another process given its PID",
        "65",
        "taken over",
    ),
    48: Row(
        "key with a trailing newline",
        "environment and key files",
        "77",
        "refused with a clear message that does not print it",
    ),
    49: Row(
        "evil HTTP_PROXY, netrc, SSLKEYLOGFILE", "environment", "65", "ignored unless --trust-env"
    ),
    50: Row(
        "changed model or template on resume",
        "the job edited",
        "78, 65",
        "the difference is shown; only what changed is called, after consent or --yes",
    ),
    51: Row(
        "killed while answers are asked for again",
        "half of all answers are broken JSON; kills at random moments from a printed seed",
        "-9",
        "no answer that was written down is asked for again; all calls but those lost are counted",
    ),
    52: Row(
        "the host is lost",
        "kills at random moments from a printed seed, the run directory deleted, the run taken up "
        "from its copy (--sync-checkpoint); or it is there after all",
        "-9",
        "no row that is in the copy is called again; the rest is called once more at most; what a "
        "whole disk alone knows is kept",
    ),
    53: Row(
        "two hosts on one run",
        "a host stands still for an hour, another one takes over, the first one wakes; hosts that "
        "do not tell which they are",
        "75",
        "the second start waits for a living one; who was followed stops, and loses nothing",
    ),
    54: Row(
        "the store of copies hangs, or is gone",
        "a named pipe in its place, SIGTERM; a file in its place",
        "143, 73, 74",
        "no answer waits for it, the run ends in time, and what was recorded is all there",
    ),
}
