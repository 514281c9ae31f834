"""A real Prometheus with the stack's configuration, rules and alerts, and an Alertmanager to scrape."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.metrics.scrape import free_port
from tests.trainer.real_night import ROOT, eventually

ADDRESS = "https://night.example.org"
"""By which the links in alerts begin."""

BOARDS_ADDRESS = "https://boards.example.org"
ENVIRONMENT = {"NIGHTTRAIN_URL": ADDRESS, "GRAFANA_URL": BOARDS_ADDRESS, "STACK_NAME": "night"}

STEP_SECONDS = 0.5
"""How often it scrapes, evaluates its rules, and is asked about the past: the stack does so every 15 s."""

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """A series of an answer, and the numbers that it had."""

    labels: Labels
    values: tuple[float, ...]


class Monitoring:
    """Prometheus and Alertmanager as processes.

    Parameters
    ----------
    folder : Path
        Where they keep their files.
    coordinators : sequence of str
        The coordinators' addresses.
    trainers : sequence of str
        The trainers' addresses, which the stack learns from its name server.
    step_seconds : float
        How often it scrapes and evaluates its rules.
    thresholds : mapping, optional
        Thresholds of alerts by their name, in place of those of the stack.
    """

    def __init__(
        self,
        folder: Path,
        coordinators: Sequence[str],
        trainers: Sequence[str],
        step_seconds: float = STEP_SECONDS,
        thresholds: Mapping[str, float] | None = None,
    ) -> None:
        self.folder = folder
        self.step_seconds = step_seconds
        self.thresholds = thresholds or {}
        self.targets = {"coordinator": list(coordinators), "trainer": list(trainers)}
        self.targets |= {job: [f"127.0.0.1:{free_port()}"] for job in ("prometheus", "alertmanager")}
        self.began = time.time()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._client = httpx.Client(
            base_url=f"http://{self.targets['prometheus'][0]}/api/v1", trust_env=False, timeout=30
        )

    def start(self) -> None:
        """Start both and wait until they are ready."""
        prometheus = shutil.which("prometheus")
        alertmanager = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        if prometheus is None or alertmanager is None:
            pytest.skip("no Prometheus or Alertmanager (Debian: prometheus, prometheus-alertmanager)")
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(self._configuration()))
        for name in ("rules.yml", "alerts.yml"):
            text = (ROOT / "prometheus" / name).read_text()
            for threshold, value in self.thresholds.items():
                rule = rf"(nighttrain:threshold:{threshold}\b[^\n]*\n\s*expr: vector)\([^)]*\)"
                text = re.sub(rule, rf"\g<1>({value})", text)
            (self.folder / name).write_text(sooner(text))
        self._start(
            "prometheus",
            prometheus,
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'series'}",
            "--enable-feature=expand-external-labels",
        )
        self._start(
            "alertmanager",
            alertmanager,
            f"--config.file={ROOT / 'prometheus' / 'alertmanager.yml'}",
            f"--storage.path={self.folder / 'notices'}",
            "--cluster.listen-address=",
        )
        eventually(lambda: len(self.now("up")) == sum(map(len, self.targets.values())))

    def now(self, expr: str) -> list[Answer]:
        """Return what an expression yields at this moment; nothing while Prometheus is not ready."""
        try:
            answer = self._client.get("/query", params={"query": expr})
        except httpx.TransportError:
            return []
        if answer.status_code == 503:
            return []
        return _answers(answer, "value")

    def ever(self, expr: str) -> list[Answer]:
        """Return what an expression yielded at any moment since the start."""
        span = {"start": self.began, "end": time.time(), "step": self.step_seconds}
        return _answers(self._client.post("/query_range", data={"query": expr, **span}), "values")

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules with how their last evaluation went."""
        answer = self._client.get("/rules").raise_for_status()
        return [rule for group in answer.json()["data"]["groups"] for rule in group["rules"]]

    def close(self) -> None:
        """End both."""
        self._client.close()
        for process in self._processes:
            process.kill()
            process.wait()

    def _start(self, job: str, program: str, *options: str) -> None:
        listen = f"--web.listen-address={self.targets[job][0]}"
        with (self.folder / f"{job}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    [program, *options, listen],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=os.environ | ENVIRONMENT,
                )
            )

    def _configuration(self) -> dict[str, Any]:
        document: dict[str, Any] = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text())
        pace = f"{self.step_seconds * 1000:.0f}ms"
        document["global"] |= {"scrape_interval": pace, "scrape_timeout": pace, "evaluation_interval": pace}
        # Alerts have tests of their own for where they go; here it is enough that they fire.
        del document["alerting"]
        for job in document["scrape_configs"]:
            job.pop("dns_sd_configs", None)
            job["static_configs"] = [{"targets": self.targets[job["job_name"]]}]
        return document


def sooner(text: str) -> str:
    """Return rules that wait for and look back on seconds where the stack's take minutes.

    Ranges stay as they are: they take what there is of them.
    """
    return re.sub(r"\boffset 5m", "offset 2s", re.sub(r"\b((?:keep_firing_)?for): \d+[ms]", r"\1: 1s", text))


def _answers(answer: httpx.Response, key: str) -> list[Answer]:
    assert answer.status_code == 200, answer.text
    return [
        Answer(series["metric"], numbers)
        for series in answer.json()["data"]["result"]
        for samples in [[series[key]] if key == "value" else series[key]]
        # What is not a number shows as an empty panel.
        if (numbers := tuple(float(value) for _, value in samples if math.isfinite(float(value))))
    ]
