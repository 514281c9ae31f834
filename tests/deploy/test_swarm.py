"""What deploy/swarm.yml says is what docker-compose.yml says, but for what a Swarm does otherwise."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def compose_with_candles_in_a_folder() -> Any:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    return yaml.safe_load(re.sub(r"\$\{CANDLES_URL:(?:-([^}]*)|\+[^}]*)\}", r"\1", text))


COMPOSE = compose_with_candles_in_a_folder()
SWARM = yaml.safe_load((ROOT / "deploy/swarm.yml").read_text(encoding="utf-8"))
SERVICES = ("coordinator", "trainer", "prometheus", "alertmanager", "grafana")
ANYWHERE = {"web"}
# Of candles from a store, which a Swarm has of a file of its own, deploy/swarm/candles.yml.
OF_A_STORE = {"jobs-outside", "candles_store"}


def secrets_of(service: dict[str, Any]) -> set[str]:
    return {one if isinstance(one, str) else one["source"] for one in service.get("secrets", ())}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_on_the_same_networks_and_confined_likewise(name: str) -> None:
    here, there = SWARM["services"][name], COMPOSE["services"][name]
    # A stack can publish on loopback alone in no way, so what asks for no password is not published.
    published = {"coordinator", "grafana", "alertmanager"}
    elsewhere = OF_A_STORE | (ANYWHERE if name not in published else set())
    assert set(here["networks"]) == set(there["networks"]) - elsewhere
    assert ("ports" in here) == (name in {"coordinator", "grafana"})
    for key in ("read_only", "cap_drop", "ulimits", "logging"):
        assert here[key] == there[key], key
    limits = here["deploy"]["resources"]["limits"]
    assert limits["pids"] == there["pids_limit"]
    assert float(limits["cpus"]) == there["cpus"]
    assert limits["memory"].lower() == there["mem_limit"].lower()
    assert here["user"].partition(":")[0] != "0"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_the_same_program_with_the_secrets_of_its_role(name: str) -> None:
    here, there = SWARM["services"][name], COMPOSE["services"][name]
    # Off loopback the coordinator trusts no name, so Prometheus shows a token.
    wanted = [each for each in there.get("command", ()) if not each.startswith("--trusted-host")]
    assert here.get("command", []) == wanted
    assert here.get("entrypoint") == there.get("entrypoint")
    other = {"coordinator": {"night_training"}, "prometheus": {"reader_token"}}.get(name, set())
    assert secrets_of(here) == (secrets_of(there) | other) - OF_A_STORE
    assert all(
        one["mode"] == 0o400 and one["uid"] == here["user"].partition(":")[0] for one in here["secrets"]
    )


def test_the_same_images_from_elsewhere() -> None:
    for name in ("prometheus", "alertmanager", "grafana"):
        assert SWARM["services"][name]["image"] == COMPOSE["services"][name]["image"]


@pytest.mark.parametrize("name", ["jobs", "scrape", "watch"])
def test_a_network_without_a_way_out_has_none_and_is_encrypted_between_hosts(name: str) -> None:
    assert SWARM["networks"][name]["internal"] is COMPOSE["networks"][name]["internal"] is True
    assert "encrypted" in SWARM["networks"][name]["driver_opts"]


def test_nothing_starts_before_what_it_replaces_has_ended() -> None:
    for name, service in SWARM["services"].items():
        assert service["deploy"]["update_config"]["order"] == "stop-first", name
        assert service["deploy"]["endpoint_mode"] == "dnsrr", name


def test_prometheus_does_what_it_does_at_home_but_for_names_and_a_token() -> None:
    here = yaml.safe_load((ROOT / "deploy/swarm/prometheus.yml").read_text(encoding="utf-8"))
    there = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
    jobs = {one["job_name"]: one for one in here["scrape_configs"]}
    assert jobs["coordinator"].pop("authorization") == {"credentials_file": "/run/secrets/reader_token"}
    [found] = jobs["trainer"]["dns_sd_configs"]
    assert found["names"] == ["tasks.trainer"]
    found["names"] = ["trainer"]
    assert here == there


def test_every_board_rule_and_template_is_brought_along() -> None:
    brought = {(ROOT / "deploy" / one["file"]).resolve() for one in SWARM["configs"].values()}
    wanted = [*(ROOT / "grafana/dashboards").glob("*.json"), *(ROOT / "grafana/provisioning").glob("*/*.yml")]
    wanted += [*(ROOT / "prometheus/templates").iterdir(), ROOT / "prometheus/rules.yml"]
    wanted += [
        ROOT / "prometheus/alerts.yml",
        ROOT / "prometheus/alertmanager.yml",
        ROOT / "prometheus/receivers.sh",
    ]
    assert [path for path in wanted if path.resolve() not in brought] == []
    used = {one["source"] for service in SWARM["services"].values() for one in service.get("configs", ())}
    assert used == set(SWARM["configs"])


DOCKER = """#!/bin/sh
case "$1 $2" in
"info --format") echo "${MANAGER:-true}" ;;
"node ls") echo abc ;;
"node inspect") case "$4" in *monitoring*) echo "${MONITORING-true}" ;; *) echo true ;; esac ;;
"secret inspect") exit 1 ;;
"secret create") printf '%s %s\\n' "$3" "$(cat)" >>"$SAID/secrets" ;;
"stack deploy")
  echo "$*" >"$SAID/deployed"
  echo "$FILES $NIGHT" >"$SAID/digests"
  printf '%s\n' "$NIGHT_CONFIG" "$ALERTING_ENV" "${AWS_CREDENTIALS:-}" >"$SAID/files"
  ;;
*) exit 9 ;;
esac
"""
"""What the real client answers, as far as the script asks it; `make test-swarm` asks real engines."""


def deploy(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    program = folder / "bin/docker"
    program.parent.mkdir(exist_ok=True)
    program.write_text(DOCKER, encoding="utf-8")
    program.chmod(0o755)
    path = os.pathsep.join((str(program.parent), os.environ["PATH"]))
    return subprocess.run(
        [ROOT / "deploy/swarm/deploy.sh", *arguments],
        env={"PATH": path, "SAID": str(folder), **settings},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_tokens_are_made_that_a_coordinator_takes_each_another(tmp_path: Path) -> None:
    done = deploy(tmp_path, STACK="night", TOKENS="2")
    assert done.returncode == 0, done.stderr
    made = dict(line.split() for line in (tmp_path / "secrets").read_text(encoding="utf-8").splitlines())
    names = ("nighttrain_token", "trainer_token", "alerts_token", "reader_token", "grafana_password")
    assert sorted(made) == sorted(f"night_{name}_2" for name in names)
    assert len(set(made.values())) == 5
    assert all(re.fullmatch(r"[0-9a-f]{64}", token) for token in made.values())
    assert (tmp_path / "deployed").read_text(encoding="utf-8").split()[-1] == "night"
    assert not set(made.values()) & set(done.stdout.split()), "no token is printed"


def test_a_changed_configuration_has_another_name(tmp_path: Path) -> None:
    digests = []
    for symbols in ("BTCUSDT", "ETHUSDT"):
        (tmp_path / "night.yaml").write_text(f"symbols: [{symbols}]", encoding="utf-8")
        assert deploy(tmp_path, NIGHT_CONFIG=str(tmp_path / "night.yaml")).returncode == 0
        digests.append((tmp_path / "digests").read_text(encoding="utf-8").split())
    (files, night), (same, another) = digests
    assert files == same
    assert night != another


def test_files_are_those_of_where_the_script_was_called(tmp_path: Path) -> None:
    for name in ("night.yaml", "alerting.env", "keys"):
        (tmp_path / name).write_text("", encoding="utf-8")
    settings = {"NIGHT_CONFIG": "night.yaml", "ALERTING_ENV": "./alerting.env", "AWS_CREDENTIALS": "keys"}
    assert deploy(tmp_path, **settings).returncode == 0
    named = (tmp_path / "files").read_text(encoding="utf-8").split()
    assert named == [str(tmp_path / name) for name in ("night.yaml", "alerting.env", "keys")]


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        ((), {"MANAGER": "false"}, "this engine is no manager of a Swarm"),
        (
            (),
            {"MONITORING": ""},
            "no node has the label nighttrain.monitoring: docker node update --label-add",
        ),
        ((), {"NIGHT_CONFIG": "/nowhere"}, "NIGHT_CONFIG: /nowhere cannot be read"),
        ((), {"TOKENS_DIR": "/nowhere"}, "TOKENS_DIR: /nowhere/nighttrain_token cannot be read"),
        ((), {"AWS_CREDENTIALS": "/nowhere"}, "AWS_CREDENTIALS: /nowhere cannot be read"),
        (("--share",), {}, "--share is no option; there is --shared"),
        (
            (),
            {"CANDLES_URL": "s3://b/c", "CANDLES_DIR": "/srv"},
            "CANDLES_URL and CANDLES_DIR are both set: candles come from one place",
        ),
        ((), {"CANDLES_URL": "/srv/candles"}, "CANDLES_URL: write s3://BUCKET/PREFIX"),
        ((), {"CANDLES_URL": "s3://"}, "CANDLES_URL: write s3://BUCKET/PREFIX"),
        ((), {"CANDLES_URL": "s3://key:secret@b/c"}, "CANDLES_URL: write s3://BUCKET/PREFIX"),
        ((), {"CANDLES_URL": "s3://b/c"}, "CANDLES_URL needs AWS_CREDENTIALS"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_deployed(
    tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, str], said: str
) -> None:
    done = deploy(tmp_path, *arguments, **settings)
    assert done.returncode == 2
    assert f"deploy.sh: {said}" in done.stderr
    assert not (tmp_path / "deployed").exists()


CREDENTIALS = "[default]\naws_access_key_id = KEY\naws_secret_access_key = never-shown\n"
VARIABLES = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT_KEY",
}


def test_credentials_of_an_object_store_are_a_secret_of_the_coordinator_named_by_their_content(
    tmp_path: Path,
) -> None:
    assert deploy(tmp_path).returncode == 0
    assert "objects.yml" not in (tmp_path / "deployed").read_text(encoding="utf-8")
    file = tmp_path / "credentials"
    file.write_text(CREDENTIALS, encoding="utf-8")
    done = deploy(tmp_path, "--shared", AWS_CREDENTIALS=str(file))
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "deployed").read_text(encoding="utf-8")
    files = re.findall(r"-c \S*/deploy/(\S+)", said)
    assert files == ["swarm.yml", "swarm/shared.yml", "swarm/objects.yml"]
    assert "never-shown" not in said + done.stdout + done.stderr
    objects = yaml.safe_load((ROOT / "deploy/swarm/objects.yml").read_text(encoding="utf-8"))
    assert set(objects["services"]) == {"coordinator"}
    [secret] = objects["services"]["coordinator"]["secrets"]
    assert (secret["mode"], secret["uid"]) == (
        0o400,
        SWARM["services"]["coordinator"]["user"].partition(":")[0],
    )
    named = objects["services"]["coordinator"]["environment"]["AWS_SHARED_CREDENTIALS_FILE"]
    assert named == f"/run/secrets/{secret['source']}"


def test_candles_in_a_store_give_trainers_a_way_out_the_credentials_and_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text(CREDENTIALS, encoding="utf-8")
    done = deploy(tmp_path, CANDLES_URL="s3://my-candles/spot", AWS_CREDENTIALS=str(file))
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "deployed").read_text(encoding="utf-8")
    files = re.findall(r"-c \S*/deploy/(\S+)", said)
    assert files == ["swarm.yml", "swarm/objects.yml", "swarm/candles.yml"]
    candles = yaml.safe_load((ROOT / "deploy/swarm/candles.yml").read_text(encoding="utf-8"))
    [name] = candles["services"]
    assert name == "trainer"
    ours, theirs = candles["services"]["trainer"], SWARM["services"]["trainer"]
    assert [word.partition("=")[0] for word in ours["command"]] == [
        word.partition("=")[0] for word in theirs["command"]
    ]
    assert [word for word in ours["command"] if word not in theirs["command"]] == [
        "--data=${CANDLES_URL:?s3://BUCKET/PREFIX}"
    ]
    [network] = candles["networks"].items()
    assert network[0] in ours["networks"] and not network[1].get("internal")
    assert set(theirs["networks"]) < set(ours["networks"])
    [volume] = ours["volumes"]
    assert (volume["type"], volume["target"]) == ("tmpfs", "/candles")


def test_credentials_at_home_come_from_outside_and_to_the_coordinator_alone() -> None:
    for name, service in COMPOSE["services"].items():
        given = {key: value for key, value in (service.get("environment") or {}).items() if key in VARIABLES}
        assert given == (dict.fromkeys(VARIABLES) if name == "coordinator" else {})


def test_compose_takes_them_from_env_and_leaves_what_is_not_set_unset(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("no docker")
    given = tmp_path / "env"
    given.write_text("AWS_ACCESS_KEY_ID=KEY\nAWS_SECRET_ACCESS_KEY=s3cr3t\n", encoding="utf-8")
    # It reads files alone, and speaks with no engine.
    command = [docker, "compose", "-f", ROOT / "docker-compose.yml", "--env-file", given, "config"]
    done = subprocess.run(
        [*command, "--format", "json"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DOCKER_HOST": "unix:///nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode != 0 and "unknown" in done.stderr:
        pytest.skip("no Compose")
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    got = {key: value for key, value in services["coordinator"]["environment"].items() if key in VARIABLES}
    assert {key: value for key, value in got.items() if value is not None} == {
        "AWS_ACCESS_KEY_ID": "KEY",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t",
    }
    others = [service for name, service in services.items() if name != "coordinator"]
    assert "s3cr3t" not in json.dumps(others)
