"""Send every row of a prompt file through a language model, once, and keep every answer.

    import batcher
    result = batcher.run("prompts.jsonl", model="glm-4.5-air")

docs/python.md tells of it. Each name is loaded when it is first used: `import batcher` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from batcher.api.merging import merge
    from batcher.api.options import Options
    from batcher.api.result import Result
    from batcher.api.running import Input, arun, run
    from batcher.api.secret import Secret
    from batcher.errors import (
        BatcherError,
        ConfigurationError,
        CredentialsError,
        DiskFullError,
        InputError,
        LockedError,
        OutputError,
        RowsPendingError,
        StorageError,
        UsageError,
    )
    from batcher.simulator import SimulatorConfig

__all__ = [
    "BatcherError",
    "ConfigurationError",
    "CredentialsError",
    "DiskFullError",
    "Input",
    "InputError",
    "LockedError",
    "Options",
    "OutputError",
    "Result",
    "RowsPendingError",
    "Secret",
    "SimulatorConfig",
    "StorageError",
    "UsageError",
    "arun",
    "merge",
    "run",
]

_HOMES = {name: "batcher.errors" for name in __all__ if name.endswith("Error")} | {
    "Input": "batcher.api.running",
    "Options": "batcher.api.options",
    "Result": "batcher.api.result",
    "Secret": "batcher.api.secret",
    "SimulatorConfig": "batcher.simulator",
    "arun": "batcher.api.running",
    "merge": "batcher.api.merging",
    "run": "batcher.api.running",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 # functions, classes
    if name not in _HOMES:
        raise AttributeError(f"module 'batcher' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
