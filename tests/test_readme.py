"""What the documents say, held to what the program does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from batcher.cli.group import main
from batcher.errors import BatcherError, ErrorClass
from batcher.job import JobSpec, load_job
from batcher.outputs.layout import ANSWER, ERROR, SOURCE

ROOT = Path(__file__).parent.parent
_TEXTS = (".py", ".md", ".sh", ".toml", ".ipynb", ".yaml", ".service")
README = (ROOT / "README.md").read_text("utf-8")


def test_the_help_block_is_what_batcher_run_help_prints() -> None:
    block = re.search(r"<!-- batcher run --help -->\n```text\n(.*?)```", README, re.DOTALL)
    assert block is not None
    done = CliRunner().invoke(main, ["run", "--help"], prog_name="batcher")
    assert block[1] == done.stdout


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_every_output_column_is_listed(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    columns = {*ANSWER.names, *ERROR.names, *SOURCE.names}
    assert {column for column in columns if f"`{column}`" not in text} == set()


def test_the_chinese_readme_names_all_commands_files_and_pages_that_the_english_one_does() -> None:
    english = re.sub(r"<!-- batcher run --help -->\n```.*?```", "", README, flags=re.DOTALL)
    chinese = (ROOT / "README.zh-CN.md").read_text("utf-8")
    # Each has the picture of its own language.
    own = {"README.zh-CN.md", "docs/pictures/report.png"}
    assert {*_named(english)} - {*_named(chinese)} == own


def _named(text: str) -> Iterator[str]:
    """Yield what stands in backticks outside of blocks, and where links lead."""
    plain = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from (" ".join(one.split()) for one in re.findall(r"`([^`]+)`", plain))
    yield from re.findall(r"\]\(([^)]+)\)", plain)


@pytest.mark.parametrize("path", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=str)
def test_every_link_leads_to_a_file(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_nobody_is_sent_to_an_index_for_batcher() -> None:
    """The name is another project's there, which would be installed beside the user's keys."""
    files = list(ROOT.glob("*.md"))
    for folder in ("batcher", "docs", "jobs"):
        files += [path for path in (ROOT / folder).rglob("*.*") if path.suffix in _TEXTS]
    sent = re.compile(r"batcher\[[a-z]+\]|pip3? install[^\n`]*[ '\"](?<!checkout of )batcher\b")
    assert [path for path in files if sent.search(path.read_text("utf-8"))] == []


def test_every_class_of_error_and_every_exit_code_is_explained() -> None:
    text = (ROOT / "docs" / "errors.md").read_text("utf-8")
    assert [name for name in ErrorClass if f"`{name}`" not in text] == []
    codes = {error.exit_code for error in _leaves(BatcherError)}
    assert {code for code in codes if f"| {code} |" not in text} == set()


def _leaves(error: type[BatcherError]) -> set[type[BatcherError]]:
    return {error}.union(*map(_leaves, error.__subclasses__()))


def test_the_job_file_of_the_documents_has_every_key_and_loads(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "job-file.md").read_text("utf-8")
    block = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert block is not None
    (tmp_path / "job.toml").write_text(block[1], "utf-8")
    (tmp_path / "prompt.j2").write_text("{{review}}")
    (tmp_path / "label.schema.json").write_text("{}")
    job = load_job(tmp_path / "job.toml", {})
    given = msgspec.toml.decode(block[1])
    for table, value in msgspec.to_builtins(job).items():
        assert table in given
        if isinstance(value, dict) and table != "parameters":
            # Neither goes with a schema; they stand there as comments or apart.
            assert given[table].keys() == value.keys() - {"fields", "tools_column"}
    assert replace(job.limits, rpm=None, tpm=None) == JobSpec().limits
