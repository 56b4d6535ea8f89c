"""What a run ended with, put at a URL; the disk of this machine stands for a store."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from batcher.errors import ConfigurationError, OutputError, StorageError, UsageError
from batcher.job import OutputSpec
from batcher.limits import Flow
from batcher.observe import Tally
from batcher.runs.delivery import Delivery, beside, target_of
from batcher.runs.export import export_run, vote_run
from batcher.runs.selection import Portion
from batcher.runs.shard import Shard
from tests.simulated import Place, Silent


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Return a folder that a URL names; it does not exist yet."""
    return tmp_path / "there"


@pytest.fixture
def delivery(there: Path) -> Delivery:
    return Delivery.to(f"file://{there}")


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_files_are_put_there_and_what_is_there_is_known(
    delivery: Delivery, there: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"1")
    known = delivery.put(tmp_path, ["a"])
    assert (there / "a").read_bytes() == b"1"
    inode = (there / "a").stat().st_ino
    assert delivery.put(tmp_path, ["a"], known) == known
    assert (there / "a").stat().st_ino == inode


@pytest.mark.parametrize("changed", ["here", "there"])
def test_a_file_that_changed_is_put_there_again(
    changed: str, delivery: Delivery, there: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"1")
    known = delivery.put(tmp_path, ["a"])
    (tmp_path / "a" if changed == "here" else there / "a").write_bytes(b"22")
    delivery.put(tmp_path, ["a"], known)
    assert (there / "a").read_bytes() == (tmp_path / "a").read_bytes()


def test_what_fails_leaves_those_behind_it_as_they_were(
    delivery: Delivery, there: Path, tmp_path: Path
) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(b"new")
    (there / "b").mkdir(parents=True)
    (there / "c").write_bytes(b"old")
    with pytest.raises(StorageError, match=r"cannot write file://.*/there/b: "):
        delivery.put(tmp_path, ["a", "b", "c"])
    assert ((there / "a").read_bytes(), (there / "c").read_bytes()) == (b"new", b"old")


def test_what_is_on_its_way_is_gone_afterwards(tmp_path: Path) -> None:
    with contextlib.suppress(ZeroDivisionError), beside(tmp_path) as made:
        (made / "a").write_bytes(b"1")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_target_is_a_path_a_url_or_nothing(there: Path) -> None:
    assert target_of(None) is None
    assert target_of("out") == Path("out")
    assert target_of(f"file://{there}") == Delivery.to(f"file://{there}")
    with pytest.raises(UsageError, match="want of a slash"):
        target_of("s3:/feed/x")


def test_an_export_replaces_the_partitions_of_an_earlier_one(
    place: Place, delivery: Delivery, there: Path
) -> None:
    place.run()
    export_run(place.directory, delivery, "jsonl", 3)
    (there / "mine.txt").write_bytes(b"stays")
    exported = export_run(place.directory, delivery, "jsonl", 8)
    assert exported.results_path == Path("results-*-of-00002.jsonl")
    assert names(there) == [
        "errors-00000-of-00001.jsonl",
        "mine.txt",
        "results-00000-of-00002.jsonl",
        "results-00001-of-00002.jsonl",
    ]
    assert not [path for path in place.directory.path.iterdir() if path.name.startswith(".export")]


def test_a_card_keeps_what_its_user_added(place: Place, delivery: Delivery, there: Path) -> None:
    place.run()
    export_run(place.directory, delivery, "hf")
    card = there / "README.md"
    card.write_text(card.read_text().replace("---\n", "---\nlicense: mit\n", 1))
    export_run(place.directory, delivery, "hf")
    assert "license: mit\n" in card.read_text()


def test_data_without_a_card_is_not_ours(place: Place, delivery: Delivery, there: Path) -> None:
    place.run()
    (there / "data").mkdir(parents=True)
    (there / "data" / "train-00000-of-00001.parquet").write_bytes(b"")
    with pytest.raises(OutputError, match=r"is there but no README\.md"):
        export_run(place.directory, delivery, "hf")


def test_votes_go_there_too(place: Place, delivery: Delivery, there: Path) -> None:
    place.run(place.job(sampling={"samples": 2}))
    voted = vote_run(place.directory, delivery, "jsonl")
    assert (voted.path, names(there)) == (Path("votes.jsonl"), ["votes.jsonl"])


def test_an_export_never_writes_over_its_input(place: Place, tmp_path: Path) -> None:
    given = tmp_path / "results.jsonl"
    place.input.rename(given)
    output = {"directory": str(place.directory.path)}
    place.run(place.job(input=[str(given)], output=output))
    with pytest.raises(OutputError, match="is the input and would be overwritten"):
        export_run(place.directory, Delivery.to(f"file://{tmp_path}"), "jsonl")


def test_a_run_puts_its_files_there(place: Place, there: Path) -> None:
    result = place.run(place.job(output={"to": f"file://{there}"}))
    assert result.exit_code(OutputSpec()) == 0
    assert names(there) == ["errors.parquet", "report.html", "results.parquet"]
    assert f"  to        file://{there}" in list(result.summary.lines())


@pytest.mark.parametrize("given", ["", "**"])
def test_results_that_would_be_rows_of_the_next_run_are_refused_before_the_first_call(
    given: str, place: Place
) -> None:
    folder = place.input.parent
    output = {"to": f"file://{folder}/answers", "directory": str(place.directory.path)}
    with pytest.raises(OutputError, match=r"/answers is within the input .*beside it with --to"):
        place.run(place.job(input=[str(place.input), str(folder / given)], output=output))
    assert place.ledger() == []


def test_a_file_is_no_place_for_results(place: Place, there: Path) -> None:
    there.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"/there is a file; name a folder"):
        place.run(place.job(output={"to": f"file://{there}"}))
    assert (place.ledger(), there.read_bytes()) == ([], b"mine")


@pytest.mark.parametrize("shard", [None, Shard(1, 2)])
def test_where_nothing_can_be_written_is_found_before_the_first_call(
    shard: Shard | None, place: Place, there: Path
) -> None:
    """Also by the user whom no permission of a folder holds back."""
    there.write_bytes(b"a file above it")
    url = f"file://{there}/out"
    output = {"to": url, "directory": str(place.directory.path)}
    session = replace(place.session(place.job(output=output)), portion=Portion(shard=shard))
    with pytest.raises(OutputError) as refused:
        session.run()
    assert f"cannot write {url}{'/1-of-2' if shard else ''}/.batcher-trial-" in str(refused.value)
    assert "name another place with --to; or leave --to out" in str(refused.value)
    assert place.ledger() == []
    # The same command goes on once it can.
    there.unlink()
    assert session.run().exit_code(OutputSpec()) == 0


def test_a_run_that_is_refused_for_something_else_writes_nothing_there(
    place: Place, there: Path
) -> None:
    place.run()
    job = place.job(output={"to": f"file://{there}"}, parameters={"temperature": 0.1})
    with pytest.raises(ConfigurationError):
        place.run(job, consent=False)
    assert not there.exists()


def test_a_run_whose_files_cannot_be_put_there_says_how_to_do_it_later(
    place: Place, there: Path
) -> None:
    class Meanwhile(Silent):
        def started(self, tally: Tally, flow: Callable[[], Flow]) -> None:
            del tally, flow
            there.rmdir()
            there.write_bytes(b"no folder")

    session = place.session(place.job(output={"to": f"file://{there}"}))
    result = replace(session, watcher=Meanwhile()).run()
    assert result.exit_code(OutputSpec()) == 74
    said = "\n".join(result.summary.lines())
    assert f"cannot write file://{there}/errors.parquet: " in said
    assert f"`batcher export {place.directory.path} --to file://{there}`" in said
    assert place.directory.results.exists()
    there.unlink()
    again = place.run(place.job(output={"to": f"file://{there}"}))
    assert again.exit_code(OutputSpec()) == 0
    assert len(place.ledger()) == 10
