"""Whom to call: keys and addresses."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from batcher.cli.callee import environment, real_callee, simulated_callee
from batcher.errors import CredentialsError
from batcher.job import ProviderSpec
from batcher.simulator import SimulatorConfig

KEY = "abc.canary-secret"


def _authorization(spec: ProviderSpec, variables: dict[str, str]) -> str:
    return real_callee(spec, variables).auth.headers(0.0)["authorization"]


def test_the_key_comes_from_the_provider_s_own_variable() -> None:
    variables = {"ZHIPUAI_API_KEY": "glm.key", "OPENAI_API_KEY": "openai-key"}
    assert _authorization(ProviderSpec(), variables) == "Bearer glm.key"
    assert _authorization(ProviderSpec(name="openai"), variables) == "Bearer openai-key"


def test_a_key_file_wins_and_its_last_newline_is_no_part_of_the_key(folder: Path) -> None:
    (folder / "key").write_text(f"{KEY}\n")
    spec = ProviderSpec(api_key_file=str(folder / "key"))
    assert _authorization(spec, {"ZHIPUAI_API_KEY": "other.key"}) == f"Bearer {KEY}"


def test_a_key_file_that_cannot_be_read_is_named(folder: Path) -> None:
    with pytest.raises(CredentialsError, match=r"missing: No such file"):
        real_callee(ProviderSpec(api_key_file=str(folder / "missing")), {})
    (folder / "key").write_bytes(b"\xff\xfe")
    with pytest.raises(CredentialsError, match="it is not text"):
        real_callee(ProviderSpec(api_key_file=str(folder / "key")), {})


def test_a_malformed_key_is_refused_without_being_shown() -> None:
    with pytest.raises(CredentialsError) as caught:
        real_callee(ProviderSpec(), {"ZHIPUAI_API_KEY": f"{KEY}\n"})
    assert "canary" not in str(caught.value)


def test_without_a_key_the_variables_are_named() -> None:
    with pytest.raises(CredentialsError, match="ZHIPUAI_API_KEY"):
        real_callee(ProviderSpec(), {"ZHIPUAI_API_KEY": ""})


def test_the_address_is_the_job_s_else_the_environment_s_else_the_provider_s() -> None:
    variables = {"ZHIPUAI_API_KEY": KEY, "ZHIPUAI_BASE_URL": "https://env.example/v4"}
    given = real_callee(ProviderSpec(base_url="https://job.example/v4"), variables)
    assert given.provider.base_url == "https://job.example/v4"
    assert real_callee(ProviderSpec(), variables).provider.base_url == "https://env.example/v4"
    own = real_callee(ProviderSpec(), {"ZHIPUAI_API_KEY": KEY})
    assert own.provider.base_url.startswith("https://open.bigmodel.cn/")


def test_a_dotenv_file_is_read_below_the_process_s_own_variables(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text("ZHIPUAI_API_KEY=from.file\nZAI_API_KEY=also.file\n")
    monkeypatch.setenv("ZHIPUAI_API_KEY", "from.process")
    variables = environment()
    assert (variables["ZHIPUAI_API_KEY"], variables["ZAI_API_KEY"]) == ("from.process", "also.file")


def test_the_simulator_is_called_without_any_key_of_the_user() -> None:
    callee = simulated_callee(ProviderSpec(auth="jwt"), SimulatorConfig())
    assert callee.simulator is not None
    assert callee.auth.headers(0.0)["authorization"].count(".") == 2


def test_no_crash_leaves_the_key_in_a_core_file() -> None:
    real_callee(ProviderSpec(), {"ZHIPUAI_API_KEY": KEY})
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] <= 1
