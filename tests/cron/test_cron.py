"""Nights under a real cron daemon, as another user, with `jobs/` copied as users copy it."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batcher.simulator import LedgerEntry, SimulatorConfig, read_ledger
from batcher.simulator.service import serve
from tests.cron.machine import ROOT, UID, Daemon, Machine

KEY = "canary-id.canary-secret-of-the-night"
CRONTAB = (ROOT / "jobs" / "crontab").read_text("utf-8").splitlines()
MAIL = CRONTAB[:-1]
EVERY_NIGHT = CRONTAB[-1]
NIGHT = EVERY_NIGHT.replace("30 0 * * *", "@reboot", 1)
ROWS = 200


class Gate:
    """How long answers take: none of them any time, but those after the first few wait."""

    def __init__(self, free: int = ROWS) -> None:
        self.free = free
        self.open = asyncio.Event()
        self.met = asyncio.Event()

    async def sleep(self, _seconds: float) -> None:
        self.free -= 1
        if self.free < 0:
            self.met.set()
            await self.open.wait()


@dataclass(frozen=True, slots=True)
class House:
    """A machine with cron, and the service that its jobs call."""

    machine: Machine
    asked: Path

    @property
    def jobs(self) -> Path:
        return self.machine.home / "jobs"

    @property
    def log(self) -> str:
        return "".join(path.read_text("utf-8") for path in sorted(self.jobs.glob("logs/*.log")))

    @property
    def calls(self) -> list[LedgerEntry]:
        """All calls that were ever made."""
        return read_ledger(self.asked)

    @property
    def rows(self) -> int:
        """How many rows have a result."""
        return pq.read_table(self.jobs / "sentiment_zh.batch" / "results.parquet").num_rows

    def nobody_is_called(self) -> None:
        """See that nothing was mailed, and that no call was made twice."""
        assert self.machine.letters == []
        assert set(Counter(call.prompt_key for call in self.calls).values()) == {1}

    @asynccontextmanager
    async def night(
        self, *crontab: str, gate: Gate | None = None, key: str = KEY
    ) -> AsyncIterator[Daemon]:
        """Let the machine and the service run; a new night is a start of both.

        The service accepts `KEY`; the job is given `key`.
        """
        config = SimulatorConfig(latency_s=1, keys=frozenset({KEY}), ledger=self.asked)
        async with serve(config, sleep=(gate or Gate()).sleep) as service:
            self._tell(key, service.base_url)
            async with self.machine.up(*crontab) as daemon:
                yield daemon

    def _tell(self, key: str, address: str) -> None:
        """Write `.env`."""
        settings = self.jobs / ".env"
        settings.write_text(f"ZHIPUAI_API_KEY={key}\nZHIPUAI_BASE_URL={address}\n")
        settings.chmod(0o600)
        self.machine.hand_over()


@pytest.fixture
def house(tmp_path: Path) -> House:
    machine = Machine.built(tmp_path / "machine")
    left = shutil.ignore_patterns("*.batch", "logs", ".env")
    for name in ("jobs", "sample_data"):
        shutil.copytree(ROOT / name, machine.home / name, ignore=left)
    return House(machine, tmp_path / "asked.jsonl")


async def test_the_crontab_as_it_stands_begins_the_run_at_its_minute(house: House) -> None:
    """But for the time of day, which is the next minute here."""
    async with house.night(*MAIL, EVERY_NIGHT.replace("30 0", "* *", 1)) as cron:
        assert await cron.ended() == [0]
    assert house.rows == ROWS
    house.nobody_is_called()


async def test_a_night_that_ends_before_its_rows_is_silent_and_the_next_one_ends_them(
    house: House,
) -> None:
    async with house.night(*MAIL, f"{NIGHT} --max-rows 50") as cron:
        assert await cron.ended() == [75]
    assert house.rows == 50
    house.nobody_is_called()
    async with house.night(*MAIL, NIGHT) as cron:
        assert await cron.ended() == [0]
    assert house.rows == ROWS
    house.nobody_is_called()
    assert house.log.count("nightly: started") == 2


async def test_a_machine_that_shuts_down_keeps_each_answer_that_was_under_way(
    house: House,
) -> None:
    """The wrapper and batcher are told at once, and the wrapper passes it on: one word, twice."""
    gate = Gate(free=20)
    async with house.night(*MAIL, NIGHT, gate=gate) as cron:
        await cron.until(gate.met.is_set)
        cron.shut_down()
        await cron.until(lambda: "SIGTERM: waiting" in house.log)
        gate.open.set()
        # Cron has left: its own shell was told as well. What is left ends by itself.
        await cron.until(lambda: "nightly: exit code 143" in house.log)
    recorded = house.rows
    assert 20 <= recorded < ROWS
    house.nobody_is_called()
    async with house.night(*MAIL, NIGHT) as cron:
        assert await cron.ended() == [0]
    assert house.rows == ROWS
    house.nobody_is_called()


async def test_of_two_starts_one_goes_on_and_no_call_is_made_twice(house: House) -> None:
    gate = Gate(free=5)
    async with house.night(*MAIL, NIGHT, NIGHT, gate=gate) as cron:
        assert await cron.ended() == [75]
        await cron.until(gate.met.is_set)
        gate.open.set()
        assert await cron.ended() == [0]
    assert house.log.count("nightly: started") == 1
    assert house.rows == ROWS
    house.nobody_is_called()


async def test_a_key_that_is_refused_is_mailed_with_the_reason_and_without_the_key(
    house: House,
) -> None:
    wrong = KEY.replace("secret", "sekret")
    async with house.night(*MAIL, NIGHT, key=wrong) as cron:
        assert await cron.ended() == [77]
    (letter,) = house.machine.letters
    assert "To: you@example.com" in letter
    assert "nightly: sentiment_zh: exit code 77: stopped, the key or the balance" in letter
    assert "charset=UTF-8" in letter
    assert "身份验证失败" in letter
    assert "The provider refuses the key; check" in letter
    for kept in [letter, house.log]:
        assert wrong not in kept
        assert wrong.partition(".")[2] not in kept


async def test_what_cron_leaves_behind_is_the_users_own_and_private(house: House) -> None:
    """Cron itself gives a umask that lets everyone read."""
    async with house.night(*MAIL, NIGHT) as cron:
        assert await cron.ended() == [0]
    for top in ("logs", "sentiment_zh.batch"):
        for path in (house.jobs / top, *(house.jobs / top).rglob("*")):
            about = path.stat()
            assert (about.st_uid, about.st_mode & 0o077) == (UID, 0), path


async def test_without_a_terminal_the_log_has_lines_and_no_bar(house: House) -> None:
    async with house.night(*MAIL, NIGHT) as cron:
        assert await cron.ended() == [0]
    assert "\r" not in house.log
    assert "\x1b" not in house.log
