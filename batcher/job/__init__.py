"""What a run is to do: a TOML file and flags become one frozen, validated `JobSpec`."""

from batcher.job.loading import load_job
from batcher.job.spec import (
    EVERY_MODEL,
    RESERVED_PARAMETERS,
    SAMPLES,
    CeilingSpec,
    JobSpec,
    LimitSpec,
    OutputSpec,
    PriceSpec,
    PromptSpec,
    ProviderSpec,
    SamplingSpec,
)

__all__ = [
    "EVERY_MODEL",
    "RESERVED_PARAMETERS",
    "SAMPLES",
    "CeilingSpec",
    "JobSpec",
    "LimitSpec",
    "OutputSpec",
    "PriceSpec",
    "PromptSpec",
    "ProviderSpec",
    "SamplingSpec",
    "load_job",
]
