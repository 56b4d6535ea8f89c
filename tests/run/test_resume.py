"""What a changed job or input leaves to do."""

from __future__ import annotations

from batcher.run.resume import Change
from tests.simulated import Place


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
