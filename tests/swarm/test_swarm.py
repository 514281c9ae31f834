"""One night on three hosts: one is cut off and heals, one is killed, then the coordinator's."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.object_store import BUCKET
from tests.object_store import Server as ObjectStore
from tests.stack.conftest import ROOT, refused, run, until
from tests.stack.test_stack import essence, fits
from tests.swarm.conftest import CELLS, NIGHT, STACK, Swarm

LOG = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)


def stale_writes(swarm: Swarm) -> float:
    families = text_string_to_metric_families(swarm.get("/metrics"))
    samples = [one for family in families for one in family.samples]
    return sum(one.value for one in samples if one.name == "nighttrain_stale_writes_total")


def test_what_is_missing_is_one_line(swarm: Swarm) -> None:
    script, settings = swarm.folder / "deploy/swarm/deploy.sh", {**swarm.settings}
    manager = {**settings, "DOCKER_HOST": swarm.hosts.socket(1)}
    said = refused(script, cwd=swarm.folder, **{**settings, "DOCKER_HOST": swarm.hosts.socket(3)})
    assert said.startswith("deploy.sh: this engine is no manager of a Swarm")
    said = refused(script, "--share", cwd=swarm.folder, **manager)
    assert said == "deploy.sh: --share is no option; there is --shared\n"
    said = refused(script, cwd=swarm.folder, **{**manager, "NIGHT_CONFIG": "/nowhere"})
    assert said == "deploy.sh: NIGHT_CONFIG: /nowhere cannot be read\n"


def test_trainers_are_spread_over_the_hosts_and_named_after_them(swarm: Swarm) -> None:
    nodes = [swarm.hosts.node(host) for host in (1, 2, 3)]
    until(lambda: len(swarm.tasks("trainer")) == 6, "six trainers run", 180)
    assert sorted(swarm.tasks("trainer")) == sorted([*nodes, *nodes])
    places = {"coordinator": nodes[1], **dict.fromkeys(("prometheus", "alertmanager", "grafana"), nodes[0])}
    for service, node in places.items():
        until(lambda one=service, node=node: swarm.tasks(one) == [node], f"{service} is healthy", 180)
    until(lambda: len(swarm.get("/api/status")["trainers"]) == 6, "all have registered", 60)
    names = [one["name"] for one in swarm.get("/api/status")["trainers"]]
    assert sorted(name.rpartition("-")[0] for name in names) == sorted([*nodes, *nodes])


def test_prometheus_finds_every_trainer_on_every_host(swarm: Swarm) -> None:
    for job, number in (("trainer", 6), ("coordinator", 1)):
        up = f"up{{job='{job}'}}==1"
        until(lambda up=up, number=number: len(swarm.query(up)) == number, f"{number} {job} are scraped", 120)


def test_reading_needs_a_token_and_trainers_reach_nothing_that_watches(swarm: Swarm) -> None:
    ask = "import urllib.request as u; print(u.urlopen('http://{}', timeout=3).status)"
    with pytest.raises(AssertionError, match="HTTP Error 401"):
        swarm.inside(3, "trainer", "python3", "-c", ask.format("coordinator:5000/api/status"))
    assert swarm.inside(3, "trainer", "python3", "-c", ask.format("coordinator:5000/healthz")) == "200\n"
    for service, port in (("alertmanager", 9093), ("grafana", 3000)):
        with pytest.raises(AssertionError, match="URLError"):
            swarm.inside(3, "trainer", "python3", "-c", ask.format(f"{service}:{port}"))


def test_each_service_holds_only_the_secrets_that_it_needs_and_no_rights(swarm: Swarm) -> None:
    held = {
        "coordinator": {"nighttrain_token", "trainer_token", "alerts_token", "reader_token", "night"},
        "trainer": {"trainer_token"},
        "prometheus": {"reader_token"},
        "alertmanager": {"alerts_token", "alerting"},
        "grafana": {"grafana_password"},
    }
    for service, names in held.items():
        (found,) = json.loads(swarm.hosts.docker(1, "service", "inspect", f"{STACK}_{service}"))
        container = found["Spec"]["TaskTemplate"]["ContainerSpec"]
        held_here = {one["SecretName"] for one in container["Secrets"]}
        assert {name.removeprefix(f"{STACK}_").rpartition("_")[0] for name in held_here} == names
        assert {one["File"]["Mode"] for one in container["Secrets"]} == {0o400}, service
        assert container["ReadOnly"] and container["CapabilityDrop"] == ["ALL"], service
        assert int(container["User"].partition(":")[0]) > 0, service


def test_a_night_loses_two_hosts_and_a_network_and_its_results_stay_the_same(swarm: Swarm) -> None:
    hosts = swarm.hosts
    swarm.inside(2, "coordinator", "nighttrain", "start", "--retrain")
    until(lambda: swarm.training()["succeeded"] >= 6, "the night is under way", 120)
    _cut_off_and_heal(swarm)

    third = hosts.node(3)
    _at_work(swarm, third)
    hosts.script("kill", 3)
    killed = time.monotonic()
    taken = _expired(swarm, _held_by(swarm, third))
    LOG.info("killed: jobs %s were taken from it within %.0f s", taken, time.monotonic() - killed)
    assert swarm.training()["succeeded"] < CELLS - 6, "the night is too short to lose the coordinator in it"

    hosts.docker(1, "node", "update", "--label-add", "nighttrain.coordinator=true", hosts.node(1))
    before = swarm.training()["succeeded"]
    hosts.script("kill", 2)
    swarm.at = 1
    killed = time.monotonic()
    after = until(swarm.training, "the coordinator is back on another host", 180)
    LOG.info("killed: the coordinator was back on another host after %.0f s", time.monotonic() - killed)
    assert after["succeeded"] >= before, "nothing that was done is lost"
    until(
        lambda: swarm.tasks("trainer") == [hosts.node(1)] * 3,
        "as many trainers as may be run on the last",
        120,
    )

    until(lambda: swarm.get("/api/status")["run"]["results_path"], "the night is done", 600)
    results = swarm.get("/api/runs/1/results")
    assert {job["state"] for job in results["jobs"]} == {"succeeded"}
    assert essence(results) == essence(_of_an_undisturbed_night(swarm))


def test_trainers_read_candles_from_an_object_store_without_any_folder(
    swarm: Swarm, objects: ObjectStore, tmp_path: Path
) -> None:
    objects.put_folder(swarm.folder / "candles", "candles")
    keys = tmp_path / "keys"
    keys.write_text(objects.profile)
    url = f"s3://{BUCKET}/candles"
    # As many as the host that is left has room for: those that wait for one would hold the change up.
    room = {"TRAINERS": "3", "CANDLES_DIR": ""}
    swarm.deploy("--shared", CANDLES_URL=url, AWS_CREDENTIALS=str(keys), **room)
    # Those from before read the folder.
    until(lambda: set(_data_of(swarm)) == {f"--data={url}"}, "its trainers are new ones", 180)
    until(lambda: swarm.get("/api/status"), "the coordinator is there again", 120)
    swarm.inside(swarm.at, "coordinator", "nighttrain", "start", "--retrain")
    until(lambda: swarm.get("/api/status")["run"]["results_path"], "the night is done", 300)
    newest = swarm.get("/api/status")["run"]["id"]
    results = swarm.get(f"/api/runs/{newest}/results")
    failed = swarm.get("/api/jobs", run=newest, state="failed")["jobs"]
    assert not failed, [swarm.get(f"/api/jobs/{job['id']}")["history"] for job in failed[:3]]
    assert {job["state"] for job in results["jobs"]} == {"succeeded"}
    assert objects.requests(f"GET /{BUCKET}/candles/"), "they were fetched"
    if newest > 1:
        # What is promoted is not the same: there are champions now.
        of_folder = swarm.get("/api/runs/1/results")
        assert [fits(job) for job in results["jobs"]] == [fits(job) for job in of_folder["jobs"]]


def _data_of(swarm: Swarm) -> list[str]:
    """Return from where each trainer of the coordinator's host reads its candles."""
    found = []
    for container in swarm.containers(swarm.at, "trainer"):
        [one] = json.loads(swarm.hosts.docker(swarm.at, "inspect", container))
        found += [word for word in one["Args"] if word.startswith("--data=")]
    return found


def _cut_off_and_heal(swarm: Swarm) -> None:
    """Cut the third host off until its jobs are others', and heal it: what it brings then is refused."""
    third = swarm.hosts.node(3)
    refused_before = stale_writes(swarm)
    taken: set[tuple[int, int]] = set()
    try:
        while not taken:
            swarm.hosts.script("heal", 3)
            held = _cut_at_work(swarm, third)
            cut = time.monotonic()
            taken = _expired(swarm, held)
        LOG.info("cut off: jobs %s were taken from it within %.0f s", taken, time.monotonic() - cut)
    finally:
        swarm.hosts.script("heal", 3)
    healed = time.monotonic()
    until(lambda: stale_writes(swarm) > refused_before, "what it brings late is refused", 150)
    late = stale_writes(swarm) - refused_before
    LOG.info("healed: %.0f late writes were refused within %.0f s", late, time.monotonic() - healed)
    _at_work(swarm, third)
    LOG.info("healed: it worked again within %.0f s", time.monotonic() - healed)
    assert {_outcome(swarm, *each) for each in taken} == {"expired"}


def _cut_at_work(swarm: Swarm, node: str) -> dict[int, int]:
    """Cut the third host off while it holds jobs, and return them with the numbers of their attempts."""
    while True:
        _at_work(swarm, node)
        swarm.hosts.script("cut", 3)
        # What was held before the cut may have been finished until then; what is held now no longer can be.
        if held := _held_by(swarm, node):
            return held
        swarm.hosts.script("heal", 3)


def _at_work(swarm: Swarm, node: str) -> None:
    """Wait until a host holds jobs, while there are any."""

    def found() -> bool:
        assert swarm.training()["succeeded"] < CELLS, "the night was over before the host had a job of it"
        return bool(_held_by(swarm, node))

    until(found, "the third host is at work", 120)


def _held_by(swarm: Swarm, node: str) -> dict[int, int]:
    """Return the jobs that trainers of a host are at work on, with the numbers of their attempts."""
    leased = swarm.get("/api/jobs", run=1, state="leased", limit=500)["jobs"]
    return {one["id"]: one["attempts"] for one in leased if one["trainer"].startswith(node)}


def _expired(swarm: Swarm, held: dict[int, int]) -> set[tuple[int, int]]:
    """Wait until attempts have ended, and return those whose leases ran out.

    What was on its way before the host was lost may have arrived all the same.
    """
    for each in held.items():
        until(lambda each=each: _outcome(swarm, *each) != "running", f"job {each[0]} is taken from it", 90)
    outcomes = {each: _outcome(swarm, *each) for each in held.items()}
    assert set(outcomes.values()) <= {"expired", "succeeded"}, outcomes
    return {each for each, outcome in outcomes.items() if outcome == "expired"}


def _outcome(swarm: Swarm, job: int, number: int) -> str:
    history = swarm.get(f"/api/jobs/{job}")["history"]
    return next(str(one["outcome"]) for one in history if one["number"] == number)


def _of_an_undisturbed_night(swarm: Swarm) -> Any:
    calm = swarm.folder / "calm.yaml"
    calm.write_text(yaml.safe_dump(NIGHT))
    said = run(
        ROOT / ".venv/bin/nighttrain", "run", "--config", calm, "--data", swarm.folder / "candles",
        "--out", swarm.hosts.temporary / "calm", "--trainers", "1", "--json",
        cwd=ROOT, BT_NIGHT_DASHBOARD__ENABLED="false",
    )  # fmt: skip
    return json.loads(said)
