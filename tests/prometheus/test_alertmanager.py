"""Alertmanager: whom it tells and how often, what a real one delivers, and what it silences."""

import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest

from common.protocol.nights import NightDigest
from common.protocol.runs import RunState
from coordinator.alerts import SILENCE_SECONDS
from coordinator.housekeeping.digest import alert_of
from coordinator.runs.ended import DueDigest
from tests.prometheus.alertmanager import Alertmanager, alert, labels, names
from tests.prometheus.committed import PROMETHEUS, load
from tests.prometheus.inbox import Inbox
from tests.prometheus.receivers import checked, installed


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


def test_the_configuration_as_it_stands_is_valid():
    status, output = checked(PROMETHEUS / "alertmanager.yml")
    assert status == 0, output
    assert "1 templates" in output


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
            "alertname=NighttrainHostCpuHigh",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.strip() == "coordinator,people"


def test_an_alert_is_reported_twice_before_the_coordinator_presumes_it_resolved():
    """And the coordinator waits no longer than it must."""
    document = load(PROMETHEUS / "alertmanager.yml")
    [route] = [one for one in document["route"]["routes"] if one["receiver"] == "coordinator"]
    longest = seconds(route["repeat_interval"]) + seconds(route["group_interval"])
    assert 2 * longest < SILENCE_SECONDS < 4 * longest


def seconds(duration):
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


def test_an_alert_goes_through_alertmanager_to_every_receiver_and_so_does_its_end(alertmanager, inbox):
    alertmanager.post(alert("NighttrainHostCpuHigh"))
    text = "[warning] NighttrainHostCpuHigh: Description of NighttrainHostCpuHigh <90 % & more>."
    title = "Nighttrain: Summary of NighttrainHostCpuHigh"
    told = "What to do: Do it. http://127.0.0.1:5000/runbook#nighttrainhostcpuhigh"

    body, authorization = inbox.wait(
        "/api/alerts", lambda body: ("NighttrainHostCpuHigh", "firing") in names(body)
    )
    assert authorization == "Bearer ours"
    assert (
        body["alerts"][0]["annotations"]["runbook_url"]
        == "http://127.0.0.1:5000/runbook#nighttrainhostcpuhigh"
    )
    assert (
        inbox.wait("/webhook", lambda body: ("NighttrainHostCpuHigh", "firing") in names(body))[1]
        == "Bearer theirs"
    )
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

    alertmanager.post(alert("NighttrainHostCpuHigh", minutes=-1))
    inbox.wait("/api/alerts", lambda body: ("NighttrainHostCpuHigh", "resolved") in names(body))
    over, _ = inbox.wait(
        "/slack", lambda body: body["attachments"][0]["title"].startswith("Nighttrain: over:")
    )
    assert over["attachments"][0]["text"] == "[over] NighttrainHostCpuHigh: Summary of NighttrainHostCpuHigh"


def test_the_coordinator_is_told_again_and_people_are_not(alertmanager, inbox):
    alertmanager.post(alert("NighttrainHostDiskFull"))

    def told(path):
        return [
            body
            for body, _ in inbox.arrived.get(path, [])
            if ("NighttrainHostDiskFull", "firing") in names(body)
        ]

    with inbox.changed:
        assert inbox.changed.wait_for(lambda: len(told("/api/alerts")) == 3, 20), inbox.arrived.keys()
    assert len(told("/webhook")) == 1


def test_what_goes_wrong_together_is_one_message(alertmanager, inbox):
    alertmanager.post(alert("NighttrainDataRefused", symbol="ADAUSDT"), alert("NighttrainMeanAucDropped"))
    slack, _ = inbox.wait("/slack", lambda body: "(and 1 more)" in body["attachments"][0]["title"])
    first, second = sorted(slack["attachments"][0]["text"].split("\n\n"))
    assert first.startswith("[warning] NighttrainDataRefused: ")
    assert second.startswith("[warning] NighttrainMeanAucDropped: ")
    assert "What to do: Do it. http://127.0.0.1:5000/runbook#nighttrainmeanaucdropped\n" in second
    assert second.endswith("On the board: http://127.0.0.1:3000/d/nighttrain-night")


def test_a_watcher_outside_is_called_again_and_again_and_nobody_else_is(alertmanager, inbox):
    alertmanager.post(alert("NighttrainWatchdog"))

    def beats():
        return [names(body) for body, _ in inbox.arrived.get("/heartbeat", [])]

    with inbox.changed:
        assert inbox.changed.wait_for(lambda: len(beats()) >= 3, 20), inbox.arrived.keys()
    assert all(one == {("NighttrainWatchdog", "firing")} for one in beats())
    others = {path: bodies for path, bodies in inbox.arrived.items() if path != "/heartbeat"}
    assert "NighttrainWatchdog" not in repr(others)


@pytest.mark.parametrize(
    ("source", "silenced", "told"),
    [
        (
            alert("NighttrainCoordinatorDown", job="coordinator"),
            [
                alert("NighttrainQueueStalled"),
                alert("NighttrainTrainerLost", trainer="t-1"),
                alert("NighttrainDataRefused", symbol="BTCUSDT"),
            ],
            [alert("NighttrainNightDidNotStart"), alert("NighttrainHostDiskFull")],
        ),
        (
            alert("NighttrainCrashLoop", trainer="t-1", component="trainer"),
            [alert("NighttrainTrainerLost", trainer="t-1")],
            [alert("NighttrainTrainerLost", trainer="t-2")],
        ),
        (
            alert("NighttrainOutOfMemoryKill", trainer="t-1"),
            [alert("NighttrainTrainerNearMemoryLimit", trainer="t-1")],
            [alert("NighttrainTrainerNearMemoryLimit", trainer="t-2")],
        ),
        (
            alert("NighttrainNoTrainer"),
            [alert("NighttrainQueueStalled"), alert("NighttrainNightMissesDeadline")],
            [alert("NighttrainSymbolParked", symbol="A")],
        ),
        (
            alert("NighttrainHostMemoryHigh"),
            [alert("NighttrainQueueStalled")],
            [alert("NighttrainHostCpuHigh")],
        ),
        (
            alert("NighttrainHostDiskWillFill"),
            [alert("NighttrainHostDiskFull")],
            [alert("NighttrainHostCpuHigh")],
        ),
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


def test_the_night_in_ten_lines_reaches_every_receiver_once_and_the_coordinator_never(alertmanager, inbox):
    ended = datetime.now(UTC).replace(microsecond=0)
    subject = "Night 12: 7 promoted, 3 failed, 6 h 42 min"
    lines = [f'Line {number} <of> "ten" & more.' for number in range(1, 11)]
    due = DueDigest(12, ended, ended + timedelta(seconds=12))
    told = NightDigest(run=12, state=RunState.DONE, time=ended, subject=subject, lines=tuple(lines))
    posted = alert_of(told, due, "http://127.0.0.1:5000")
    for _ in range(3):
        # Again, as by a coordinator that was killed before it had recorded that it was done.
        alertmanager.post(posted)

    def is_ours(body):
        return ("NighttrainNightEnded", "firing") in names(body)

    title = f"Nighttrain: {subject}"
    webhook, authorization = inbox.wait("/webhook", is_ours)
    assert authorization == "Bearer theirs"
    assert webhook["alerts"][0]["annotations"] == {"summary": subject, "description": "\n".join(lines)}
    slack, _ = inbox.wait("/slack", lambda body: body["attachments"][0]["title"] == title)
    text = slack["attachments"][0]["text"].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert text.split("\n") == lines
    discord, _ = inbox.wait("/discord", lambda body: body["embeds"][0]["title"] == title)
    assert discord["embeds"][0]["description"].split("\n") == lines
    telegram, _ = inbox.wait("/bot123:abc/sendMessage", lambda body: body["text"].startswith(title))
    assert telegram["text"].split("\n") == [title, "", *lines]
    mail, _ = inbox.wait("/mail", lambda body: title in body)
    assert f"Subject: {title}" in mail and "Line 10 <of>" in mail
    # Past its end, and posted once more after it: nobody is told again, and nobody of its end.
    time.sleep(max((due.until - datetime.now(UTC)).total_seconds(), 0) + 3)
    alertmanager.post(posted)
    alertmanager.post(alert("NighttrainHostCpuHigh", core="last"))
    inbox.wait("/webhook", lambda body: any(one["labels"].get("core") == "last" for one in body["alerts"]))
    for path, bodies in inbox.arrived.items():
        found = [body for body, _ in bodies if "NightEnded" in str(body) or subject in str(body)]
        assert len(found) == (0 if path in ("/api/alerts", "/heartbeat") else 1), (path, found)
