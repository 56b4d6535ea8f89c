"""Whom to call: keys and addresses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from batcher.errors import ConfigurationError, CredentialsError
from batcher.job import JobSpec, ProviderSpec, load_job
from batcher.providers.redaction import MASK
from batcher.runs import credentials
from batcher.runs.calling import Callee
from batcher.runs.credentials import environment, simulated_callee, simulated_job
from batcher.simulator import SIMULATED_MODEL, SimulatorConfig

KEY = "abc.canary-secret"


def real_callee(
    spec: ProviderSpec, variables: dict[str, str], keys: Sequence[str] | None = None
) -> Callee:
    return credentials.real_callee(spec, variables, pytest.fail, keys)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder of its own, so that no .env of the user is read."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _authorization(spec: ProviderSpec, variables: dict[str, str]) -> str:
    (authorization,) = _authorizations(spec, variables)
    return authorization


def _authorizations(spec: ProviderSpec, variables: dict[str, str]) -> list[str]:
    auths = real_callee(spec, variables).auths
    return [auth.headers(0.0)["authorization"] for auth in auths]


def test_the_key_comes_from_the_provider_s_own_variable() -> None:
    variables = {"ZHIPUAI_API_KEY": "glm.key", "OPENAI_API_KEY": "openai-key"}
    assert _authorization(ProviderSpec(), variables) == "Bearer glm.key"
    assert _authorization(ProviderSpec(name="openai"), variables) == "Bearer openai-key"


def test_a_key_file_wins_and_its_last_newline_is_no_part_of_the_key(folder: Path) -> None:
    (folder / "key").write_text(f"{KEY}\n")
    spec = ProviderSpec(api_key_file=str(folder / "key"))
    assert _authorization(spec, {"ZHIPUAI_API_KEY": "other.key"}) == f"Bearer {KEY}"


@pytest.mark.parametrize("several", ["a.one,b.two,c.three", " a.one , b.two,  c.three "])
def test_several_keys_stand_in_one_variable(several: str) -> None:
    variables = {"ZHIPUAI_API_KEYS": several, "ZHIPUAI_API_KEY": "other.key"}
    assert _authorizations(ProviderSpec(), variables) == [
        "Bearer a.one",
        "Bearer b.two",
        "Bearer c.three",
    ]


@pytest.mark.parametrize("prefix", ["ZHIPUAI", "ZAI", "OPENAI", "DEEPSEEK"])
def test_every_provider_takes_several_keys(prefix: str) -> None:
    names = {"ZHIPUAI": "glm"}
    spec = load_job(None, {"provider": {"name": names.get(prefix, prefix.lower())}}).provider
    assert len(_authorizations(spec, {f"{prefix}_API_KEYS": "a.one,b.two"})) == 2


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_several_keys_stand_in_lines_of_a_file_beside_comments(folder: Path, end: str) -> None:
    lines = ["# two accounts", "a.one", "", "  ", "#b.gone", "c.three", ""]
    (folder / "keys").write_bytes(end.join(lines).encode())
    spec = ProviderSpec(api_key_file=str(folder / "keys"))
    variables = {"ZHIPUAI_API_KEYS": "other.key,another.key"}
    assert _authorizations(spec, variables) == ["Bearer a.one", "Bearer c.three"]


def test_a_key_file_of_comments_alone_holds_no_key(folder: Path) -> None:
    (folder / "keys").write_text("# none yet\n\n")
    with pytest.raises(CredentialsError, match=r"keys holds no API key"):
        real_callee(ProviderSpec(api_key_file=str(folder / "keys")), {"ZHIPUAI_API_KEY": KEY})


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("a.one,canary secret,c.three", "API key 2 of 3: the API key holds white space"),
        ("a.one,", "API key 2 of 2: the API key is empty"),
        ("canary.one,b.two,canary.one", "API key 3 of 3 is the same as key 1"),
        ("a.one,canary.two\n", "API key 2 of 2: the API key ends in a newline"),
    ],
)
def test_of_several_keys_the_wrong_one_is_named_by_its_number_and_not_shown(
    keys: str, said: str
) -> None:
    with pytest.raises(CredentialsError) as caught:
        real_callee(ProviderSpec(), {"ZHIPUAI_API_KEYS": keys})
    assert said in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("auth", ["bearer", "jwt"])
def test_each_key_keeps_all_keys_of_the_run_secret(auth: str) -> None:
    keys = ["id-of-the-one.canary-secret-1", "id-of-the-two.canary-secret-2"]
    spec = load_job(None, {"provider": {"auth": auth}}).provider
    auths = real_callee(spec, {"ZHIPUAI_API_KEYS": ",".join(keys)}).auths
    sent = [one.headers(0.0)["authorization"].removeprefix("Bearer ") for one in auths]
    for one in auths:
        left = one.redact(f"<{'> <'.join(keys + sent)}>")
        assert left == " ".join([f"<{MASK}>"] * 4)


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
        real_callee(ProviderSpec(), {"ZHIPUAI_API_KEY": "", "ZHIPUAI_API_KEYS": ""})


def test_the_address_is_the_job_s_else_the_environment_s_else_the_provider_s() -> None:
    variables = {"ZHIPUAI_API_KEY": KEY, "ZHIPUAI_BASE_URL": "https://env.example/v4"}
    given = real_callee(ProviderSpec(base_url="https://job.example/v4"), variables)
    assert given.provider.base_url == "https://job.example/v4"
    assert real_callee(ProviderSpec(), variables).provider.base_url == "https://env.example/v4"
    own = real_callee(ProviderSpec(), {"ZHIPUAI_API_KEY": KEY})
    assert own.provider.base_url.startswith("https://open.bigmodel.cn/")


def test_an_address_of_the_environment_that_may_hold_a_secret_is_refused_by_its_variable() -> None:
    variables = {"ZHIPUAI_API_KEY": KEY, "ZHIPUAI_BASE_URL": "https://env.example/v4?key=hunter2"}
    with pytest.raises(ConfigurationError, match="ZHIPUAI_BASE_URL must end") as refused:
        real_callee(ProviderSpec(), variables)
    assert "hunter2" not in str(refused.value)
    given = real_callee(ProviderSpec(base_url="https://job.example/v4"), variables)
    assert given.provider.base_url == "https://job.example/v4"


def test_the_simulator_is_asked_for_some_model_where_the_job_names_none() -> None:
    assert simulated_job(JobSpec()).provider.model == SIMULATED_MODEL
    named = JobSpec(provider=ProviderSpec(model="mine"))
    assert simulated_job(named).provider.model == "mine"


def test_a_dotenv_file_is_read_below_the_process_s_own_variables(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text("ZHIPUAI_API_KEY=from.file\nZAI_API_KEY=also.file\n")
    monkeypatch.setenv("ZHIPUAI_API_KEY", "from.process")
    variables = environment()
    assert (variables["ZHIPUAI_API_KEY"], variables["ZAI_API_KEY"]) == ("from.process", "also.file")


def test_an_empty_variable_of_the_process_hides_none_of_the_dotenv_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text("ZHIPUAI_API_KEY=from.file\nZAI_API_KEY=\n")
    monkeypatch.setenv("ZHIPUAI_API_KEY", "")
    variables = environment()
    assert variables["ZHIPUAI_API_KEY"] == "from.file"
    assert "ZAI_API_KEY" not in variables


def test_the_simulator_is_called_without_any_key_of_the_user() -> None:
    callee = simulated_callee(ProviderSpec(auth="jwt"), SimulatorConfig())
    assert callee.simulator is not None
    (auth,) = callee.auths
    assert auth.headers(0.0)["authorization"].count(".") == 2


def test_keys_that_are_given_win_over_all_others(folder: Path) -> None:
    (folder / "key").write_text("of.file\n")
    spec = ProviderSpec(api_key_file=str(folder / "key"))
    auths = real_callee(spec, {"ZHIPUAI_API_KEY": "other.key"}, ["a.one", "b.two"]).auths
    sent = [auth.headers(0.0)["authorization"] for auth in auths]
    assert sent == ["Bearer a.one", "Bearer b.two"]


def test_a_given_key_that_is_malformed_is_refused_without_being_shown() -> None:
    with pytest.raises(CredentialsError) as caught:
        real_callee(ProviderSpec(), {}, [f"{KEY}\n"])
    assert "canary" not in str(caught.value)


def test_the_coding_plan_s_address_is_warned_of() -> None:
    said: list[str] = []
    spec = ProviderSpec(base_url="https://open.bigmodel.cn/api/coding/paas/v4")
    credentials.real_callee(spec, {"ZHIPUAI_API_KEY": KEY}, said.append)
    assert "coding plan" in said[0]
