"""Whom a command calls."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from functools import partial

import click

from batcher.job import ProviderSpec
from batcher.runs import credentials
from batcher.runs.calling import Callee


def real_callee(spec: ProviderSpec, variables: Mapping[str, str]) -> Callee:
    """See `credentials.real_callee`; warnings go to stderr, and the keys into no core file.

    Raises:
        CredentialsError: see there.
    """
    _forbid_core_files()
    return credentials.real_callee(spec, variables, partial(click.echo, err=True))


def _forbid_core_files() -> None:
    """Let no crash write this process's memory, and with it the key, to a file."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    # One byte, since a limit of none still feeds a core_pattern that is a pipe (core(5)).
    resource.setrlimit(resource.RLIMIT_CORE, (0 if most == 0 else 1, most))
