"""Where calls are made. `local` makes them in this process."""

from batcher.executors.local import LocalExecutor

__all__ = ["LocalExecutor"]
