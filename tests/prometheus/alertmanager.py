"""A real Alertmanager with the real configuration, and alerts as Prometheus sends them."""

import json
import os
import socket
import subprocess
import time
import urllib.request
from datetime import UTC, datetime, timedelta

from tests.prometheus.committed import ALERTS
from tests.prometheus.receivers import SMTP, installed, make


def alert(name, minutes=24 * 60, **labels):
    """An alert as Prometheus sends it, with the labels that its rule gives it; it ends in so many minutes.

    A day, because the cases below are made when tests are collected, and run when their turn comes.
    """
    ends = datetime.now(UTC) + timedelta(minutes=minutes)
    return {
        "labels": {"alertname": name, **ALERTS[name]["labels"], **labels},
        "annotations": {
            "summary": f"Summary of {name}",
            "description": f"Description of {name} <90 % & more>.",
            "action": "Do it",
            "runbook_url": f"http://127.0.0.1:5000/runbook#{name.lower()}",
            "dashboard_url": "http://127.0.0.1:3000/d/nighttrain-night",
        },
        "startsAt": (datetime.now(UTC) - timedelta(minutes=10)).isoformat(),
        "endsAt": ends.isoformat(),
    }


def labels(alert):
    return tuple(sorted(alert["labels"].items()))


def names(body):
    return {(one["labels"]["alertname"], one["status"]) for one in body["alerts"]}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Alertmanager:
    """A real one, with the real configuration but for addresses and the times that it gathers alerts for."""

    def __init__(self, folder, inbox):
        binary = installed("prometheus-alertmanager", "alertmanager")
        web = f"http://127.0.0.1:{inbox.web}"
        settings = {
            **SMTP,
            "SMTP_HOST": f"127.0.0.1:{inbox.mail}",
            "SLACK_WEBHOOK_URL": f"{web}/slack",
            "TELEGRAM_BOT_TOKEN": "123:abc",
            "TELEGRAM_CHAT_ID": "-100123",
            "DISCORD_WEBHOOK_URL": f"{web}/discord",
            "WEBHOOK_URL": f"{web}/webhook",
            "WEBHOOK_TOKEN": "theirs",
            "HEARTBEAT_URL": f"{web}/heartbeat",
        }
        (folder / "token").write_text("ours", encoding="utf-8")
        status, _, error = make(folder, settings, "true")
        assert status == 0, error
        config = folder / "made/alertmanager.yml"
        text = config.read_text(encoding="utf-8")
        for old, new in {
            "http://coordinator:5000": web,
            "/run/secrets/alerts_token": str(folder / "token"),
            "group_wait: 30s": "group_wait: 1s",
            "group_wait: 10s": "group_wait: 1s",
            "group_wait: 5s": "group_wait: 1s",
            "group_interval: 5m": "group_interval: 1s",
            "group_interval: 1m": "group_interval: 1s",
            "repeat_interval: 1m": "repeat_interval: 1s",
            "group_interval: 30s": "group_interval: 1s",
            "repeat_interval: 5m": "repeat_interval: 2s",
            "html: ''": "html: ''\n        require_tls: false",
            "parse_mode: ''": f"parse_mode: ''\n        api_url: {web}",
        }.items():
            assert old in text
            text = text.replace(old, new)
        config.write_text(text, encoding="utf-8")
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = (folder / "alertmanager.log").open("w+")
        self.process = subprocess.Popen(
            [
                binary,
                f"--config.file={config}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--cluster.listen-address=",
            ],
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"]},
        )
        deadline = time.monotonic() + 20
        while not self.answers():
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def answers(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def post(self, *alerts):
        body = json.dumps(alerts).encode()
        request = urllib.request.Request(
            f"{self.url}/api/v2/alerts", body, {"Content-Type": "application/json"}, method="POST"
        )
        urllib.request.urlopen(request, timeout=5).close()

    def inhibited(self):
        """Whether each alert, by its labels, is silenced by another."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=5) as answer:
            return {labels(alert): bool(alert["status"]["inhibitedBy"]) for alert in json.load(answer)}

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.log.close()
