"""Places of a job, of which test_loading.py reads whole jobs."""

import pytest

from batcher.errors import ConfigurationError, UsageError
from batcher.job import JobSpec
from batcher.job.spec import OutputSpec
from batcher.job.urls import check_copies, check_urls


def test_a_run_directory_at_a_url_is_refused_with_the_way() -> None:
    with pytest.raises(UsageError, match=r"-o DIR --to s3://bucket/x"):
        check_urls(JobSpec(), {"output": {"directory": "s3://bucket/x"}}, "job")


def test_copies_pause_at_least_a_second() -> None:
    output = OutputSpec(sync_checkpoint="s3://bucket/x", sync_every="0s")
    with pytest.raises(ConfigurationError, match="at least 1s"):
        check_copies(JobSpec(output=output), "job")


def test_results_go_to_a_url_that_can_be_written_to() -> None:
    check_urls(JobSpec(output=OutputSpec(to="s3://bucket/x")), {}, "job")
    with pytest.raises(ConfigurationError, match=r"nothing can be written to https://"):
        check_urls(JobSpec(output=OutputSpec(to="https://host/x")), {}, "job")
