"""Answers that hold a value: what the job wants, how a model is told, and what it said.

    [output] schema or fields -> Structure        text of an answer -> Structure.read -> JSON text

A `Structure` knows no provider and no file; each column of its values has a `Kind`.
"""

from batcher.structured.kinds import Kind, ListOf, Plain, StructOf
from batcher.structured.reading import InvalidAnswerError
from batcher.structured.structure import AnswerFormat, Structure

__all__ = [
    "AnswerFormat",
    "InvalidAnswerError",
    "Kind",
    "ListOf",
    "Plain",
    "StructOf",
    "Structure",
]
