"""The messages that were sent for some rows, rendered once more from the input."""

from __future__ import annotations

from batcher.checkpoint import CheckpointReader
from batcher.runs.messages import Messages
from batcher.runs.stopping import go_on
from tests.simulated import Place


def _messages(place: Place, *rows: int, most: int = 1000) -> Messages:
    with CheckpointReader.read(place.directory.checkpoint) as checkpoint:
        outcomes = [one for one in checkpoint.outcomes() if one.row in rows]
        return Messages.of(checkpoint, outcomes, go_on, most)


def test_they_are_those_of_the_wanted_rows_alone(place: Place) -> None:
    place.run()
    found = _messages(place, 2, 7)
    assert found.missing is None
    assert found.by_row == {row: [{"role": "user", "content": f"Say {row}."}] for row in (2, 7)}


def test_those_of_a_template_and_of_each_sample_are_the_ones_that_were_sent(place: Place) -> None:
    job = place.job(
        prompt={"template": "{{ prompt }} Loudly.", "system_template": "You speak."},
        sampling={"samples": 2},
        parameters={"temperature": 1.0},
    )
    place.run(job)
    found = _messages(place, 6, 7, 8)
    assert sorted(found.by_row) == [6, 7, 8]
    assert found.by_row[7] == found.by_row[6] != found.by_row[8]
    assert found.by_row[6] == [
        {"role": "system", "content": "You speak."},
        {"role": "user", "content": "Say 3. Loudly."},
    ]


def test_rows_far_apart_are_read_from_the_places_next_to_them(place: Place) -> None:
    place.write({"id": f"id-{n}", "prompt": f"Say {n}."} for n in range(9000))
    place.run(place.job(limits={"concurrency": 64}))
    assert sorted(_messages(place, 5, 8999, most=4096).by_row) == [5, 8999]


def test_where_too_much_would_have_to_be_read_the_rest_is_left_out(place: Place) -> None:
    place.run()
    found = _messages(place, 2, 7, most=5)
    assert sorted(found.by_row) == [2]
    assert found.missing is not None
    assert "long" in found.missing


def test_of_a_changed_input_there_are_none_and_it_says_why(place: Place) -> None:
    place.run()
    place.write([{"id": "id-2", "prompt": "Something else."}])
    found = _messages(place, 2)
    assert found.by_row == {}
    assert "the input changed since it was run" in str(found.missing)
    place.input.unlink()
    assert "prompts.jsonl" in str(_messages(place, 2).missing)
