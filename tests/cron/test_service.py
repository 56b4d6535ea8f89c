"""What `batcher@.service` starts, in the surroundings that systemd gives it.

The namespaces are made by hand, since systemd itself runs only as the first process of a machine:
a disk that cannot be written to but for the state directory, a /proc that shows no process of
others, no memory that is made executable, no capability, and a bare environment.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import sys
from pathlib import Path

import pyarrow.parquet as pq

from batcher.simulator import SimulatorConfig, read_ledger
from batcher.simulator.service import serve
from tests.cron.machine import ROOT, opened

UNIT = (ROOT / "jobs" / "systemd" / "batcher@.service").read_text("utf-8")
KEY = "canary-id.canary-secret-of-the-service"
UID = 61_235
# Far more than the run takes: only one that hangs meets it.
PATIENCE_S = 300
# prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN), in the place of systemd's filter.
_NO_NEW_CODE = """
import ctypes, os, sys
assert ctypes.CDLL(None, use_errno=True).prctl(65, 1, 0, 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
"""


def setting(name: str) -> str:
    """Return the last value of a setting of the unit."""
    found: list[str] = re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    return found[-1]


def surrounded(state: Path, key: Path) -> str:
    """Return the script that becomes `batcher@night`."""
    words = setting("ExecStart").replace("%i", "night").replace("%d", "/run/credentials").split()
    assert words[0] == "/opt/batcher/bin/batcher"
    words[0] = str(Path(sys.prefix, "bin", "batcher"))
    place = setting("WorkingDirectory").replace("%S", "/var/lib")
    environment = [
        f"HOME={place}",
        "LOGNAME=batcher",
        "USER=batcher",
        "SHELL=/usr/sbin/nologin",
        "LANG=C.UTF-8",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
        "CREDENTIALS_DIRECTORY=/run/credentials",
        f"STATE_DIRECTORY={place}",
    ]
    lines = ["mount -t tmpfs none /mnt", "mkdir /mnt/state /mnt/key"]
    lines += [f"mount --bind {shlex.quote(str(state))} /mnt/state"]
    lines += [f"mount --bind {shlex.quote(str(key.parent))} /mnt/key"]
    lines += opened(ROOT, Path(sys.prefix), Path(sys.base_prefix))
    lines += ["mount -t tmpfs none /var/lib", f"mkdir {place}", "mount -t tmpfs none /run"]
    lines += [f"mount --bind /mnt/state {place}", "mkdir /run/credentials"]
    lines += ["mount --bind /mnt/key /run/credentials", "mount -o remount,bind,ro /"]
    lines += [f"mount -t proc -o hidepid={setting('ProtectProc')} none /proc"]
    lines += [f"umask {setting('UMask')}", f"cd {place}"]
    alone = f"setpriv --reuid={UID} --regid={UID} --clear-groups --no-new-privs --bounding-set=-all"
    code = f"{shlex.quote(sys.executable)} -c {shlex.quote(_NO_NEW_CODE)}"
    lines += [f"exec {alone} env -i {shlex.join(environment)} {code} {shlex.join(words)}"]
    return "\n".join(lines)


async def test_a_run_needs_nothing_that_its_service_does_not_have(tmp_path: Path) -> None:
    state, key, asked = tmp_path / "state", tmp_path / "credentials" / "key", tmp_path / "asked"
    for folder in (state, key.parent):
        folder.mkdir()
    key.write_text(f"{KEY}\n")
    (state / "prompts.jsonl").write_text("".join(f'{{"prompt": "Say {n}."}}\n' for n in range(50)))
    config = SimulatorConfig(latency_s=0, keys=frozenset({KEY}), ledger=asked)
    async with serve(config) as service:
        (state / "night.toml").write_text(
            'input = ["prompts.jsonl"]\n[provider]\nmodel = "glm-4-flash"\n'
            f'base_url = "{service.base_url}"\n[output]\nsync_checkpoint = "copies"\n'
        )
        for path in (state, *state.iterdir(), key):
            os.chown(path, UID, UID)
        key.chmod(0o400)
        unshare = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
        process = await asyncio.create_subprocess_exec(
            *(*unshare, "sh", "-euc", surrounded(state, key)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0, said.decode()
    assert pq.read_table(state / "prompts.batch" / "results.parquet").num_rows == 50
    assert len(read_ledger(asked)) == 50
    # So that it would be known to be gone, had it been killed.
    writer = json.loads((state / "copies" / "latest.json").read_bytes())["writer"]
    assert writer["boot"]
    assert writer["ticks"]
    for path in (state / "prompts.batch").rglob("*"):
        about = path.stat()
        assert (about.st_uid, about.st_mode & 0o077) == (UID, 0), path
        assert KEY.encode() not in path.read_bytes()
    assert KEY not in said.decode()
