"""The containers in the order an operator meets them: up, harden, scale, watch, kill, alert, down and up."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from itertools import pairwise
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cli.stack.checkout import SECRETS
from cli.stack.facts import read_facts
from grafana.generator.expressions import expressions
from tests.metrics.either import borne_by_another
from tests.object_store import BUCKET
from tests.object_store import Server as ObjectStore
from tests.stack.conftest import (
    LONG,
    LONG_CELLS,
    PROJECT,
    ROOT,
    SMALL,
    Stack,
    checkout,
    free_ports,
    refused,
    run,
    until,
)

COORDINATOR, TRAINER = f"{PROJECT}-coordinator", f"{PROJECT}-trainer"
SERVICES = ("coordinator", "trainer", "prometheus", "alertmanager", "grafana")


def essence(results: dict[str, Any]) -> list[Any]:
    keys = (
        "symbol",
        "timeframe",
        "horizon",
        "state",
        "rows",
        "span",
        "scores",
        "folds",
        "p_value",
        "promoted",
        "reasons",
    )
    return [{key: job[key] for key in keys} for job in results["jobs"]]


def fits(job: dict[str, Any]) -> dict[str, Any]:
    """What of a cell does not depend on the champions that there are."""
    keys = ("symbol", "timeframe", "horizon", "rows", "span", "scores", "folds", "p_value")
    return {key: job[key] for key in keys}


def main_process(container: Any) -> int:
    pid: int = container["State"]["Pid"]
    return pid


def test_make_up_ends_with_every_service_healthy_and_the_night_trained(stack: Stack) -> None:
    until(stack.done, "the first night", 120)
    assert [job["state"] for job in stack.results()["jobs"]] == ["succeeded"] * 8
    for service in SERVICES:
        for container in stack.containers(service):
            assert container["State"]["Health"]["Status"] == "healthy", service
    boards = stack.get("GRAFANA", "/api/search")
    assert len(boards) == 4
    assert stack.results()["synthetic"] is True
    assert (stack.folder / "data" / "sample" / "BTCUSDT-1m-sample.parquet").exists()


def test_the_results_equal_those_of_a_night_without_containers_bit_for_bit(
    stack: Stack, tmp_path: Path
) -> None:
    until(stack.done, "the first night", 120)
    said = run(
        ROOT / ".venv" / "bin" / "nighttrain", "run",
        "--config", stack.folder / "deploy" / "night_training.yaml",
        "--data", stack.candles, "--out", tmp_path, "--trainers", "1", "--json",
        cwd=ROOT, BT_NIGHT_DASHBOARD__ENABLED="false",
    )  # fmt: skip
    assert essence(stack.results()) == essence(json.loads(said))


def test_make_report_prints_the_table(stack: Stack) -> None:
    until(stack.done, "the first night", 120)
    said = stack.make("report")
    assert "BTCUSDT" in said and "15m" in said and "8 of 8 cells trained" in said


def test_models_and_results_are_copied_out_and_what_would_be_deleted_is_said(
    stack: Stack, tmp_path: Path
) -> None:
    until(stack.done, "the first night", 120)
    promoted = sum(job["promoted"] for job in stack.results()["jobs"])
    said = stack.make("models", f"DIR={tmp_path / 'mine'}")
    assert f"{promoted} models with their manifests" in said
    assert len(list((tmp_path / "mine" / "models").glob("*.pkl"))) == promoted
    (copied,) = (tmp_path / "mine" / "results").glob("batch_train_results_*.json")
    assert essence(json.loads(copied.read_text())) == essence(stack.results())
    said = refused("make", "clean-data", cwd=stack.folder, **stack.environment())
    assert f"1 night with results, {promoted} champion" in said and "make clean-data YES=1" in said
    assert stack.containers("coordinator"), "nothing was stopped or deleted"


def test_make_explains_the_size_and_lists_the_containers(stack: Stack) -> None:
    said = stack.make("size")
    assert re.search(r"So TRAINERS=\d+ and TRAINER_MEMORY=\d+m", said)
    assert ".env decides: " in said
    said = stack.make("ps")
    assert said.count("(healthy)") >= len(SERVICES)


def test_containers_are_not_root_and_can_write_only_where_they_must(stack: Stack) -> None:
    for service in SERVICES:
        for container in stack.containers(service):
            name = container["Name"]
            host, config = container["HostConfig"], container["Config"]
            status = Path(f"/proc/{main_process(container)}/status").read_text()
            uids = re.search(r"^Uid:\t(.*)$", status, re.M)
            assert uids is not None and "0" not in uids[1].split(), name
            assert re.search(r"^CapEff:\t0+$", status, re.M), name
            assert re.search(r"^NoNewPrivs:\t1$", status, re.M), name
            assert host["ReadonlyRootfs"], name
            assert host["Memory"] > 0 and host["MemorySwap"] == host["Memory"] and host["NanoCpus"] > 0, name
            assert host["LogConfig"]["Config"] == {"max-file": "5", "max-size": "10m"}, name
            assert host["RestartPolicy"]["Name"] == "always", name
            assert "HEALTHCHECK" not in config, name
            for ports in (container["NetworkSettings"]["Ports"] or {}).values():
                assert all(port["HostIp"] == "127.0.0.1" for port in ports or []), name
    with pytest.raises(AssertionError, match="Read-only file system"):
        stack.compose("exec", "-T", "trainer", "touch", "/usr/somewhere")
    with pytest.raises(AssertionError, match="Read-only file system"):
        stack.compose("exec", "-T", "trainer", "touch", "/candles/somewhere")


def test_what_a_container_may_take_of_processes_files_and_memory_disks_is_limited(stack: Stack) -> None:
    for service in SERVICES:
        host = stack.containers(service)[0]["HostConfig"]
        assert 0 < host["PidsLimit"] <= 1024, service
        [files] = [limit for limit in host["Ulimits"] if limit["Name"] == "nofile"]
        assert files["Hard"] <= 8192, service
        assert all("size=" in options for options in (host.get("Tmpfs") or {}).values()), service


def test_each_service_holds_only_the_tokens_that_it_needs(stack: Stack) -> None:
    held = {
        "coordinator": {"nighttrain_token", "trainer_token", "alerts_token", "reader_token"},
        "trainer": {"trainer_token", "candles_store"},
        "alertmanager": {"alerts_token", "alerting"},
        "prometheus": set(),
        "grafana": {"grafana_password"},
    }
    for service, names in held.items():
        mounts = stack.containers(service)[0]["Mounts"]
        at = [mount["Destination"] for mount in mounts if mount["Destination"].startswith("/run/secrets/")]
        assert {Path(place).name for place in at} == names, service


def test_a_trainers_token_is_replaced_while_everything_stays_up(stack: Stack) -> None:
    def starts() -> list[str]:
        services = ("coordinator", "trainer")
        return [one["State"]["StartedAt"] for name in services for one in stack.containers(name)]

    def answered_claims() -> float:
        families = text_string_to_metric_families(stack.text("DASHBOARD", "/metrics"))
        samples = [one for family in families for one in family.samples]
        name, wanted = (
            "nighttrain_http_request_duration_seconds_count",
            {"route": "/api/claims", "status": "2xx"},
        )
        return sum(one.value for one in samples if one.name == name and wanted.items() <= one.labels.items())

    secret = stack.folder / "secrets" / "trainer_token"
    former, started = secret.read_text(), starts()
    for token in (token_hex(32), former):
        secret.write_text(token)
        enough = answered_claims() + 3
        until(lambda enough=enough: answered_claims() > enough, "the new token is answered", 60)
    assert stack.compose("logs", "--no-color", "coordinator").count("the trainers' token is a new one") == 2
    assert starts() == started


def test_the_one_container_of_root_only_gives_volumes_away_and_has_ended(stack: Stack) -> None:
    name = stack.compose("ps", "--all", "--quiet", "volumes").strip()
    (container,) = json.loads(run("docker", "inspect", name, cwd=stack.folder))
    host = container["HostConfig"]
    assert (container["State"]["Status"], container["State"]["ExitCode"]) == ("exited", 0)
    assert host["NetworkMode"] == "none" and host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"]
    assert sorted(host["CapAdd"]) in (["CHOWN", "DAC_OVERRIDE"], ["CAP_CHOWN", "CAP_DAC_OVERRIDE"])
    assert host["LogConfig"]["Config"] == {"max-file": "5", "max-size": "10m"}
    assert host["Memory"] > 0 and host["MemorySwap"] == host["Memory"] and host["NanoCpus"] > 0


def reached(stack: Stack, *places: tuple[str, int]) -> list[str]:
    """Return the names that a trainer reaches."""
    reach = (
        f"import socket\nfor name, port in {places}:\n"
        "    try: socket.create_connection((name, port), 3).close(); print(name)\n"
        "    except OSError: pass\n"
    )
    return stack.compose("exec", "-T", "trainer", "python3", "-c", reach).split()


PLACES = (("coordinator", 5000), ("alertmanager", 9093), ("grafana", 3000))


def test_trainers_reach_the_coordinator_and_nothing_that_watches(stack: Stack) -> None:
    assert reached(stack, *PLACES) == ["coordinator"]


def test_what_is_secret_or_of_this_machine_is_not_committed(stack: Stack) -> None:
    names = [
        *(f"secrets/{name}" for name in SECRETS),
        ".env",
        ".env.night",
        "deploy/alerting.env",
    ]
    assert all((stack.folder / name).exists() for name in names)
    assert run("git", "check-ignore", *names, cwd=ROOT).split() == names


def test_secrets_are_in_no_image_no_environment_and_no_log(stack: Stack) -> None:
    secrets = [(stack.folder / "secrets" / name) for name in SECRETS]
    inspected = json.dumps([stack.containers(service) for service in SERVICES])
    logged = stack.compose("logs", "--no-color")
    images = run("docker", "image", "inspect", COORDINATOR, TRAINER, cwd=stack.folder)
    for path in secrets:
        assert path.stat().st_mode & 0o777 == 0o600, path
        value = path.read_text().strip()
        assert len(value) >= 32
        for place in (inspected, logged, images):
            assert value not in place, path.name


def test_images_carry_only_what_their_service_needs(stack: Stack) -> None:
    base = _size("python:3.13-slim-trixie")
    assert _size(COORDINATOR) - base <= 110e6
    assert _size(TRAINER) - base <= 480e6
    found = "import importlib.util as u, sys; print([m for m in sys.argv[1:] if u.find_spec(m)])"
    for image, absent in (
        (COORDINATOR, ("sklearn", "pandas", "numpy", "trainer")),
        (TRAINER, ("fastapi", "uvicorn", "sqlalchemy", "coordinator")),
    ):
        said = run(
            "docker", "run", "--rm", "--network=none", "--entrypoint", "python3", image, "-c", found, *absent,
            cwd=stack.folder,
        )  # fmt: skip
        assert said.strip() == "[]", image
        with pytest.raises(AssertionError):
            run(
                "docker", "run", "--rm", "--network=none", "--entrypoint", "cc", image, "-v", cwd=stack.folder
            )


def _size(image: str) -> int:
    return int(run("docker", "image", "inspect", "--format", "{{.Size}}", image, cwd=ROOT))


def test_every_expression_of_every_board_returns_data_and_every_rule_is_evaluated(stack: Stack) -> None:
    until(stack.done, "a night", 120)
    expected = [one for one in expressions() if not one.may_be_empty]
    assert len(expected) > 50
    missing: list[str] = []

    def all_answer() -> bool:
        silent = {f"{one.board}, {one.place}" for one in expected if not stack.query(one.expr)}
        missing[:] = sorted(place for place in silent if not borne_by_another(place, silent))
        return not missing

    try:
        until(all_answer, "data for every expression", 90)
    except AssertionError:
        pytest.fail("no data for:\n" + "\n".join(missing))
    groups = stack.get("PROMETHEUS", "/api/v1/rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []
    assert sum(rule["type"] == "alerting" for rule in rules) >= 20


def test_scaling_up_and_down_in_mid_night_loses_nothing(stack: Stack) -> None:
    stack.configure(LONG)
    stack.compose("up", "--detach", "--wait", "--force-recreate", "coordinator")
    stack.start_night()
    until(lambda: stack.training()["succeeded"] >= 1, "a first cell", 60)
    said = stack.make("report")
    assert re.search(rf"night \d+ is running: \d+ of {LONG_CELLS} cells", said)
    assert "0.5" in said and "..." in said
    stack.make("scale", "N=3")
    until(lambda: _at_work_or_too_many(stack.status()["trainers"], 3), "three at work, or said why not", 60)
    assert "TRAINERS=3\n" in (stack.folder / ".env").read_text(), "the next make up has three too"
    stack.make("scale", "N=1")
    until(stack.done, "the long night", 240)
    results = stack.results()
    assert results["totals"]["succeeded"] == results["totals"]["jobs"] == LONG_CELLS
    _each_cell_was_trained_once_at_a_time(results)
    released = [a for job in results["jobs"] for a in job["attempts"] if a["outcome"] == "released"]
    assert all(not attempt["charged"] for attempt in released)


def _at_work_or_too_many(trainers: list[Any], wanted: int) -> bool:
    """Whether so many are there, and those that do not work say that no more of them may on this host."""
    present = [trainer for trainer in trainers if trainer["state"] in ("working", "waiting", "idle")]
    waiting = [trainer for trainer in present if trainer["state"] != "working"]
    says_why = all("may work at once on this host" in trainer["note"] for trainer in waiting)
    return len(present) == wanted and len(waiting) < wanted - 1 and says_why


@pytest.mark.parametrize("number", ["", "-1", "abc", "2.5", "1000"])
def test_a_number_of_trainers_that_cannot_be_is_refused(stack: Stack, number: str) -> None:
    said = refused("make", "scale", f"N={number}", cwd=stack.folder, **stack.environment())
    assert "nighttrain: say how many" in said or "nighttrain: N must be a whole number from 0 to 256" in said


def test_killed_main_processes_come_back_and_the_night_ends_as_if_undisturbed(stack: Stack) -> None:
    undisturbed = essence(stack.results())
    stack.start_night()
    for service in ("trainer", "coordinator", "prometheus"):
        before = stack.training()["succeeded"] if service != "coordinator" else 0
        (container,) = stack.containers(service)
        os.kill(main_process(container), signal.SIGKILL)
        until(lambda c=container, s=service: _came_back(stack, s, c), f"{service} back", 60)
        if service == "trainer":
            until(lambda b=before: stack.training()["succeeded"] > b, "work going on", 60)
    until(stack.done, "the disturbed night", 240)
    results = stack.results()
    assert essence(results) == undisturbed
    _each_cell_was_trained_once_at_a_time(results)
    assert stack.query("max_over_time(nighttrain_run_progress_ratio[10m])"), "Prometheus kept what it knew"


def _came_back(stack: Stack, service: str, before: Any) -> bool:
    (now,) = stack.containers(service)
    return bool(
        now["RestartCount"] > before["RestartCount"] and now["State"]["Health"]["Status"] == "healthy"
    )


def _each_cell_was_trained_once_at_a_time(results: Any) -> None:
    for job in results["jobs"]:
        attempts = sorted(job["attempts"], key=lambda attempt: attempt["started"])
        for earlier, later in pairwise(attempts):
            assert earlier["ended"] <= later["started"], job
        assert sum(attempt["outcome"] == "succeeded" for attempt in attempts) == 1, job


@pytest.mark.long
def test_down_and_up_goes_on_where_the_night_was(stack: Stack) -> None:
    undisturbed = essence(stack.results())
    stack.start_night()
    until(lambda: stack.training()["succeeded"] >= 5, "some cells", 60)
    ended = stack.status()["run"]["id"] - 1
    stack.make("down")
    said = stack.make("report")
    assert "cells are done; make up continues it" in said and "the containers are stopped" in said
    assert f"Night {ended}: " in said and f"{LONG_CELLS} of {LONG_CELLS} cells trained" in said
    stack.compose("up", "--detach", "--wait", *SERVICES)
    assert stack.status()["run"]["training"]["succeeded"] >= 5
    until(stack.done, "the night that was stopped", 240)
    assert essence(stack.results()) == undisturbed


@pytest.mark.long
def test_a_child_over_the_limit_is_killed_by_the_kernel_and_an_alert_says_so(
    stack: Stack,
) -> None:
    """The cgroup kills, the agent names it with the peak, Prometheus sees it, Alertmanager tells."""
    stack.configure({"symbols": ["BTCUSDT"], "timeframes": ["1m"], "horizons": [1, 2]})
    stack.compose("up", "--detach", "--wait", "--force-recreate", "coordinator")
    _one_trainer_of(stack, "150m")
    stack.compose("exec", "-T", "trainer", "sh", "-c", "rm -rf /cache/*")
    stack.start_night()

    def killed() -> list[Any]:
        night = stack.status()["run"]["id"]
        jobs = stack.get("DASHBOARD", "/api/jobs", run=str(night))["jobs"]
        details = [stack.get("DASHBOARD", f"/api/jobs/{job['id']}") for job in jobs]
        return [attempt for job in details for attempt in job["history"] if attempt["cause"] == "oom"]

    attempt = until(killed, "an out-of-memory kill", 90)[0]
    assert attempt["peak_memory_bytes"] > 0
    assert "oom_kill" in attempt["evidence"]

    until(stack.done, "the end of a night that no trainer has room for", 60)
    results = stack.results()
    assert {(job["state"], job["cause"]) for job in results["jobs"]} == {("failed", "oom")}
    assert all("no trainer has more room" in job["message"] for job in results["jobs"])
    until(lambda: told(stack, "NighttrainOutOfMemoryKill", firing=True), "the alert received", 120)
    _one_trainer_of(stack, "1g")
    stack.start_night()
    until(stack.done, "the night, in a larger room", 120)
    assert {job["state"] for job in stack.results()["jobs"]} == {"succeeded"}


def told(stack: Stack, name: str, *, firing: bool) -> bool:
    alerts = stack.get("DASHBOARD", "/api/alerts")["alerts"]
    return any(alert["name"] == name and alert["firing"] is firing for alert in alerts)


def _one_trainer_of(stack: Stack, memory: str) -> None:
    up = (
        "docker",
        "compose",
        "up",
        "--detach",
        "--wait",
        "--force-recreate",
        "--scale",
        "trainer=1",
        "trainer",
    )
    run(*up, cwd=stack.folder, **stack.environment(), TRAINER_MEMORY=memory)


@pytest.mark.long
def test_an_alert_that_is_over_is_received_as_resolved(stack: Stack) -> None:
    """A refused timeframe raises NighttrainDataRefused; the next night without it ends the alert."""
    stack.configure({"symbols": ["BTCUSDT", "NOPEUSDT"], "timeframes": ["1h"], "horizons": [1]})
    stack.compose("up", "--detach", "--wait", "--force-recreate", "coordinator")
    stack.start_night()
    until(stack.done, "a night with a symbol that has no candles", 60)

    until(lambda: told(stack, "NighttrainDataRefused", firing=True), "NighttrainDataRefused firing", 150)
    assert any(alert["name"] == "NighttrainDataRefused" for alert in stack.status()["alerts"])
    stack.configure(SMALL)
    stack.compose("up", "--detach", "--wait", "--force-recreate", "coordinator")
    stack.start_night()
    until(lambda: told(stack, "NighttrainDataRefused", firing=False), "NighttrainDataRefused resolved", 300)
    until(stack.done, "the night with candles of all symbols", 120)


@pytest.mark.long
def test_a_changed_model_with_an_unfinished_night_names_what_to_do(stack: Stack) -> None:
    stack.configure(LONG)
    stack.compose("up", "--detach", "--wait", "--force-recreate", "coordinator")
    stack.start_night()
    stack.compose("exec", "-T", "coordinator", "nighttrain", "pause")
    stack.configure({**LONG, "model": {"C": [0.1, 1.0]}})
    start = ("docker", "compose", "exec", "-T", "coordinator", "nighttrain", "stack", "start")
    said = refused(*start, cwd=stack.folder, **stack.environment())
    assert "is unfinished and has another configuration: model" in said and "make up FRESH=1" in said
    stack.configure(SMALL)
    assert " started: " in stack.compose(*start[2:], "--fresh")
    until(stack.done, "the night that was started over", 120)


@pytest.mark.long
def test_a_changed_configuration_is_in_force_after_make_up_and_an_unchanged_one_disturbs_nothing(
    stack: Stack,
) -> None:
    stack.configure({**SMALL, "n_splits": 4})
    assert " started: " in stack.make("up")
    until(stack.done, "a night of four folds", 120)
    assert {len(job["folds"]) for job in stack.results()["jobs"]} == {4}
    before = [one["Id"] for service in SERVICES for one in stack.containers(service)]
    assert " started: " in stack.make("up")
    assert [one["Id"] for service in SERVICES for one in stack.containers(service)] == before
    until(stack.done, "another night", 120)
    said = run("make", "up", cwd=stack.folder, **stack.environment(), BT_NIGHT_TRAINING="false")
    assert "no night was started" in said, "the environment wins over .env"


@pytest.mark.long
def test_settings_of_the_night_in_env_reach_the_coordinator_and_mistakes_are_named(stack: Stack) -> None:
    env = stack.folder / ".env"
    before = env.read_text()
    said = refused("make", "up", cwd=stack.folder, **stack.environment(), BT_NIGHT_N_SPLITS="3")
    assert "BT_NIGHT_N_SPLITS does not reach the containers from here: write it into .env" in said
    env.write_text(before + "BT_NIGHT_N_SPLITZ=3\n")
    said = refused("make", "up", cwd=stack.folder, **stack.environment())
    assert "BT_NIGHT_N_SPLITZ is no setting (did you mean BT_NIGHT_N_SPLITS?)" in said
    env.write_text(before + "BT_NIGHT_N_SPLITS=3\n")
    stack.configure(SMALL)
    stack.make("up")
    assert stack.status()["run"]["config"]["n_splits"] == 3
    until(stack.done, "a night of three folds", 120)
    env.write_text(before)
    stack.make("up")


def ways_out(stack: Stack) -> list[str]:
    """Return the networks of the trainers that lead out of this machine."""
    names = {name for one in stack.containers("trainer") for name in one["NetworkSettings"]["Networks"]}
    internal = "{{.Name}} {{.Internal}}"
    said = run("docker", "network", "inspect", *sorted(names), "--format", internal, cwd=ROOT)
    return [
        name for name, _, inside in (line.partition(" ") for line in said.splitlines()) if inside != "true"
    ]


@pytest.mark.long
def test_candles_come_from_an_object_store_by_a_way_out_that_trainers_have_only_then(stack: Stack) -> None:
    until(stack.done, "a night on the folder", 120)
    of_folder = stack.results()
    env = stack.folder / ".env"
    before = env.read_text()
    network = f"{PROJECT}_jobs-outside"
    gateway = "{{(index .IPAM.Config 0).Gateway}}"
    objects = ObjectStore(
        host=run("docker", "network", "inspect", network, "--format", gateway, cwd=ROOT).strip()
    )
    try:
        assert ways_out(stack) == []
        objects.put_folder(stack.candles, "candles")
        keys = stack.folder / "secrets" / "candles"
        keys.write_text(objects.profile)
        keys.chmod(0o600)
        env.write_text(
            before.replace("CANDLES_URL=\n", f"CANDLES_URL=s3://{BUCKET}/candles\n").replace(
                "CANDLES_CREDENTIALS=\n", "CANDLES_CREDENTIALS=./secrets/candles\n"
            )
        )
        said = stack.make("up")
        assert f"candles come from s3://{BUCKET}/candles, to which trainers have a way out" in said
        assert ways_out(stack) == [network]
        assert reached(stack, *PLACES) == ["coordinator"]
        until(stack.done, "a night on the store", 180)
        assert objects.requests(f"GET /{BUCKET}/candles/")
        assert [fits(job) for job in stack.results()["jobs"]] == [fits(job) for job in of_folder["jobs"]]
    finally:
        env.write_text(before)
        objects.close()
    stack.make("up")
    assert ways_out(stack) == []


@pytest.mark.long
def test_a_mistake_in_whom_to_tell_is_named_and_stops_neither_alerts_nor_the_night(stack: Stack) -> None:
    alerting = stack.folder / "deploy" / "alerting.env"
    before = alerting.read_bytes()
    alerting.write_text("WEBHOOK_URL=nas.local/hook\n")
    wrong = "deploy/alerting.env: WEBHOOK_URL must be a URL that begins with http:// or https://"
    assert wrong in refused("make", "alerts", cwd=stack.folder, **stack.environment())
    done = subprocess.run(
        ["make", "up"],
        cwd=stack.folder,
        env={**os.environ, **stack.environment()},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0 and wrong in done.stderr
    assert "alerts go to the coordinator only" in done.stderr
    (container,) = stack.containers("alertmanager")
    assert container["State"]["Health"]["Status"] == "healthy"
    alerting.write_bytes(before)
    assert "alerts go where deploy/alerting.env says" in stack.make("alerts")


def test_another_copy_takes_neither_the_name_nor_the_ports_of_this_one(stack: Stack, tmp_path: Path) -> None:
    other = checkout(tmp_path)
    shutil.copytree(stack.folder / "data", other / "data")
    before = [one["Id"] for service in SERVICES for one in stack.containers(service)]
    for command in ("up", "down", "clean-data", "report", "alerts"):
        said = refused("make", command, cwd=other, **stack.environment())
        assert f"the containers named {PROJECT} belong to the copy in {stack.folder}" in said, command
    port = str(stack.ports["PROMETHEUS"])
    named = {"COMPOSE_PROJECT_NAME": f"{PROJECT}-2", "PROMETHEUS_PORT": port}
    free = {f"{name}_PORT": "0" for name in ("DASHBOARD", "GRAFANA", "ALERTMANAGER")}
    try:
        said = refused("make", "up", cwd=other, **named, **free)
    finally:
        run("make", "clean-data", "YES=1", cwd=other, **named, **free)
    assert f"port {port} of 127.0.0.1 is taken: set another PROMETHEUS_PORT in .env" in said
    assert not (other / "secrets").exists(), "it is said before anything is made"
    assert [one["Id"] for service in SERVICES for one in stack.containers(service)] == before


def test_a_browser_is_not_let_in_by_another_name(stack: Stack) -> None:
    import httpx

    url = f"http://127.0.0.1:{stack.ports['DASHBOARD']}/api/status"
    assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 422
    assert httpx.post(url.replace("status", "runs"), json={}).status_code == 401


@pytest.mark.long
def test_a_user_goes_on_where_root_has_begun_in_a_clone_that_its_owner_alone_may_read(
    stack: Stack,
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be two users")
    nights = len(stack.get("DASHBOARD", "/api/runs")["runs"])
    made = {".env", ".env.night", "secrets"}
    for path in (stack.folder, *stack.folder.rglob("*")):
        if not made & set(path.relative_to(stack.folder).parts):
            os.chown(path, 1000, 1000)
    for name in ("prometheus", "grafana", "deploy"):
        for path in ((stack.folder / name), *(stack.folder / name).rglob("*")):
            path.chmod(0o700 if path.is_dir() or path.suffix == ".sh" else 0o600)
    home = stack.folder / ".home"
    home.mkdir()
    os.chown(home, 1000, 1000)
    group = Path("/var/run/docker.sock").stat().st_gid
    user = ("setpriv", "--reuid=1000", "--regid=1000", f"--groups={group}", "env", f"HOME={home}")
    given = {**stack.environment(), "BT_NIGHT_TRAINING": "false"}
    said = refused(*user, "make", "up", cwd=stack.folder, **given)
    todo = re.search(r"sudo (chown 1000:1000 \.env \.env\.night), then run: make up", said)
    assert todo is not None, said
    run(*todo[1].split(), cwd=stack.folder)
    said = run(*user, "make", "up", cwd=stack.folder, **given)
    assert "the containers run as user 1000 now: .env had 10001" in said
    for service in SERVICES:
        for container in stack.containers(service):
            assert container["State"]["Health"]["Status"] == "healthy", service
            assert container["Config"]["User"] == "1000:1000", service
    assert len(stack.get("DASHBOARD", "/api/runs")["runs"]) == nights, "the volumes went with it"
    assert stack.query("count_over_time(up[1h])"), "and the metrics"
    token = stack.folder / "secrets" / "nighttrain_token"
    assert token.stat().st_uid == 1000 and token.stat().st_mode & 0o777 == 0o600
    replaced = ("--filter", "dangling=true", "--filter", f"label=com.docker.compose.project={PROJECT}")
    left = run("docker", "image", "ls", "--quiet", *replaced, cwd=stack.folder)
    assert not left, "images of an earlier build are left"


@pytest.mark.parametrize(
    "written",
    ["3 # as many", "3", '"3"', "'3' # as many", '"3" # "as many"', " 3 ", "3\r", "3 # as many\r"],
)
def test_a_value_of_env_is_what_compose_reads(tmp_path: Path, written: str) -> None:
    """No engine is asked: Compose says what it read, and that is what is gone by."""
    folder = checkout(tmp_path)
    text = f"TRAINERS=1\nTRAINERS={written}\nGRAFANA_PORT=3#1\nCANDLES_DIR=~/my candles\n"
    (folder / ".env").write_bytes(f"{text}NIGHT_CONFIG=$HOME/mine.yaml".encode())
    config = run(
        "docker", "compose", "--profile", "tools", "config", "--format", "json",
        cwd=folder, HOME="/home/me", GRAFANA_PORT="3200",
    )  # fmt: skip
    read = json.loads(config)["services"]["stack"]["environment"]
    info = json.dumps({"NCPU": 2, "MemTotal": 2**33})
    facts = read_facts(f"{info}{config}GRAFANA_PORT=3200\n", read)
    assert facts.value("TRAINERS") == "3"
    assert (facts.value("GRAFANA_PORT"), facts.composition.dotenv["GRAFANA_PORT"]) == ("3200", "3#1")
    assert facts.composition.candles == "/home/me/my candles"
    assert facts.composition.config == "/home/me/mine.yaml"
    assert facts.composition.root == str(folder)


def test_a_bare_folder_is_no_name_of_a_volume_and_mounts_are_labelled(tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    (folder / ".env").write_text("CANDLES_DIR=mine\n")
    services = json.loads(run("docker", "compose", "config", "--format", "json", cwd=folder))["services"]
    binds = {
        (name, volume["target"]): volume
        for name, service in services.items()
        for volume in service.get("volumes", [])
        if volume["type"] == "bind"
    }
    assert binds["trainer", "/candles"]["source"] == str(folder / "mine")
    assert len(binds) >= 7
    assert {volume["bind"].get("selinux") for volume in binds.values()} == {"z"}
    labelled = {volume["source"] for volume in binds.values()}
    assert {str(folder / "secrets"), str(folder / "deploy")} <= labelled, (
        "what is mounted as secrets and configs"
    )


def test_podman_mounts_the_configuration_that_compose_has_as_a_config(tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    files = ("-f", "docker-compose.yml", "-f", "deploy/podman.yml", "--profile", "tools")
    said = run(
        "docker", "compose", *files, "config", "--format", "json", cwd=folder, NIGHT_CONFIG="./mine.yaml"
    )
    services = json.loads(said)["services"]
    needed = {one for one in services if one != "stack" and services[one].get("configs")}
    for name in needed:
        [config] = services[name]["configs"]
        [mount] = [one for one in services[name]["volumes"] if one["target"] == config["target"]]
        assert (mount["source"], mount["read_only"]) == (str(folder / "mine.yaml"), True)
    assert needed == {"coordinator", "sample"}


def test_the_commands_that_the_readme_gives_by_hand_train_a_night(engine: None, tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    hand = Stack(folder, free_ports())
    hand.configure(SMALL)
    user = os.geteuid() or 10001
    (folder / "secrets").mkdir()
    for place in SECRETS:
        secret = folder / "secrets" / place
        secret.write_text(token_hex(16))
        secret.chmod(0o600)
        os.chown(secret, user, user)
    values = {"NIGHTTRAIN_UID": user, "NIGHTTRAIN_GID": user, "TRAINERS": 1, "TRAINER_MEMORY": "1g"}
    values |= {"COMPOSE_PROJECT_NAME": f"{PROJECT}-by-hand", "CANDLES_DIR": "./data/sample"}
    values |= {f"{name}_PORT": port for name, port in hand.ports.items()}
    (folder / ".env").write_text("".join(f"{key}={value}\n" for key, value in values.items()))
    block = re.search(r"2\. Use plain Compose:\n\n```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert block is not None
    commands = [line.partition("#")[0].split() for line in block[1].splitlines()]
    assert len(commands) == 12
    try:
        for command in commands:
            if command[0] == "mkdir":
                run(*command, cwd=folder)
                os.chown(folder / "data" / "sample", user, user)
                continue
            said = run(*(word for word in command if word != "-f"), cwd=folder)
            if command[-2:] == ["nighttrain", "start"]:
                assert "started: 8 cells" in said
                until(hand.done, "the night", 180)
            elif command[-2:] == ["nighttrain", "report"]:
                assert "8 of 8 cells trained" in said
            elif command[2:] == ["ps"]:
                assert said.count("(healthy)") >= len(SERVICES)
    finally:
        run("docker", "compose", "down", "--volumes", "--timeout", "5", cwd=folder)
