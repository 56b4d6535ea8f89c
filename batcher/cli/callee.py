"""Whom to call: the address and the key, from the environment, a .env file, or a key file."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path

import click
from dotenv import dotenv_values

from batcher.errors import CredentialsError
from batcher.job import ProviderSpec
from batcher.providers import (
    Auth,
    Bearer,
    Provider,
    SignedToken,
    check_key,
    provider_named,
    restricted_base,
)
from batcher.run import Callee
from batcher.simulator import SIMULATED_KEY, SimulatorConfig


def environment() -> dict[str, str]:
    """Return the variables of `.env` in the working directory, below those of the process."""
    known = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    return known | dict(os.environ)


def real_callee(spec: ProviderSpec, variables: Mapping[str, str]) -> Callee:
    """Return the provider of the job, with its address and its key.

    The address is the job's, else the environment's, else the provider's own.

    Raises:
        CredentialsError: there is no key, or it is malformed; the message never shows it.
    """
    named = provider_named(spec.name)
    given = (variables.get(name) for name in named.base_url_variables)
    provider = provider_named(spec.name, spec.base_url or next(filter(None, given), None))
    if restricted_base(provider.base_url):
        click.echo(
            f"Warning: {provider.base_url} is the coding plan's address, which the provider "
            "restricts to listed tools; bulk work there may cost you the plan.",
            err=True,
        )
    _forbid_core_files()
    key = check_key(_key(spec, provider, variables), spec.auth)
    return Callee(provider, (_signing_in(spec, key),))


def simulated_callee(spec: ProviderSpec, config: SimulatorConfig) -> Callee:
    """Return the simulator in the place of the job's provider; no key is read."""
    return Callee(provider_named(spec.name), (_signing_in(spec, SIMULATED_KEY),), config)


def _signing_in(spec: ProviderSpec, key: str) -> Auth:
    return SignedToken(key) if spec.auth == "jwt" else Bearer(key)


def _forbid_core_files() -> None:
    """Let no crash write this process's memory, and with it the key, to a file."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    # One byte, since a limit of none still feeds a core_pattern that is a pipe (core(5)).
    resource.setrlimit(resource.RLIMIT_CORE, (0 if most == 0 else 1, most))


def _key(spec: ProviderSpec, provider: Provider, variables: Mapping[str, str]) -> str:
    if spec.api_key_file is not None:
        try:
            # A file made by an editor or `echo` ends in a newline; that is not part of the key.
            return Path(spec.api_key_file).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise CredentialsError(
                f"cannot read the key file {spec.api_key_file}: {reason}"
            ) from None
    for name in provider.key_variables:
        if variables.get(name):
            return variables[name]
    raise CredentialsError(
        f"no API key: set {' or '.join(provider.key_variables)} in the environment or in .env, "
        "or name a file with --api-key-file (never pass a key as an argument)"
    )
