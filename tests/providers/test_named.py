"""The providers by name."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest

from batcher.errors import ConfigurationError
from batcher.job import ProviderSpec
from batcher.providers.named import provider_named, restricted_base


@pytest.mark.parametrize(
    ("name", "chat_url", "prefix"),
    [
        ("glm", "https://open.bigmodel.cn/api/paas/v4/chat/completions", "ZHIPUAI"),
        ("zai", "https://api.z.ai/api/paas/v4/chat/completions", "ZAI"),
        ("openai", "https://api.openai.com/v1/chat/completions", "OPENAI"),
        ("deepseek", "https://api.deepseek.com/chat/completions", "DEEPSEEK"),
    ],
)
def test_each_provider_has_its_address_and_its_variables(
    name: str, chat_url: str, prefix: str
) -> None:
    provider = provider_named(name)
    assert provider.name == name
    assert provider.chat_url == chat_url
    assert provider.base_url_variables == (f"{prefix}_BASE_URL",)
    assert provider.key_variables == (f"{prefix}_API_KEY",)


def test_every_name_a_job_may_hold_is_known() -> None:
    for name in get_args(get_type_hints(ProviderSpec)["name"]):
        assert provider_named(name).name == name


def test_a_given_address_replaces_only_the_address() -> None:
    own = provider_named("glm")
    moved = provider_named("glm", "http://127.0.0.1:8000/v1/")
    assert moved.chat_url == "http://127.0.0.1:8000/v1/chat/completions"
    assert moved.key_variables == own.key_variables
    assert provider_named("glm") == own


@pytest.mark.parametrize("base_url", [None, ""])
def test_no_address_means_the_providers_own(base_url: str | None) -> None:
    assert provider_named("zai", base_url) == provider_named("zai")


def test_a_server_of_another_maker_is_not_trusted_to_show_a_schema_to_its_model() -> None:
    own = provider_named("openai")
    assert (own.takes_schema, own.shows_schema) == (True, True)
    assert provider_named("openai", own.base_url) == own
    other = provider_named("openai", "http://localhost:8000/v1")
    assert (other.takes_schema, other.shows_schema) == (True, False)


@pytest.mark.parametrize("name", ["glm", "zai"])
def test_glm_takes_small_png_and_jpg_as_plain_base64(name: str) -> None:
    images = provider_named(name).images
    assert images.types == ("image/png", "image/jpeg")
    assert (images.max_bytes, images.max_side) == (5 << 20, 6000)
    assert not images.as_data_uri


def test_others_take_more_types_as_data_uris() -> None:
    images = provider_named("openai", "http://127.0.0.1:8000/v1").images
    assert "image/webp" in images.types
    assert images.max_side is None
    assert images.as_data_uri


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="'gml'; known: glm, zai, openai, deepseek"):
        provider_named("gml")


@pytest.mark.parametrize(
    ("base_url", "restricted"),
    [
        ("https://open.bigmodel.cn/api/coding/paas/v4", True),
        ("https://api.z.ai/api/coding/paas/v4/", True),
        ("https://open.bigmodel.cn/api/paas/v4", False),
        ("https://api.z.ai/api/paas/v4/", False),
        ("https://coding.example/api/v1", False),
    ],
)
def test_the_coding_plans_address_is_told_apart(*, base_url: str, restricted: bool) -> None:
    assert restricted_base(base_url) == restricted
