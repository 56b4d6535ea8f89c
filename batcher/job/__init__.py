"""What a run is to do: a TOML file and flags become one frozen, validated `JobSpec`."""

from batcher.job.loading import load_job
from batcher.job.places import PLACES, tables_of
from batcher.job.spec import (
    EVERY_MODEL,
    RESERVED_PARAMETERS,
    CeilingSpec,
    JobSpec,
    LimitSpec,
    OutputSpec,
    PriceSpec,
    PromptSpec,
    ProviderSpec,
)

__all__ = [
    "EVERY_MODEL",
    "PLACES",
    "RESERVED_PARAMETERS",
    "CeilingSpec",
    "JobSpec",
    "LimitSpec",
    "OutputSpec",
    "PriceSpec",
    "PromptSpec",
    "ProviderSpec",
    "load_job",
    "tables_of",
]
