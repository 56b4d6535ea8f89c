"""Settings outside of a job file, and their places within."""

from __future__ import annotations

from batcher.job import PLACES, JobSpec, load_job, tables_of
from batcher.job.spec import TABLES


def test_each_key_of_each_table_has_a_name_of_its_own() -> None:
    """Two tables with a key of the same name would need a rule for which is meant."""
    keys = [(table, key) for table, kind in TABLES.items() for key in kind.__struct_fields__]
    assert sorted(PLACES.values()) == sorted(keys)
    assert PLACES["output"] == ("output", "directory")
    assert PLACES["provider"] == ("provider", "name")


def test_settings_stand_in_their_tables_and_none_sets_nothing() -> None:
    tables = tables_of({"model": "glm-4.7", "rpm": 60, "output": None, "yes": True})
    assert tables == {"provider": {"model": "glm-4.7"}, "limits": {"rpm": 60}}
    assert load_job(None, tables_of({})) == JobSpec()
