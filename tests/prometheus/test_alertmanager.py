"""Receivers: what deploy/alerting.env makes of the configuration, and what a real Alertmanager delivers."""

import json
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from coordinator.alerts import UNHEARD_SECONDS

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "prometheus"
EXAMPLE = ROOT / "deploy/alerting.env.example"

SMTP = {"SMTP_HOST": "smtp.example.org:587", "SMTP_FROM": "night@example.org", "SMTP_TO": "me@example.org"}
FILLED = {
    "email_configs": {**SMTP, "SMTP_USER": "me", "SMTP_PASSWORD": "secret"},
    "slack_configs": {"SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T/B/X"},
    "telegram_configs": {"TELEGRAM_BOT_TOKEN": "123:abc", "TELEGRAM_CHAT_ID": "-100123"},
    "discord_configs": {"DISCORD_WEBHOOK_URL": "https://discord.com/api/webhooks/1/abc"},
    "webhook_configs": {"WEBHOOK_URL": "https://example.org/hook", "WEBHOOK_TOKEN": "secret"},
}
EVERYTHING = {key: value for settings in FILLED.values() for key, value in settings.items()}


def installed(*names):
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"{names[0]} is not installed (Debian: apt install prometheus-alertmanager)")


def write(folder, settings):
    path = folder / "alerting.env"
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")
    return path


def make(folder, settings, *command, path=None):
    done = subprocess.run(
        ["sh", PROMETHEUS / "receivers.sh", path or write(folder, settings), folder / "made", *command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def receiver(folder):
    """What people get, made of their settings."""
    made = yaml.safe_load((folder / "made/alertmanager.yml").read_text(encoding="utf-8"))["receivers"]
    assert [one["name"] for one in made] == ["coordinator", "people"]
    assert made[0] == load(PROMETHEUS / "alertmanager.yml")["receivers"][0]
    return made[1]


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def checked(path):
    done = subprocess.run(
        [installed("amtool"), "check-config", path], capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_the_configuration_as_it_stands_is_valid():
    status, output = checked(PROMETHEUS / "alertmanager.yml")
    assert status == 0, output
    assert "1 templates" in output


@pytest.mark.parametrize(
    "settings", [*FILLED.values(), SMTP, EVERYTHING], ids=[*FILLED, "no_login", "everything"]
)
def test_each_filled_variant_is_valid(tmp_path, settings):
    assert make(tmp_path, settings, "true") == (0, "", "")
    status, output = checked(tmp_path / "made/alertmanager.yml")
    assert status == 0, output


@pytest.mark.parametrize("kind", FILLED)
def test_a_filled_block_adds_its_receiver_and_keeps_the_coordinator(tmp_path, kind):
    make(tmp_path, FILLED[kind], "true")
    made = receiver(tmp_path)
    assert set(made) == {"name", kind}
    assert len(made[kind]) == 1
    assert made[kind][0]["send_resolved"] is True


@pytest.mark.parametrize("path", [EXAMPLE, Path("/nonexistent/alerting.env")], ids=["example", "absent"])
def test_with_nothing_filled_in_the_coordinator_alone_is_told(tmp_path, path):
    assert make(tmp_path, {}, "true", path=path) == (0, "", "")
    made = load(tmp_path / "made/alertmanager.yml")
    assert made == load(PROMETHEUS / "alertmanager.yml")
    [coordinator] = made["receivers"][0]["webhook_configs"]
    assert coordinator["url"] == "http://coordinator:5000/api/alerts"
    assert coordinator["send_resolved"] is True


def test_the_example_names_every_setting_once_and_leaves_it_empty():
    lines = [line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    assert sorted(lines) == sorted(f"{key}=" for key in EVERYTHING)


@pytest.mark.parametrize("secret", ["it's", '"', "$HOME `id` $(id)", "a: b # c", "{{ . }}", "a\\nb", "x'--"])
def test_a_secret_is_taken_literally(tmp_path, secret):
    assert make(tmp_path, {**SMTP, "SMTP_USER": "me", "SMTP_PASSWORD": f"p{secret}"}, "true")[0] == 0
    assert receiver(tmp_path)["email_configs"][0]["auth_password"] == f"p{secret}"


def test_lines_of_windows_and_of_careful_people_are_read(tmp_path):
    path = tmp_path / "alerting.env"
    path.write_bytes(b"# mine\r\n\r\n  WEBHOOK_URL = http://nas.local/hook \r\nWEBHOOK_TOKEN=abc")
    assert make(tmp_path, {}, "true", path=path)[0] == 0
    [added] = receiver(tmp_path)["webhook_configs"]
    assert added["url"] == "http://nas.local/hook"
    assert added["http_config"]["authorization"]["credentials"] == "abc"


def test_only_the_owner_can_read_the_secrets(tmp_path):
    make(tmp_path, EVERYTHING, "true")
    assert (tmp_path / "made/alertmanager.yml").stat().st_mode & 0o077 == 0


def test_the_command_is_run_in_place(tmp_path):
    status, output, _ = make(tmp_path, {}, "cat", tmp_path / "made/alertmanager.yml")
    assert status == 0
    assert output == (tmp_path / "made/alertmanager.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("SLACK_WEBOOK_URL=https://x", "line 1: SLACK_WEBOOK_URL is no setting; there are: SMTP_HOST"),
        ("\nnonsense", "line 2: must be KEY=value"),
        ('SMTP_HOST="a:1"', "line 1: SMTP_HOST must be written without quotes"),
        ("SMTP_HOST=a:1\nSMTP_FROM=a@b", "SMTP_HOST SMTP_FROM is set, so SMTP_TO must be set too"),
        ("SMTP_HOST=a\nSMTP_FROM=a@b\nSMTP_TO=a@b", "SMTP_HOST must be host:port"),
        ("SMTP_HOST=a:1\nSMTP_FROM=a@b\nSMTP_TO=a@b\nSMTP_USER=a", "SMTP_USER is set, so SMTP_PASSWORD must"),
        ("SMTP_PASSWORD=a", "SMTP_USER or SMTP_PASSWORD is set, so SMTP_HOST"),
        ("TELEGRAM_BOT_TOKEN=1:a", "TELEGRAM_BOT_TOKEN is set, so TELEGRAM_CHAT_ID must be set too"),
        ("TELEGRAM_BOT_TOKEN=1:a\nTELEGRAM_CHAT_ID=me", "TELEGRAM_CHAT_ID must be a number"),
        ("DISCORD_WEBHOOK_URL=discord", "DISCORD_WEBHOOK_URL must be a URL"),
        ("WEBHOOK_TOKEN=a", "WEBHOOK_TOKEN is set, so WEBHOOK_URL must be set too"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_started(tmp_path, text, complaint):
    path = tmp_path / "alerting.env"
    path.write_text(text, encoding="utf-8")
    status, output, error = make(tmp_path, {}, "echo", "started", path=path)
    assert (status, output) == (2, "")
    assert error.startswith(f"{path}: {complaint}")
    assert error.count("\n") == 1


@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_every_alert_reaches_the_coordinator_and_people(severity):
    done = subprocess.run(
        [
            installed("amtool"),
            "config",
            "routes",
            "test",
            f"--config.file={PROMETHEUS / 'alertmanager.yml'}",
            f"severity={severity}",
            "alertname=HostCpuHigh",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.strip() == "coordinator,people"


def test_what_the_coordinator_is_told_of_again_it_does_not_hold_to_be_over():
    """Twice within the time that it waits, and that time is not much longer than it must be."""
    document = load(PROMETHEUS / "alertmanager.yml")
    [route] = [one for one in document["route"]["routes"] if one["receiver"] == "coordinator"]
    longest = seconds(route["repeat_interval"]) + seconds(route["group_interval"])
    assert 2 * longest < UNHEARD_SECONDS < 4 * longest


def seconds(duration):
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


class Inbox:
    """The far ends: an HTTP server for everything that is a webhook, and a mail server."""

    def __init__(self):
        self.arrived = {}
        self.changed = threading.Condition()
        inbox = self

        class Web(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.take(self.path, json.loads(body), self.headers.get("Authorization"))
                answer = {
                    "ok": True,
                    "result": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "group"}},
                }
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_):
                pass

        class Mail(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 ready\r\n")
                while command := self.rfile.readline().strip().upper():
                    if command.startswith(b"EHLO"):
                        self.wfile.write(b"250 localhost\r\n")
                    elif command == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        lines = iter(self.rfile.readline, b".\r\n")
                        inbox.take("/mail", b"".join(lines).decode(), None)
                        self.wfile.write(b"250 ok\r\n")
                    elif command == b"QUIT":
                        self.wfile.write(b"221 bye\r\n")
                        return
                    else:
                        self.wfile.write(b"250 ok\r\n")

        self.servers = [
            ThreadingHTTPServer(("127.0.0.1", 0), Web),
            socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail),
        ]
        self.web, self.mail = (server.server_address[1] for server in self.servers)
        self.threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,)) for server in self.servers
        ]
        for thread in self.threads:
            thread.start()

    def take(self, path, body, authorization):
        with self.changed:
            self.arrived.setdefault(path, []).append((body, authorization))
            self.changed.notify_all()

    def wait(self, path, accept, timeout=20.0):
        def found():
            return next((one for one in self.arrived.get(path, []) if accept(one[0])), None)

        with self.changed:
            assert self.changed.wait_for(found, timeout), f"nothing fitting came to {path}: {self.arrived}"
            return found()

    def close(self):
        for server, thread in zip(self.servers, self.threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


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
        }
        (folder / "token").write_text("ours", encoding="utf-8")
        status, _, error = make(folder, settings, "true")
        assert status == 0, error
        config = folder / "made/alertmanager.yml"
        text = config.read_text(encoding="utf-8")
        for old, new in {
            "http://coordinator:5000": web,
            "/run/secrets/nighttrain_token": str(folder / "token"),
            "group_wait: 30s": "group_wait: 1s",
            "group_wait: 10s": "group_wait: 1s",
            "group_wait: 5s": "group_wait: 1s",
            "group_interval: 5m": "group_interval: 1s",
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


@pytest.fixture(scope="module")
def inbox():
    inbox = Inbox()
    yield inbox
    inbox.close()


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory, inbox):
    running = Alertmanager(tmp_path_factory.mktemp("alertmanager"), inbox)
    yield running
    running.stop()


RULES = {
    rule["alert"]: rule["labels"]
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
}


def alert(name, minutes=24 * 60, **labels):
    """An alert as Prometheus sends it, with the labels that its rule gives it; it ends in so many minutes.

    A day, because the cases below are made when tests are collected, and run when their turn comes.
    """
    ends = datetime.now(UTC) + timedelta(minutes=minutes)
    return {
        "labels": {"alertname": name, **RULES[name], **labels},
        "annotations": {
            "summary": f"Summary of {name}",
            "description": f"Description of {name} <90 % & more>.",
            "runbook_url": f"deploy/runbook.md#{name.lower()}",
        },
        "startsAt": (datetime.now(UTC) - timedelta(minutes=10)).isoformat(),
        "endsAt": ends.isoformat(),
    }


def labels(alert):
    return tuple(sorted(alert["labels"].items()))


def names(body):
    return {(one["labels"]["alertname"], one["status"]) for one in body["alerts"]}


def test_an_alert_goes_through_alertmanager_to_every_receiver_and_so_does_its_end(alertmanager, inbox):
    alertmanager.post(alert("HostCpuHigh"))
    text = "[warning] HostCpuHigh: Description of HostCpuHigh <90 % & more>."
    title = "Nighttrain: Summary of HostCpuHigh"
    told = "What to do: deploy/runbook.md#hostcpuhigh"

    body, authorization = inbox.wait("/api/alerts", lambda body: ("HostCpuHigh", "firing") in names(body))
    assert authorization == "Bearer ours"
    assert body["alerts"][0]["annotations"]["runbook_url"] == "deploy/runbook.md#hostcpuhigh"
    assert inbox.wait("/webhook", lambda body: ("HostCpuHigh", "firing") in names(body))[1] == "Bearer theirs"
    slack, _ = inbox.wait("/slack", lambda body: body["attachments"][0]["title"] == title)
    assert slack["attachments"][0]["text"].replace("&lt;", "<").replace("&amp;", "&").startswith(text)
    discord, _ = inbox.wait("/discord", lambda body: body["embeds"][0]["title"] == title)
    assert discord["embeds"][0]["description"].startswith(text)
    telegram, _ = inbox.wait("/bot123:abc/sendMessage", lambda body: body["text"].startswith(title))
    assert telegram["chat_id"] == "-100123"
    assert text in telegram["text"]
    mail, _ = inbox.wait("/mail", lambda body: title in body)
    assert told in mail
    assert "To: me@example.org" in mail

    alertmanager.post(alert("HostCpuHigh", minutes=-1))
    inbox.wait("/api/alerts", lambda body: ("HostCpuHigh", "resolved") in names(body))
    over, _ = inbox.wait(
        "/slack", lambda body: body["attachments"][0]["title"].startswith("Nighttrain: over:")
    )
    assert over["attachments"][0]["text"] == "[over] HostCpuHigh: Summary of HostCpuHigh"


def test_the_coordinator_is_told_again_and_people_are_not(alertmanager, inbox):
    alertmanager.post(alert("HostDiskFull"))

    def told(path):
        return [body for body, _ in inbox.arrived.get(path, []) if ("HostDiskFull", "firing") in names(body)]

    with inbox.changed:
        assert inbox.changed.wait_for(lambda: len(told("/api/alerts")) == 3, 20), inbox.arrived.keys()
    assert len(told("/webhook")) == 1


def test_what_goes_wrong_together_is_one_message(alertmanager, inbox):
    alertmanager.post(alert("DataRefused", symbol="ADAUSDT"), alert("MeanAucDropped"))
    slack, _ = inbox.wait("/slack", lambda body: "(and 1 more)" in body["attachments"][0]["title"])
    first, second = sorted(slack["attachments"][0]["text"].split("\n\n"))
    assert first.startswith("[warning] DataRefused: ")
    assert second.startswith("[warning] MeanAucDropped: ")
    assert second.endswith("What to do: deploy/runbook.md#meanaucdropped")


@pytest.mark.parametrize(
    ("source", "silenced", "told"),
    [
        (
            alert("CoordinatorDown", job="coordinator"),
            [
                alert("QueueStalled"),
                alert("TrainerLost", trainer="t-1"),
                alert("DataRefused", symbol="BTCUSDT"),
            ],
            [alert("NightDidNotStart"), alert("HostDiskFull")],
        ),
        (
            alert("CrashLoop", trainer="t-1", component="trainer"),
            [alert("TrainerLost", trainer="t-1")],
            [alert("TrainerLost", trainer="t-2")],
        ),
        (
            alert("OutOfMemoryKill", trainer="t-1"),
            [alert("TrainerNearMemoryLimit", trainer="t-1")],
            [alert("TrainerNearMemoryLimit", trainer="t-2")],
        ),
        (
            alert("NoTrainer"),
            [alert("QueueStalled"), alert("NightMissesDeadline")],
            [alert("SymbolParked", symbol="A")],
        ),
        (alert("HostMemoryHigh"), [alert("QueueStalled")], [alert("HostCpuHigh")]),
        (alert("HostDiskWillFill"), [alert("HostDiskFull")], [alert("HostCpuHigh")]),
    ],
    ids=["coordinator", "crash_loop", "oom", "no_trainer", "memory", "disk"],
)
def test_a_cause_silences_its_consequences_and_nothing_else(alertmanager, source, silenced, told):
    alertmanager.post(source, *silenced, *told)
    try:
        # What silences is noted a moment after an alert has come in.
        give_up = time.monotonic() + 10
        while not all(alertmanager.inhibited().get(labels(one)) for one in silenced):
            assert time.monotonic() < give_up, alertmanager.inhibited()
            time.sleep(0.05)
        inhibited = alertmanager.inhibited()
        assert [inhibited[labels(one)] for one in (source, *told)] == [False] * (1 + len(told))
    finally:
        past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        alertmanager.post(*({**one, "endsAt": past} for one in (source, *silenced, *told)))
