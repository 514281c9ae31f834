from __future__ import annotations

import json
import logging
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from common.protocol.alerts import AlertView
from coordinator.alerts import SILENCE_SECONDS, Alerts, Notification, is_silent
from coordinator.scrapes import OVERDUE
from coordinator.web import addresses
from coordinator.web.runbook import read_runbook
from tests.coordinator.specimens import NOON, Night, digest

NEVER = "0001-01-01T00:00:00Z"


def told(
    name: str = "NighttrainTrainerLost",
    status: str = "firing",
    starts: datetime = NOON,
    ends: datetime | None = None,
    severity: str = "warning",
    description: str = "It is silent.",
    trainer: str = "t1",
) -> dict[str, Any]:
    """One alert as Alertmanager 0.33 sends it."""
    return {
        "status": status,
        "labels": {"alertname": name, "severity": severity, "component": "trainer", "trainer": trainer},
        "annotations": {
            "summary": f"{name} of {trainer}",
            "description": description,
            "runbook_url": f"http://127.0.0.1:5000/runbook#{name.lower()}",
        },
        "startsAt": starts.isoformat().replace("+00:00", ".123456789Z"),
        "endsAt": NEVER if ends is None else ends.isoformat().replace("+00:00", "Z"),
        "generatorURL": "http://prometheus:9090/graph?g0.expr=up",
        "fingerprint": digest(f"{name} {trainer}")[:16],
    }


def notification(*alerts: dict[str, Any]) -> Notification:
    firing = any(alert["status"] == "firing" for alert in alerts)
    document = {
        "receiver": "night",
        "status": "firing" if firing else "resolved",
        "alerts": list(alerts),
        "groupLabels": {"component": "trainer"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "version": "4",
        "groupKey": '{}:{component="trainer"}',
        "truncatedAlerts": 0,
    }
    return Notification.model_validate_json(json.dumps(document))


@pytest.fixture
def alerts(night: Night) -> Alerts:
    return night.alerts


def shown(alerts: Alerts, firing: bool | None = None) -> tuple[AlertView, ...]:
    return alerts.page(firing, 100, 0).alerts


def test_an_alert_is_kept_with_all_that_was_told(alerts: Alerts) -> None:
    alerts.accept(notification(told()))
    [view] = shown(alerts)
    assert (view.name, view.severity, view.firing) == ("NighttrainTrainerLost", "warning", True)
    assert view.labels["trainer"] == "t1"
    assert (view.summary, view.description) == ("NighttrainTrainerLost of t1", "It is silent.")
    assert view.runbook == "http://127.0.0.1:5000/runbook#nighttraintrainerlost"
    assert view.starts == NOON + timedelta(microseconds=123456)
    assert (view.ends, view.received) == (None, NOON)


def test_told_again_it_is_one_alert_with_the_latest_words(alerts: Alerts, night: Night) -> None:
    for minutes in (1, 2, 3):
        night.clock.advance(60)
        alerts.accept(notification(told(description=f"Silent for {minutes} minutes.")))
    [view] = shown(alerts)
    assert (view.description, view.received) == ("Silent for 3 minutes.", NOON + timedelta(minutes=3))


def test_it_ends_and_fires_again_as_another(alerts: Alerts) -> None:
    end, again = NOON + timedelta(minutes=5), NOON + timedelta(hours=1)
    alerts.accept(notification(told()))
    for _ in range(2):
        alerts.accept(notification(told(status="resolved", ends=end)))
    [over] = shown(alerts)
    assert (over.firing, over.ends) == (False, end)
    alerts.accept(notification(told(starts=again)))
    assert [(one.firing, one.starts.hour) for one in shown(alerts)] == [(True, 13), (False, 12)]
    assert [one.firing for one in shown(alerts, firing=True)] == [True]
    assert [one.ends for one in shown(alerts, firing=False)] == [end]


def test_one_that_began_and_ended_while_the_coordinator_was_away_is_kept(alerts: Alerts) -> None:
    alerts.accept(notification(told(status="resolved", ends=NOON + timedelta(minutes=5))))
    [view] = shown(alerts)
    assert not view.firing


def test_one_that_was_given_up_too_early_goes_on(alerts: Alerts) -> None:
    alerts.accept(notification(told()))
    alerts.accept(notification(told(status="resolved", ends=NOON + timedelta(minutes=5))))
    alerts.accept(notification(told()))
    [view] = shown(alerts)
    assert (view.firing, view.ends) == (True, None)


def test_one_whose_beginning_was_forgotten_is_no_second_one(alerts: Alerts) -> None:
    alerts.accept(notification(told()))
    alerts.accept(notification(told(starts=NOON + timedelta(minutes=20))))
    [view] = shown(alerts)
    assert view.starts.hour == 12
    alerts.accept(
        notification(
            told(starts=NOON + timedelta(minutes=20), status="resolved", ends=NOON + timedelta(hours=1))
        )
    )
    [view] = shown(alerts)
    assert not view.firing


def test_whatever_comes_in_whatever_order_each_fires_once_at_most(alerts: Alerts) -> None:
    draw = random.Random(3)
    for _ in range(200):
        trainer = draw.choice(["t1", "t2", "t3"])
        starts = NOON + timedelta(minutes=draw.randrange(5))
        status = draw.choice(["firing", "resolved"])
        ends = starts + timedelta(minutes=1) if status == "resolved" else None
        alerts.accept(notification(told(trainer=trainer, starts=starts, status=status, ends=ends)))
        firing = [one.labels["trainer"] for one in shown(alerts, firing=True)]
        assert len(firing) == len(set(firing))
        assert status != "firing" or trainer in firing
    everything = shown(alerts)
    assert len(everything) == len({(one.labels["trainer"], one.starts) for one in everything})


def test_a_beginning_and_an_end_are_logged_once(alerts: Alerts, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    firing = told(severity="critical", description="It is\nsilent.")
    over = told(severity="critical", status="resolved", ends=NOON)
    for one in (firing, firing, over, over):
        alerts.accept(notification(one))
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", "alert NighttrainTrainerLost (critical): It is silent."),
        ("INFO", "alert NighttrainTrainerLost is resolved: NighttrainTrainerLost of t1"),
    ]


def test_an_alert_by_the_name_of_an_earlier_version_is_shown_and_leads_to_the_runbook(alerts: Alerts) -> None:
    alerts.accept(notification(told("TrainerLost")))
    (shown,) = alerts.page(firing=True, limit=10, offset=0).alerts
    assert shown.name == "TrainerLost"
    assert addresses.runbook(shown.runbook) == "/runbook#trainerlost" == read_runbook().link_of(shown.runbook)


def test_the_status_shows_what_fires_then_what_ended_within_a_day(alerts: Alerts, night: Night) -> None:
    status = night.status()
    ended = {"status": "resolved", "ends": NOON}
    alerts.accept(
        notification(
            told("NighttrainHostDiskFull", **ended),
            told("NighttrainTrainerLost"),
            told("NighttrainNoTrainer", severity="critical"),
        )
    )
    assert [one.name for one in status.document().alerts] == [
        "NighttrainNoTrainer",
        "NighttrainTrainerLost",
        "NighttrainHostDiskFull",
    ]
    night.clock.advance(25 * 3600)
    assert [one.name for one in status.document().alerts] == ["NighttrainNoTrainer", "NighttrainTrainerLost"]


# --- Alerts whose end nobody reports ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("received", "listening", "silent"),
    [
        (0, 0, False),
        (SILENCE_SECONDS, 86_400, False),
        (SILENCE_SECONDS + 1, 86_400, True),
        (86_400, SILENCE_SECONDS, False),
        (86_400, SILENCE_SECONDS + 1, True),
    ],
)
def test_silence_counts_while_somebody_listens(received: float, listening: float, silent: bool) -> None:
    moments = (NOON - timedelta(seconds=seconds) for seconds in (received, listening))
    assert is_silent(*moments, NOON) is silent


def test_one_that_is_no_longer_reported_is_presumed_resolved_and_says_so(
    alerts: Alerts, night: Night, caplog: pytest.LogCaptureFixture
) -> None:
    alerts.accept(notification(told(), told(trainer="t2")))
    night.clock.advance(SILENCE_SECONDS)
    alerts.accept(notification(told(trainer="t2")))
    alerts.presume_resolved(NOON)
    assert len(shown(alerts, firing=True)) == 2
    night.clock.advance(1)
    for _ in range(2):
        alerts.presume_resolved(NOON)
    [going] = shown(alerts, firing=True)
    assert (going.labels["trainer"], going.description) == ("t2", "It is silent.")
    [over] = shown(alerts, firing=False)
    words = "Not reported since 2026-03-02 12:00 UTC; its end was never reported."
    assert (over.ends, over.description) == (night.clock.now, f"It is silent. {words}")
    assert [record.message for record in caplog.records if record.levelname == "WARNING"][2:] == [
        f"alert NighttrainTrainerLost is presumed resolved: {words}"
    ]
    assert [one.firing for one in night.status().document().alerts] == [True, False]


def test_one_that_was_presumed_resolved_goes_on_when_it_is_reported(alerts: Alerts, night: Night) -> None:
    alerts.accept(notification(told()))
    night.clock.advance(SILENCE_SECONDS + 1)
    alerts.presume_resolved(NOON)
    alerts.accept(notification(told()))
    [view] = shown(alerts)
    assert (view.firing, view.description) == (True, "It is silent.")


def test_the_true_end_is_kept_when_it_is_reported_late(alerts: Alerts, night: Night) -> None:
    alerts.accept(notification(told()))
    night.clock.advance(SILENCE_SECONDS + 1)
    alerts.presume_resolved(NOON)
    end = NOON + timedelta(minutes=5)
    alerts.accept(notification(told(status="resolved", ends=end)))
    [view] = shown(alerts)
    assert (view.ends, view.description) == (end, "It is silent.")


# --- Pages and the format -----------------------------------------------------------------------------------


def test_pages_hold_all_alerts_in_order(alerts: Alerts) -> None:
    alerts.accept(notification(*(told(trainer=f"t{number}") for number in range(7))))
    pages = [alerts.page(None, 3, offset) for offset in (0, 3, 6)]
    assert [page.total for page in pages] == [7, 7, 7]
    found = [one.id for page in pages for one in page.alerts]
    assert found == [one.id for one in shown(alerts)]


def test_another_version_of_the_format_is_refused() -> None:
    with pytest.raises(ValidationError):
        Notification.model_validate({"version": "3", "alerts": []})


def test_what_alertmanager_may_send_besides_is_no_obstacle() -> None:
    one = {**told(), "silenceURL": "http://alertmanager:9093/#/silences"}
    document = {"version": "4", "alerts": [one], "notificationReason": "repeat"}
    assert Notification.model_validate(document).alerts[0].starts_at.tzinfo is not None
    assert Notification.model_validate(document).alerts[0].ends_at == datetime(1, 1, 1, tzinfo=UTC)


def test_what_alertmanager_no_longer_hears_of_is_not_resolved(night: Night, alerts: Alerts) -> None:
    night.scrapes.record()
    alerts.accept(notification(told()))
    night.clock.advance(OVERDUE.total_seconds() + 1)
    ended = told(status="resolved", ends=night.clock.now)
    alerts.accept(notification(ended))
    assert [view.firing for view in shown(alerts)] == [True]
    night.scrapes.record()
    alerts.accept(notification(ended))
    assert [view.firing for view in shown(alerts)] == [False]
