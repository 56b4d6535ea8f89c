"""The example for Kubernetes: what its schema says, and what batcher itself needs of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.container.image import ROOT, Image

FILE = ROOT / "jobs" / "kubernetes" / "job.yaml"
MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all(FILE.read_text("utf-8")))
CLAIM, JOB = MANIFESTS
POD: dict[str, Any] = JOB["spec"]["template"]["spec"]
CONTAINER: dict[str, Any] = POD["containers"][0]
# The first with failure policies that are no preview.
OLDEST = "1.31"


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest["kind"])
def test_it_is_what_kubernetes_reads(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def _codes(action: str) -> set[int]:
    rules = (rule for rule in JOB["spec"]["podFailurePolicy"]["rules"] if rule["action"] == action)
    lists = (rule["onExitCodes"]["values"] for rule in rules if "onExitCodes" in rule)
    return {code for codes in lists for code in codes}


def test_each_exit_code_is_known_and_those_that_a_try_may_mend_are_tried_again() -> None:
    """74 and 75 count against `backoffLimit`, as does what was killed."""
    table = (ROOT / "docs" / "errors.md").read_text("utf-8")
    cells = re.findall(r"^\| (\d[\d, ]*) \|", table, re.MULTILINE)
    known = {int(code) for cell in cells for code in cell.split(",")}
    assert _codes("FailJob") == known - {0, 74, 75, 129, 130, 141, 143}
    assert _codes("Ignore") == {143}


def test_it_names_the_images_own_user_and_directory(image: Image) -> None:
    context = POD["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == image.config["User"]
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert mounts["work"] == image.config["WorkingDir"]
    assert f"HOME={mounts['tmp']}" in image.config["Env"]
    assert set(mounts) == {volume["name"] for volume in POD["volumes"]}


def test_it_is_left_the_time_to_end_its_calls_and_nothing_but_its_mounts() -> None:
    """Promise 11 is 25 seconds."""
    assert POD["terminationGracePeriodSeconds"] > 25
    assert POD["securityContext"]["runAsNonRoot"]
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"]
    assert not CONTAINER["securityContext"]["allowPrivilegeEscalation"]
    assert "env" not in CONTAINER  # a key in the environment is in `kubectl describe`


def test_what_it_starts_is_a_command_that_batcher_knows(image: Image, tmp_path: Path) -> None:
    """With the example job of that name."""
    user = POD["securityContext"]["runAsUser"]
    args = [arg.replace("/run/secrets/batcher", "/work") for arg in CONTAINER["args"]]
    (job,) = (arg.partition("=")[2] for arg in args if arg.startswith("--job="))
    text = (ROOT / "jobs" / job).read_text("utf-8").replace("../sample_data/", "")
    reviews = (ROOT / "sample_data" / "reviews.jsonl").read_text("utf-8").splitlines()[:5]
    (tmp_path / job).write_text(text, "utf-8")
    (tmp_path / "reviews.jsonl").write_text("".join(f"{line}\n" for line in reviews), "utf-8")
    tmp_path.chmod(0o777)
    done = image.run(tmp_path, *args, "--simulate", "--sim-latency=0", user=user)
    assert done.returncode == 0, done.stderr


def test_the_example_for_compose_gives_what_the_one_for_kubernetes_gives() -> None:
    text = (ROOT / "docs" / "container.md").read_text("utf-8")
    (block,) = re.findall(r"```yaml\n(services:.*?)```", text, re.DOTALL)
    compose = yaml.safe_load(block)
    service = compose["services"]["batcher"]
    words = " ".join(CONTAINER["args"]).replace("=", " ").replace("secrets/batcher", "secrets")
    assert service["command"] == words.split()
    assert int(service["stop_grace_period"].rstrip("s")) > 25
    assert service["read_only"]
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert service["tmpfs"] == [mounts["tmp"]]
    assert service["volumes"] == [f".:{mounts['work']}"]
    assert list(compose["secrets"]) == service["secrets"]


def test_the_image_is_of_a_version_and_of_no_registry_that_there_is() -> None:
    name, _, tag = CONTAINER["image"].rpartition(":")
    assert name == "registry.example.com/batcher"
    assert tag in (ROOT / "batcher" / "__init__.py").read_text("utf-8")
