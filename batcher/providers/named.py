"""The providers known by name, and their addresses (protocol.md sections 1, 4 and 5)."""

from __future__ import annotations

from dataclasses import replace

from batcher.errors import ConfigurationError
from batcher.limits import ImageRules
from batcher.providers.provider import Provider

# Section 1, vision parts. "URL or base64": with the head of a data: URI older models refuse it
# (QuantumNous/new-api#136), without it all of them take it.
_IMAGES_OF_GLM = ImageRules(
    types=("image/png", "image/jpeg"),
    max_bytes=5 * 1024 * 1024,
    max_side=6000,
    as_data_uri=False,
)

_PROVIDERS = (
    # https://docs.bigmodel.cn/api-reference
    Provider(
        name="glm",
        base_url="https://open.bigmodel.cn/api/paas/v4",
        base_url_variables=("ZHIPUAI_BASE_URL",),
        key_variables=("ZHIPUAI_API_KEY",),
        sends_request_id=True,
        images=_IMAGES_OF_GLM,
        has_tokenizer=True,
    ),
    # https://docs.z.ai/api-reference
    Provider(
        name="zai",
        base_url="https://api.z.ai/api/paas/v4",
        base_url_variables=("ZAI_BASE_URL",),
        key_variables=("ZAI_API_KEY",),
        sends_request_id=True,
        images=_IMAGES_OF_GLM,
        has_tokenizer=True,
    ),
    # https://platform.openai.com/docs/api-reference/chat; images by .../docs/guides/images-vision:
    # png, jpeg, webp or gif, at most 50 MB in a request.
    Provider(
        name="openai",
        base_url="https://api.openai.com/v1",
        base_url_variables=("OPENAI_BASE_URL",),
        key_variables=("OPENAI_API_KEY",),
        asks_for_usage=True,
        takes_schema=True,
        shows_schema=True,
    ),
    # https://api-docs.deepseek.com/api/create-chat-completion
    Provider(
        name="deepseek",
        base_url="https://api.deepseek.com",
        base_url_variables=("DEEPSEEK_BASE_URL",),
        key_variables=("DEEPSEEK_API_KEY",),
        asks_for_usage=True,
    ),
)


def provider_named(name: str, base_url: str | None = None) -> Provider:
    """Return the provider `name`, at `base_url` if one is given, else at its own address.

    Elsewhere a server may keep the model to a schema without showing it, as vLLM does, or ignore
    it: so the model is told of it as well.

    Raises:
        ConfigurationError: no provider has this name.
    """
    for provider in _PROVIDERS:
        if provider.name == name:
            if base_url in (None, "", provider.base_url):
                return provider
            return replace(provider, base_url=base_url, shows_schema=False)
    known = ", ".join(provider.name for provider in _PROVIDERS)
    raise ConfigurationError(f"no provider is named {name!r}; known: {known}")


def restricted_base(base_url: str) -> bool:
    """Whether this is the coding plan's address, closed to bulk work (section 1)."""
    return "/api/coding/" in f"{base_url}/"
