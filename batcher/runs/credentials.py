"""Whom to call: the address and the keys, from the environment, a .env file, or a key file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dotenv import dotenv_values

from batcher.errors import CredentialsError
from batcher.job import JobSpec, ProviderSpec, check_base_url
from batcher.providers import (
    Auth,
    Bearer,
    Provider,
    SignedToken,
    check_key,
    provider_named,
    restricted_base,
)
from batcher.runs.calling import Callee
from batcher.simulator import SIMULATED_KEY, SIMULATED_MODEL, SimulatorConfig

KEY_FILE = "name a file with --api-key-file (never pass a key as an argument)"
"""The way to give a key that the command line has; Python has another."""


def environment() -> dict[str, str]:
    """Return the variables of `.env` in the working directory, below those of the process.

    An empty variable counts as not set.
    """
    layers = (dotenv_values(".env"), os.environ)
    return {name: value for layer in layers for name, value in layer.items() if value}


def provider_of(spec: ProviderSpec, variables: Mapping[str, str]) -> Provider:
    """Return the job's provider: at the job's address, else the environment's, else its own.

    Raises:
        ConfigurationError: the address of the environment may hold a secret; it is not shown.
    """
    provider = provider_named(spec.name, spec.base_url)
    for name in () if spec.base_url else provider.base_url_variables:
        if given := variables.get(name):
            check_base_url(given, name)
            return provider_named(spec.name, given)
    return provider


def real_callee(
    spec: ProviderSpec,
    variables: Mapping[str, str],
    warn: Callable[[str], None],
    keys: Sequence[str] | None = None,
) -> Callee:
    """Return the provider of the job, with its keys.

    They are the given ones, else those of the key file, else of `..._API_KEYS`, else the one of
    `..._API_KEY`. `warn` is told of an address that is not meant for bulk work.

    Raises:
        CredentialsError: there is no key, one is malformed, or one is there twice; the message
            never shows it.
    """
    provider = provider_of(spec, variables)
    if restricted_base(provider.base_url):
        warn(
            f"Warning: {provider.base_url} is the coding plan's address, which the provider "
            "restricts to listed tools; bulk work there may cost you the plan."
        )
    found = _keys(spec, provider, variables) if keys is None else keys
    return Callee(provider, _signing_in(spec, _checked(found, spec)))


def simulated_job(job: JobSpec) -> JobSpec:
    """Return the job as the simulator takes it: with some model, where it names none."""
    return job.with_model(job.provider.model or SIMULATED_MODEL)


def simulated_callee(spec: ProviderSpec, config: SimulatorConfig) -> Callee:
    """Return the simulator in the place of the job's provider; no key is read."""
    return Callee(provider_named(spec.name), _signing_in(spec, [SIMULATED_KEY]), config)


def _signing_in(spec: ProviderSpec, keys: Sequence[str]) -> tuple[Auth, ...]:
    kind = SignedToken if spec.auth == "jwt" else Bearer
    return tuple(kind(key, *keys) for key in keys)


def _keys(spec: ProviderSpec, provider: Provider, variables: Mapping[str, str]) -> list[str]:
    """Return the keys as they were given."""
    if spec.api_key_file is not None:
        return _keys_of_file(Path(spec.api_key_file))
    for name in provider.key_variables:
        if several := variables.get(f"{name}S"):
            return [key.strip(" ") for key in several.split(",")]
    for name in provider.key_variables:
        if one := variables.get(name):
            return [one]
    raise CredentialsError(
        f"no API key: set {' or '.join(provider.key_variables)} in the environment or in .env "
        f"(with an S behind its name it takes several keys, separated by commas), or {KEY_FILE}"
    )


def _keys_of_file(path: Path) -> list[str]:
    """Return the keys of a file: one a line, blank lines and # comments aside."""
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CredentialsError(f"cannot read the key file {path}: {reason}") from None
    # The end of a line is no part of a key, on whatever system the file was made.
    keys = [line.rstrip("\r") for line in lines if line.strip() and not line.startswith("#")]
    if not keys:
        raise CredentialsError(f"the key file {path} holds no API key; write one into it")
    return keys


def _checked(keys: Sequence[str], spec: ProviderSpec) -> Sequence[str]:
    """Return keys that can be ones, each once; of several, the message says which is not."""
    for at, key in enumerate(keys):
        which = f"API key {at + 1} of {len(keys)}"
        try:
            check_key(key, spec.auth)
        except CredentialsError as error:
            raise CredentialsError(f"{which}: {error}" if len(keys) > 1 else str(error)) from None
        if key in keys[:at]:
            raise CredentialsError(
                f"{which} is the same as key {keys.index(key) + 1}; an account's limits do not "
                "grow by giving its key twice, so leave one out"
            )
    return keys
