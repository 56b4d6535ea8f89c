"""The job files that users copy, and the wrapper that runs them at night."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from batcher.job import JobSpec, load_job
from batcher.providers import provider_named
from batcher.records import Prompt, Source
from batcher.render import Renderer
from batcher.runs.export import vote_run
from batcher.runs.prepare import Preparation
from batcher.simulator import SimulatorConfig
from batcher.structured import Structure
from tests.simulated import Place

JOBS = Path(__file__).parents[2] / "jobs"
FILES = sorted(JOBS.glob("*.toml"))
ON_REVIEWS = [JOBS / f"{name}.toml" for name in ("extract_json", "sentiment_zh", "translate")]
KEY = "canary-id.canary-secret"


def _first_rows(job: JobSpec) -> list[Prompt]:
    (name,) = job.input
    lines = Path(name).read_text("utf-8").splitlines()[:20]
    rows = [json.loads(line) for line in lines]
    return [
        Prompt(number, row["id"], row, Source(name, number + 1)) for number, row in enumerate(rows)
    ]


def _renderer(job: JobSpec) -> Renderer:
    provider = provider_named(job.provider.name)
    return Preparation.of(job, Structure.of(job.output), provider, lambda: 0.0).render


def test_there_are_these_job_files() -> None:
    assert [path.stem for path in FILES] == [
        "alerts",
        "cached",
        "describe_images",
        "extract_json",
        "sentiment_zh",
        "tools",
        "translate",
        "vote",
    ]


@pytest.mark.parametrize("path", ON_REVIEWS, ids=lambda path: path.stem)
def test_each_job_loads_and_renders_its_input(path: Path) -> None:
    job = load_job(path, {})
    render = _renderer(job)
    for prompt in _first_rows(job):
        body = render(prompt).body
        messages: Any = body["messages"]
        assert [message["role"] for message in messages] == ["system", "user"]
        assert prompt.columns["review"] in messages[1]["content"]
        assert body["model"] == job.provider.model
        assert body["thinking"] == {"type": "disabled"}
        assert body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_job_begins_with_its_purpose_and_its_command_and_writes_beside_itself(
    path: Path,
) -> None:
    lines = path.read_text("utf-8").splitlines()
    comment = lines[: lines.index("")]
    assert all(line.startswith("#") for line in comment)
    assert f"#   batcher run --job jobs/{path.name}" in comment
    assert load_job(path, {}).output.directory == str(JOBS / f"{path.stem}.batch")


def test_translations_are_asked_for_in_the_other_language() -> None:
    job = load_job(JOBS / "translate.toml", {})
    render = _renderer(job)
    for prompt in _first_rows(job):
        messages: Any = render(prompt).body["messages"]
        asked = {"zh": "into natural English", "en": "自然的中文"}[str(prompt.columns["lang"])]
        assert asked in messages[0]["content"]


def test_the_labels_of_the_vote_job_end_as_one_for_each_review(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write((JOBS.parent / "sample_data" / "reviews.jsonl").read_text("utf-8").splitlines()[:8])
    flags = {"input": [str(place.input)], "output": {"directory": str(place.directory.path)}}
    job = load_job(JOBS / "vote.toml", flags)
    assert place.run(job).summary.counts.results == 8 * 5
    voted = vote_run(place.directory, None, "parquet")
    votes = pq.read_table(voted.path)
    given = [row["out.label"] for row in place.results()]
    # The most frequent of each five; of several, the one that came first.
    labels = [Counter(given[at : at + 5]).most_common(1)[0][0] for at in range(0, 40, 5)]
    assert votes.column("vote.label").to_pylist() == labels
    assert set(labels) <= {"positive", "negative", "mixed"}
    assert votes.column("valid_samples").to_pylist() == [5] * 8


def test_what_one_run_of_the_cached_job_asked_no_other_run_asks_again(tmp_path: Path) -> None:
    reviews = (JOBS.parent / "sample_data" / "reviews.jsonl").read_text("utf-8").splitlines()[:20]
    cache = {"cache": str(tmp_path / "answers.cache")}
    calls = []
    for name, rows in (("monday", reviews), ("tuesday", [*reviews[:5], *reviews])):
        (tmp_path / name).mkdir()
        place = Place(tmp_path / name)
        place.write({**json.loads(row), "id": str(n)} for n, row in enumerate(rows))
        flags = {"input": [str(place.input)], "output": {"directory": str(place.directory.path)}}
        job = load_job(JOBS / "cached.toml", {**flags, "reuse": cache})
        assert place.run(job).summary.counts.results == len(rows)
        calls.append(len(place.ledger()))
    assert calls == [20, 0]


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("sentiment_zh", {"label": "string", "confidence": "double"}),
        (
            "extract_json",
            {
                "sentiment": "string",
                "aspects": "list<element: struct<name: string, opinion: string>>",
                "issue": "string",
                "recommend": "bool",
            },
        ),
        ("translate", {"translation": "string", "notes": "list<element: string>"}),
    ],
)
def test_each_job_ends_with_typed_columns_though_some_answers_had_to_be_asked_for_again(
    tmp_path: Path, name: str, types: dict[str, str]
) -> None:
    place = Place(tmp_path)
    reviews = JOBS.parent / "sample_data" / "reviews.jsonl"
    rows = reviews.read_text("utf-8").splitlines()[:30]
    place.write(rows)
    flags = {"input": [str(place.input)], "output": {"directory": str(place.directory.path)}}
    job = load_job(JOBS / f"{name}.toml", flags)
    spoilt = SimulatorConfig(latency_s=0, seed=1, faults={"broken_json": 0.2, "untidy_json": 0.3})
    counts = place.run(job, spoilt).summary.counts
    table = pq.read_table(place.directory.results)
    out = [field for field in table.schema if field.name.startswith("out.")]
    assert {field.name.removeprefix("out."): str(field.type) for field in out} == types
    assert table.schema.names.index(out[0].name) == table.schema.names.index("response") + 1
    assert table.column(out[0].name).null_count == 0
    assert counts.repairs > 0
    assert (counts.rows, counts.error_rows) == (len(rows), len(rows) - table.num_rows)
    assert table.num_rows >= len(rows) - 3


@dataclass(frozen=True, slots=True)
class Night:
    """A folder with a job, and a stub `batcher` on the PATH that runs a given Python program."""

    folder: Path

    @property
    def job(self) -> Path:
        return self.folder / "my jobs" / "night.toml"

    @property
    def log(self) -> str:
        (log,) = (self.job.parent / "logs").glob("night-????-??-??.log")
        return log.read_text("utf-8")

    def stub(self, program: str) -> None:
        path = self.folder / "bin" / "batcher"
        path.write_text(f"#!{sys.executable} -IS\n{program}\n", "utf-8")
        path.chmod(0o755)

    def start(self, *options: str, **variables: str) -> subprocess.Popen[str]:
        """Start the wrapper as cron does: a bare environment, another working directory."""
        bare = {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "HOME": str(self.folder)}
        return subprocess.Popen(  # noqa: S603 -- our own script
            [JOBS / "nightly.sh", *options],
            env=bare | variables,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *options: str, **variables: str) -> tuple[int, str]:
        """Run the wrapper; return its exit code and all it printed, which cron would mail."""
        process = self.start(*(options or (str(self.job),)), **variables)
        out, err = process.communicate()
        return process.returncode, out + err


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = Night(tmp_path)
    (tmp_path / "bin").mkdir()
    # Of the clock only its time: all nights of a test are of one day, though another may begin.
    date = tmp_path / "bin" / "date"
    date.write_text(
        "#!/bin/sh\n"
        '[ "$1" = +%Y-%m-%d ] && exec echo 2026-01-05\n'
        f'exec {shutil.which("date")} "$@"\n'
    )
    date.chmod(0o755)
    night.job.parent.mkdir()
    night.job.write_text("")
    night.stub("import os, sys; print(os.getcwd(), sys.argv[1:])")
    return night


@pytest.mark.parametrize("code", [0, 75, 130, 143])
def test_a_night_that_needs_nobody_is_logged_and_silent(night: Night, code: int) -> None:
    night.stub(f"import sys; print('working'); sys.exit({code})")
    assert night.run() == (code, "")
    assert "working\n" in night.log
    assert f"nightly: exit code {code}: " in night.log


@pytest.mark.parametrize("code", [1, 2, 65, 70, 73, 74, 77, 78])
def test_a_night_that_needs_a_person_prints_the_end_of_the_log(night: Night, code: int) -> None:
    night.stub(f"import sys; print('the reason', file=sys.stderr); sys.exit({code})")
    passed_on, printed = night.run()
    assert passed_on == code
    assert f"nightly: night: exit code {code}: " in printed
    assert "the reason\n" in printed
    assert "the reason\n" in night.log


def test_batcher_runs_in_the_jobs_folder_with_the_job_and_the_options(night: Night) -> None:
    assert night.run("my jobs/night.toml", "--yes", "-p", "user_id=a b")[0] == 0
    words = ["run", "--job", str(night.job), "--yes", "-p", "user_id=a b"]
    assert f"{night.job.parent} {words}\n" in night.log


def test_nights_of_one_day_share_a_log(night: Night) -> None:
    night.run()
    night.run()
    assert night.log.count("nightly: started") == 2


def test_a_second_start_ends_with_75_while_the_first_goes_on(night: Night) -> None:
    night.run()
    with (night.job.parent / "logs" / "night.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert night.run() == (75, "")
    assert night.log.count("nightly: started") == 1
    assert "nightly: not started" in night.log


def test_a_signal_reaches_batcher_and_the_wrapper_waits_for_its_exit_code(night: Night) -> None:
    os.mkfifo(night.folder / "ready")
    night.stub(
        "import signal, sys\n"
        "def drain(*_):\n"
        "    print('drained', flush=True)\n"
        "    sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, drain)\n"
        f"open({str(night.folder / 'ready')!r}, 'w').close()\n"
        "while True: signal.pause()"
    )
    process = night.start(str(night.job))
    (night.folder / "ready").read_text()  # returns when the stub has opened and closed it
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert (process.returncode, out + err) == (143, "")
    assert night.log.index("drained") < night.log.index("nightly: exit code 143")


@pytest.mark.parametrize("where", [".env", "key"])
def test_a_key_that_others_may_read_is_refused_before_the_start(night: Night, where: str) -> None:
    secret = night.job.parent / where
    secret.write_text(KEY)
    secret.chmod(0o640)
    code, printed = night.run(**({} if where == ".env" else {"BATCHER_KEY_FILE": str(secret)}))
    assert code == 77
    assert "chmod 600" in printed
    assert "nightly: started" not in night.log
    assert KEY not in printed + night.log


def test_a_private_key_file_is_named_to_batcher_and_never_shown(night: Night) -> None:
    for name in (".env", "key"):
        (night.job.parent / name).write_text(KEY)
        (night.job.parent / name).chmod(0o600)
    assert night.run(BATCHER_KEY_FILE="key") == (0, "")
    assert "'--api-key-file', 'key'" in night.log
    assert KEY not in night.log


@pytest.mark.parametrize("code", [75, 130, 143])
def test_a_job_that_is_not_finished_for_a_week_is_told_of_once_a_week(
    night: Night, code: int
) -> None:
    night.stub(f"import sys; sys.exit({code})")
    assert night.run() == (code, "")
    week_ago = time.time() - 7 * 86_400 - 60
    os.utime(night.job.parent / "logs" / "night.waiting", (week_ago, week_ago))
    passed_on, printed = night.run()
    assert passed_on == code
    assert "night has not been finished for a week: " in printed
    assert night.run() == (code, "")


def test_a_run_that_goes_on_for_a_week_is_told_of(night: Night) -> None:
    night.stub("import sys; sys.exit(75)")
    night.run()
    week_ago = time.time() - 7 * 86_400 - 60
    os.utime(night.job.parent / "logs" / "night.waiting", (week_ago, week_ago))
    with (night.job.parent / "logs" / "night.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, printed = night.run()
    assert code == 75
    assert "its run still goes on" in printed


@pytest.mark.parametrize("code", [0, 65])
def test_the_week_begins_anew_with_each_job_that_is_done(night: Night, code: int) -> None:
    night.stub("import sys; sys.exit(75)")
    night.run()
    night.stub(f"import sys; sys.exit({code})")
    night.run()
    assert not (night.job.parent / "logs" / "night.waiting").exists()


@pytest.mark.parametrize(("days", "kept"), [({}, True), ({"BATCHER_LOG_DAYS": "30"}, False)])
def test_old_logs_are_deleted_and_nothing_else(
    night: Night, days: dict[str, str], *, kept: bool
) -> None:
    logs = night.job.parent / "logs"
    logs.mkdir()
    for name, age in (("night-2026-01-02.log", 40), ("night-2025-01-02.log", 100), ("notes", 900)):
        (logs / name).touch()
        then = time.time() - age * 86_400
        os.utime(logs / name, (then, then))
    night.run(**days)
    assert (logs / "night-2026-01-02.log").exists() == kept
    assert not (logs / "night-2025-01-02.log").exists()
    assert (logs / "notes").exists()


def test_days_that_are_no_number_are_refused_before_the_start(night: Night) -> None:
    code, printed = night.run(BATCHER_LOG_DAYS="30 days")
    assert code == 78
    assert "BATCHER_LOG_DAYS is no number of days: 30 days" in printed
    assert "nightly: started" not in night.log


def test_logs_are_private(night: Night) -> None:
    night.run()
    for path in (night.job.parent / "logs", *(night.job.parent / "logs").iterdir()):
        assert path.stat().st_mode & 0o077 == 0


def test_without_a_job_it_says_how_it_is_used(night: Night) -> None:
    process = night.start()
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert "usage: nightly.sh JOB.toml" in err


def test_a_job_that_is_not_there_needs_a_person(night: Night) -> None:
    code, printed = night.run("elsewhere/no.toml")
    assert code == 78
    assert "elsewhere/no.toml" in printed


def test_a_program_that_is_not_there_needs_a_person(night: Night) -> None:
    code, printed = night.run(BATCHER="no-such-batcher")
    assert code == 78
    assert "BATCHER=" in printed


def test_a_log_that_cannot_be_made_ends_with_73_before_the_start(night: Night) -> None:
    (night.job.parent / "logs").write_text("a file in the folder's place")
    code, printed = night.run()
    assert code == 73
    assert "logs" in printed


def test_what_the_docs_copy_is_all_that_the_job_of_the_crontab_reads(tmp_path: Path) -> None:
    docs = (JOBS.parent / "docs" / "unattended.md").read_text("utf-8")
    (copying,) = [line for line in docs.splitlines() if line.startswith("cp -r ")]
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run(["/bin/sh", "-euc", copying], env=bare, cwd=JOBS.parent, check=True)  # noqa: S603 # ours
    last = (tmp_path / "jobs" / "crontab").read_text("utf-8").splitlines()[-1]
    job = load_job(Path(last.split('"')[3].replace("$HOME", str(tmp_path))), {})
    assert job.input
    assert all(Path(name).exists() for name in job.input)


def test_the_crontab_runs_the_wrapper_and_mails_a_person() -> None:
    lines = (JOBS / "crontab").read_text("utf-8").splitlines()
    mail, content, line = (line for line in lines if not line.startswith("#"))
    assert mail.startswith("MAILTO=")
    assert content == 'CONTENT_TYPE="text/plain; charset=UTF-8"'
    minute, hour, *days, command = line.split(maxsplit=5)
    assert (minute.isdecimal(), hour.isdecimal(), days) == (True, True, ["*", "*", "*"])
    assert '/jobs/nightly.sh"' in command
    assert "%" not in command  # cron reads % as the end of the line


def _dataset(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `dataset.sh` with a job of one row, simulated."""
    (folder / "prompts.jsonl").write_text('{"prompt": "hi"}\n')
    (folder / "label.toml").write_text(
        'input = ["prompts.jsonl"]\nprovider.model = "glm-4-flash"\n'
    )
    return subprocess.run(  # noqa: S603 -- our own script
        [JOBS / "dataset.sh", folder / "label.toml", "--simulate", "--sim-latency", "0", *options],
        env={"PATH": "/usr/bin:/bin", "BATCHER": str(Path(sys.executable).parent / "batcher")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_that_ends_well_becomes_a_dataset(tmp_path: Path) -> None:
    done = _dataset(tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "label.batch" / "hf"
    assert (folder / "README.md").is_file()
    assert (folder / "data" / "train-00000-of-00001.parquet").is_file()
    assert f"hf upload NAME/DATASET {folder} --repo-type dataset" in done.stdout


def test_a_run_that_does_not_end_well_becomes_no_dataset(tmp_path: Path) -> None:
    done = _dataset(tmp_path, "--sim-fault", "1301=1")
    assert done.returncode == 65
    assert not (tmp_path / "label.batch" / "hf").exists()
