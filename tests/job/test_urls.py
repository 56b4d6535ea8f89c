"""Places of a job, of which test_loading.py reads whole jobs."""

import pytest

from batcher.errors import ConfigurationError, UsageError
from batcher.job import JobSpec
from batcher.job.spec import OutputSpec
from batcher.job.urls import check_base_url, check_copies, check_urls


def test_a_run_directory_at_a_url_is_refused_with_the_way() -> None:
    with pytest.raises(UsageError, match=r"-o DIR, and .* --to s3://bucket/x"):
        check_urls(JobSpec(), {"output": {"directory": "s3://bucket/x"}}, "job")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://someone:s3cret@example.com", "user name or password"),
        ("https://s3cret@example.com:port", "user name or password"),
        ("ftp://someone:s3cret@example.com/?token=s3cret", "user name or password"),
        ("https://example.com/v4?token=s3cret", "end with its path"),
        ("https://example.com/v4?s3cret", "end with its path"),
        ("https://example.com/v4#s3cret", "end with its path"),
        ("example.com?s3cret", "end with its path"),
        ("https://example.com/v4?", "end with its path"),
    ],
)
def test_an_address_that_may_hold_a_secret_is_refused_unshown(address: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^job: --base-url must .*{said}") as refused:
        check_base_url(address, "job: --base-url")
    assert "s3cret" not in str(refused.value)
    assert "example" not in str(refused.value)


@pytest.mark.parametrize("address", ["", "https://example.com/v4/", "http://[::1]:8000/v1;x=1"])
def test_an_address_that_ends_with_its_path_is_fine(address: str) -> None:
    check_base_url(address, "job: --base-url")


def test_copies_pause_at_least_a_second() -> None:
    output = OutputSpec(sync_checkpoint="s3://bucket/x", sync_every="0s")
    with pytest.raises(ConfigurationError, match="at least 1s"):
        check_copies(JobSpec(output=output), "job")


def test_results_go_to_a_url_that_can_be_written_to() -> None:
    check_urls(JobSpec(output=OutputSpec(to="s3://bucket/x")), {}, "job")
    with pytest.raises(ConfigurationError, match=r"nothing can be written to https://"):
        check_urls(JobSpec(output=OutputSpec(to="https://host/x")), {}, "job")
