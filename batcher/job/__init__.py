"""What a run is to do: a TOML file and flags become one frozen, validated `JobSpec`."""

from batcher.job.alerts import AlertsSpec, Shape, WebhookSpec
from batcher.job.loading import job_with, load_job, plain_job
from batcher.job.parameters import KNOWN_PARAMETERS, misspelt
from batcher.job.places import PLACES, tables_of
from batcher.job.spec import (
    ANY_FOLDER,
    EVERY_MODEL,
    RESERVED_PARAMETERS,
    SAMPLES,
    CeilingSpec,
    JobSpec,
    LimitSpec,
    ObserveSpec,
    OutputSpec,
    PriceSpec,
    PromptSpec,
    ProviderSpec,
    ReuseSpec,
    SamplingSpec,
)
from batcher.job.tools import fault_of_tools
from batcher.job.urls import check_base_url

__all__ = [
    "ANY_FOLDER",
    "EVERY_MODEL",
    "KNOWN_PARAMETERS",
    "PLACES",
    "RESERVED_PARAMETERS",
    "SAMPLES",
    "AlertsSpec",
    "CeilingSpec",
    "JobSpec",
    "LimitSpec",
    "ObserveSpec",
    "OutputSpec",
    "PriceSpec",
    "PromptSpec",
    "ProviderSpec",
    "ReuseSpec",
    "SamplingSpec",
    "Shape",
    "WebhookSpec",
    "check_base_url",
    "fault_of_tools",
    "job_with",
    "load_job",
    "misspelt",
    "plain_job",
    "tables_of",
]
