"""A real Alertmanager tells a real coordinator, by the configuration of the stack."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from common.protocol.alerts import AlertView
from tests.metrics.scrape import free_port
from tests.trainer.real_night import ROOT, Coordinator, eventually

LABELS = {
    "alertname": "NighttrainTrainerLost",
    "severity": "warning",
    "component": "trainer",
    "trainer": "t2",
}
ANNOTATIONS = {
    "summary": "Trainer t2 is lost",
    "description": "Trainer t2 has been silent for 2m 5s.",
    "runbook_url": "http://127.0.0.1:5000/runbook#nighttraintrainerlost",
}


@pytest.fixture
def coordinator(tmp_path: Path) -> Iterator[Coordinator]:
    started = Coordinator(tmp_path).start()
    yield started
    started.close()


def configuration(coordinator: Coordinator) -> dict[str, Any]:
    """The stack's own, with the address and the token of this coordinator, and without its waits."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "prometheus/alertmanager.yml").read_text())
    document.pop("templates")
    waits = {"group_wait": "0s", "group_interval": "1s"}
    for route in (document["route"], *document["route"]["routes"]):
        route.update(waits)
    [receiver] = [one for one in document["receivers"] if one["name"] == "coordinator"]
    [webhook] = receiver["webhook_configs"]
    webhook["url"] = webhook["url"].replace("http://coordinator:5000", coordinator.url)
    assert webhook["url"] == f"{coordinator.url}/api/alerts"
    webhook["http_config"]["authorization"]["credentials_file"] = str(coordinator.out / "alerts_token")
    return document


@pytest.fixture
def alertmanager(coordinator: Coordinator, tmp_path: Path) -> Iterator[str]:
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("Alertmanager is not installed (Debian: apt install prometheus-alertmanager)")
    config = tmp_path / "alertmanager.yml"
    config.write_text(yaml.safe_dump(configuration(coordinator)))
    url = f"127.0.0.1:{free_port()}"
    options = [f"--config.file={config}", f"--storage.path={tmp_path / 'store'}"]
    options += [f"--web.listen-address={url}", "--cluster.listen-address="]
    with (tmp_path / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen([program, *options], stdout=log, stderr=subprocess.STDOUT)
    eventually(lambda: is_ready(f"http://{url}"))
    yield f"http://{url}"
    process.terminate()
    process.wait(10)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def tell(alertmanager: str, starts: datetime, ends: datetime | None = None) -> None:
    """Say what Prometheus says of an alert that fires, or that has ended."""
    alert = {"labels": LABELS, "annotations": ANNOTATIONS, "startsAt": starts.isoformat()}
    if ends is not None:
        alert["endsAt"] = ends.isoformat()
    httpx.post(f"{alertmanager}/api/v2/alerts", json=[alert], trust_env=False).raise_for_status()


def test_an_alert_is_received_and_its_end_too(coordinator: Coordinator, alertmanager: str) -> None:
    operator = coordinator.client
    assert operator is not None
    starts = datetime.now(UTC) - timedelta(minutes=3)
    tell(alertmanager, starts)

    def received(firing: bool) -> AlertView | None:
        found = operator.alerts(firing=firing).alerts
        return found[0] if found else None

    fired = eventually(lambda: received(firing=True))
    assert (fired.name, fired.severity, fired.labels) == ("NighttrainTrainerLost", "warning", LABELS)
    assert (fired.summary, fired.description, fired.runbook) == tuple(ANNOTATIONS.values())
    assert abs(fired.starts - starts) < timedelta(milliseconds=1)
    assert [one.id for one in operator.status().alerts] == [fired.id]

    ends = datetime.now(UTC)
    tell(alertmanager, starts, ends)
    over = eventually(lambda: received(firing=False))
    assert over.id == fired.id and over.ends is not None
    assert abs(over.ends - ends) < timedelta(milliseconds=1)
    assert operator.alerts().total == 1
    log = (coordinator.out / "logs" / "batch_train_night.log").read_text()
    assert log.count("alert NighttrainTrainerLost (warning): Trainer t2 has been silent for 2m 5s.") == 1
    assert log.count("alert NighttrainTrainerLost is resolved: Trainer t2 is lost") == 1
