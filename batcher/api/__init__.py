"""The Python API: `batcher.run`, `batcher.arun` and `batcher.merge`, as on the command line."""

from batcher.api.merging import merge
from batcher.api.options import Options
from batcher.api.result import Result
from batcher.api.running import Input, arun, run
from batcher.api.secret import Secret

__all__ = ["Input", "Options", "Result", "Secret", "arun", "merge", "run"]
