"""The Python API: `batcher.run` and `batcher.arun`, the same engine as the command line's."""

from batcher.api.options import Options
from batcher.api.result import Result
from batcher.api.running import Input, arun, run
from batcher.api.secret import Secret

__all__ = ["Input", "Options", "Result", "Secret", "arun", "run"]
