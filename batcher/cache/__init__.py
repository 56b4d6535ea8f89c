"""Answers kept across runs: a SQLite file that several runs may use at once.

A cache holds copies only. So it is never synced beyond what SQLite does by itself, an entry that is
damaged is as good as none, and a cache that fails costs the run nothing but its answers.
"""

from batcher.cache.answers import Cache

__all__ = ["Cache"]
