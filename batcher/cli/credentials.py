"""Where the key and the address come from: the environment, a .env file, or a key file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from batcher.errors import CredentialsError
from batcher.job import ProviderSpec
from batcher.providers import Auth, Bearer, Provider, SignedToken, check_key, provider_named


def environment() -> dict[str, str]:
    """Return the variables of `.env` in the working directory, below those of the process."""
    known = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    return known | dict(os.environ)


def provider_of(spec: ProviderSpec, variables: Mapping[str, str]) -> Provider:
    """Return the provider with its address: the job's, else the environment's, else its own."""
    named = provider_named(spec.name)
    given = (variables.get(name) for name in named.base_url_variables)
    base_url = spec.base_url or next(filter(None, given), None)
    return provider_named(spec.name, base_url)


def auth_of(spec: ProviderSpec, provider: Provider, variables: Mapping[str, str]) -> Auth:
    """Return the sign-in of the job.

    Raises:
        CredentialsError: there is no key, or it is malformed; the message never shows it.
    """
    key = check_key(_key(spec, provider, variables), spec.auth)
    return SignedToken(key) if spec.auth == "jwt" else Bearer(key)


def _key(spec: ProviderSpec, provider: Provider, variables: Mapping[str, str]) -> str:
    if spec.api_key_file is not None:
        try:
            # A file made by an editor or `echo` ends in a newline; that is not part of the key.
            return Path(spec.api_key_file).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise CredentialsError(
                f"cannot read the key file {spec.api_key_file}: {error}"
            ) from None
    for name in provider.key_variables:
        if name in variables:
            return variables[name]
    raise CredentialsError(
        f"no API key: set {' or '.join(provider.key_variables)} in the environment or in .env, "
        "or name a file with --api-key-file (never pass a key as an argument)"
    )
