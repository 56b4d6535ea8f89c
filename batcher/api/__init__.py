"""The Python API: `batcher.run`, `batcher.arun` and `batcher.merge`, as on the command line.

Names are those of `batcher` itself; here nothing is loaded that its users may not need.
"""
