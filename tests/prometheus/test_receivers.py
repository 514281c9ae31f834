"""What receivers.sh makes of deploy/alerting.env: who gets alerts besides the coordinator."""

import json
from pathlib import Path

import pytest
import yaml

from tests.prometheus.committed import PROMETHEUS, load
from tests.prometheus.receivers import EVERYTHING, EXAMPLE, FILLED, SMTP, checked, make


def receiver(folder):
    """What people get, made of their settings."""
    made = load(folder / "made/alertmanager.yml")["receivers"]
    assert [one["name"] for one in made] == ["heartbeat", "coordinator", "people", "digest"]
    assert made[1] == load(PROMETHEUS / "alertmanager.yml")["receivers"][1]
    return made[2]


def heartbeat(folder):
    """What a watcher outside gets."""
    return load(folder / "made/alertmanager.yml")["receivers"][0]


@pytest.mark.parametrize(
    "settings", [*FILLED.values(), SMTP, EVERYTHING], ids=[*FILLED, "no_login", "everything"]
)
def test_each_filled_variant_is_valid(tmp_path, settings):
    assert make(tmp_path, settings, "true") == (0, "", "")
    status, output = checked(tmp_path / "made/alertmanager.yml")
    assert status == 0, output


@pytest.mark.parametrize("kind", FILLED)
def test_who_gets_alerts_gets_the_night_in_ten_lines_too_in_its_own_words_and_once(tmp_path, kind):
    make(tmp_path, FILLED[kind], "true")
    people, digest = load(tmp_path / "made/alertmanager.yml")["receivers"][2:]
    [[ours], [theirs]] = people[kind], digest[kind]
    assert theirs["send_resolved"] is False
    assert {**theirs, "send_resolved": True} == yaml.safe_load(
        json.dumps(ours)
        .replace("nighttrain.title", "nighttrain.digest.title")
        .replace("nighttrain.text", "nighttrain.digest.text")
    )


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
    assert made["receivers"][0] == {"name": "heartbeat"}
    [coordinator] = made["receivers"][1]["webhook_configs"]
    assert coordinator["url"] == "http://coordinator:5000/api/alerts"
    assert coordinator["send_resolved"] is True


@pytest.mark.parametrize("others", [{}, SMTP], ids=["alone", "with_people"])
def test_a_watcher_outside_is_called_and_people_are_not_changed_by_it(tmp_path, others):
    (tmp_path / "without").mkdir()
    make(tmp_path / "without", others, "true")
    assert make(tmp_path, {**others, "HEARTBEAT_URL": "https://hc-ping.com/it's"}, "true")[0] == 0
    [called] = heartbeat(tmp_path)["webhook_configs"]
    assert called == {"url": "https://hc-ping.com/it's", "send_resolved": False}
    assert receiver(tmp_path) == receiver(tmp_path / "without")
    status, output = checked(tmp_path / "made/alertmanager.yml")
    assert status == 0, output


def test_the_example_names_every_setting_once_and_leaves_it_empty():
    lines = [line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    assert sorted(lines) == sorted(f"{key}=" for key in (*EVERYTHING, "HEARTBEAT_URL"))


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
        ("HEARTBEAT_URL=healthchecks.io", "HEARTBEAT_URL must be a URL"),
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
