"""What a changed job or input leaves to do."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from batcher.checkpoint import Checkpoint
from batcher.errors import ConfigurationError, StorageError
from batcher.job import JobSpec, PriceSpec
from batcher.providers import Pricing
from batcher.records import Unanswered
from batcher.runs.resume import Change, agree_on_prices
from tests.simulated import Place


def _price(checkpoint: Checkpoint, provider: str, **prices: PriceSpec) -> None:
    agree_on_prices(checkpoint, Pricing.of(provider, prices))


OWN = PriceSpec(input=1, output=1, currency="USD")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Iterator[Checkpoint]:
    with Checkpoint.open(tmp_path / "checkpoint.db") as opened:
        yield opened


@pytest.mark.parametrize(
    ("provider", "prices", "currency", "priced_by"),
    [
        ("glm", {}, "CNY", "2026-07-01"),
        ("zai", {}, "USD", "2026-07-01"),
        ("zai", {"m": OWN}, "USD", "the job and of 2026-07-01"),
        ("openai", {"m": OWN}, "USD", "the job"),
        ("glm", {"m": OWN}, "USD", "the job"),
        ("openai", {}, None, None),
    ],
)
def test_a_run_remembers_its_currency_and_whose_prices_it_counts_by(
    checkpoint: Checkpoint,
    provider: str,
    prices: dict[str, PriceSpec],
    currency: str | None,
    priced_by: str | None,
) -> None:
    _price(checkpoint, provider, **prices)
    counts = checkpoint.counts()
    assert (counts.currency, counts.priced_by) == (currency, priced_by)


def test_costs_in_two_currencies_are_refused_once_there_is_a_cost(checkpoint: Checkpoint) -> None:
    _price(checkpoint, "glm")
    _price(checkpoint, "zai")
    assert checkpoint.counts().currency == "USD"
    checkpoint.write([], unanswered=[Unanswered("key", 5)])
    with pytest.raises(ConfigurationError, match=r"in USD, this run would in CNY: set its prices"):
        _price(checkpoint, "glm")
    _price(checkpoint, "glm", m=OWN)
    _price(checkpoint, "deepseek")
    assert checkpoint.counts().currency == "USD"


def _texts(asked: list[Change]) -> str:
    return "\n".join(change.text for change in asked)


def test_touched_files_with_the_same_rows_are_not_worth_a_word(place: Place) -> None:
    place.run()
    place.input.touch()
    place.run()
    assert place.asked == []
    assert len(place.ledger()) == 10


def test_each_changed_setting_is_named_with_both_its_values(place: Place) -> None:
    place.run()
    job = place.job(parameters={"top_p": 0.5}, prompt={"template": "Please: {{prompt}}" + "!" * 99})
    place.run(job)
    text = _texts(place.asked)
    assert "parameters.top_p: None -> 0.5" in text
    assert "prompt.template: None -> 'Please: {{prompt}}!!!" in text
    assert "..." in text
    assert "10 rows to be called; 0 rows with answer or error kept" in text
    assert "10 recorded answers without a row any more" in text


def test_rows_in_another_order_keep_their_answers(place: Place) -> None:
    place.run()
    answers = {row["id"]: row["response"] for row in place.results()}
    place.write({"id": f"id-{n}", "prompt": f"Say {n}."} for n in reversed(range(10)))
    place.run()
    assert len(place.ledger()) == 10
    assert [row["id"] for row in place.results()] == [f"id-{n}" for n in reversed(range(10))]
    assert {row["id"]: row["response"] for row in place.results()} == answers


def test_a_removed_row_leaves_the_outputs_and_its_answer_is_kept_for_its_return(
    place: Place,
) -> None:
    rows = [{"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(10)]
    place.run()
    place.write(rows[1:])
    place.run()
    assert len(place.results()) == 9
    place.write(rows)
    place.run()
    assert len(place.results()) == 10
    assert len(place.ledger()) == 10


def test_a_corrected_line_is_called_and_no_other(place: Place) -> None:
    place.write([{"id": "a", "prompt": "x"}, "{bad", {"id": "c", "prompt": "z"}])
    place.run()
    place.write(
        [{"id": "a", "prompt": "x"}, {"id": "b", "prompt": "y"}, {"id": "c", "prompt": "z"}]
    )
    place.run()
    assert [entry.prompt for entry in place.ledger()][2:] == ["y"]
    assert (len(place.results()), place.errors()) == (3, [])


@pytest.mark.parametrize("lost", ["fingerprint", "settings", "simulated"])
def test_a_checkpoint_that_lost_some_of_what_it_knows_of_its_run_is_damaged(
    place: Place, lost: str
) -> None:
    """Else its rows would be taken for those of any input."""
    place.write([{"prompt": "Say 0."}])
    place.run(place.job())
    with sqlite3.connect(place.directory.checkpoint) as connection:
        connection.execute("DELETE FROM facts WHERE name = ?", (lost,))
    connection.close()
    with pytest.raises(StorageError, match=f"what it says of the run lacks {lost}"):
        place.run(place.job())


def test_another_schema_is_a_changed_job_and_its_rows_are_asked_again(place: Place) -> None:
    def job(*labels: str) -> JobSpec:
        output = {"directory": str(place.directory.path), "fields": {"label": list(labels)}}
        return place.job(output=output)

    place.run(job("pos", "neg"))
    assert place.run(job("pos", "neg")).summary.tally.attempts == 0
    assert place.asked == []
    again = place.run(job("good", "bad")).summary
    assert "output.fields: {'label': ['pos', 'neg']} -> {'label': ['good', 'bad']}" in (
        place.asked[0].text
    )
    assert again.tally.attempts == 10
    labels = pq.read_table(place.directory.results).column("out.label").to_pylist()
    assert set(labels) <= {"good", "bad"}


class Folder:
    """A directory of input files that grows, and its runs; rows have no id."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.path = place.folder / "in"
        self.path.mkdir()

    def put(self, name: str, *prompts: str) -> None:
        lines = "".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts)
        (self.path / name).write_text(lines, "utf-8")

    def job(self, **flags: Any) -> JobSpec:  # noqa: ANN401 -- tables of a job file
        output = {"directory": str(self.place.directory.path)}
        return self.place.job(input=[str(self.path)], output=output, **flags)

    def run(self, **kwargs: Any) -> list[str]:  # noqa: ANN401 -- those of `session`
        """Return the prompts that this run called."""
        before = len(self.place.ledger())
        self.place.run(self.job(), **kwargs)
        return sorted(entry.prompt for entry in self.place.ledger()[before:])


@pytest.fixture
def folder(place: Place) -> Folder:
    made = Folder(place)
    made.put("2026-11-01.jsonl", "a", "b")
    made.put("2026-11-02.jsonl", "c")
    assert made.run() == ["a", "b", "c"]
    return made


def test_files_behind_the_others_are_called_alone_and_no_row_is_compared(
    folder: Folder,
) -> None:
    folder.put("2026-11-03.jsonl", "d", "e")
    folder.put("2026-11-04.jsonl", "f")
    text = "2 files were added, whose rows are to be called: "
    assert folder.run() == ["d", "e", "f"]
    assert text in folder.place.asked[0].text
    assert not folder.place.asked[0].gives_up
    assert [row["prompt"] for row in folder.place.results()] == list("abcdef")
    assert folder.run() == []


def test_a_file_that_sorts_before_the_others_is_called_alone(folder: Folder) -> None:
    folder.put("2026-10-31.jsonl", "d")
    assert folder.run() == ["d"]
    assert "1 row to be called; 3 rows with answer or error kept" in folder.place.asked[0].text
    assert [row["prompt"] for row in folder.place.results()] == list("dabc")


def test_lines_put_behind_the_others_of_a_file_are_called_alone(folder: Folder) -> None:
    folder.put("2026-11-01.jsonl", "a", "b", "d")
    assert folder.run() == ["d"]
    assert [row["prompt"] for row in folder.place.results()] == list("abdc")


def test_a_job_that_changes_as_files_are_added_is_compared_row_by_row(folder: Folder) -> None:
    folder.put("2026-11-03.jsonl", "d")
    folder.place.run(folder.job(parameters={"temperature": 0.5}))
    text = folder.place.asked[0].text
    assert "parameters.temperature: None -> 0.5" in text
    assert "4 rows to be called; 0 rows with answer or error kept" in text


def test_many_new_files_are_named_by_the_first_of_them(folder: Folder) -> None:
    for day in range(3, 9):
        folder.put(f"2026-11-0{day}.jsonl", str(day))
    folder.run()
    text = folder.place.asked[0].text
    assert "6 files were added" in text
    assert "2026-11-05.jsonl, ..." in text
    assert "2026-11-06" not in text


def test_an_old_file_that_changed_beside_a_new_one_is_compared(folder: Folder) -> None:
    folder.put("2026-11-02.jsonl", "c", "also")
    folder.put("2026-11-03.jsonl", "d")
    assert folder.run() == ["also", "d"]
    assert "2 rows to be called; 3 rows with answer or error kept" in folder.place.asked[0].text


def test_a_file_that_comes_back_behind_the_others_has_its_answers_back(folder: Folder) -> None:
    gone = folder.path / "2026-11-02.jsonl"
    text = gone.read_text("utf-8")
    gone.unlink()
    assert folder.run() == []
    gone.write_text(text, "utf-8")
    folder.put("2026-11-03.jsonl", "d")
    assert folder.run() == ["d"]
    assert [row["prompt"] for row in folder.place.results()] == list("abcd")
