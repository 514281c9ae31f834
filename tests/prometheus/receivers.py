"""Runs prometheus/receivers.sh on settings that are filled in, and checks what it makes."""

import shutil
import subprocess

import pytest

from tests.prometheus.committed import PROMETHEUS, ROOT

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


def checked(path):
    done = subprocess.run(
        [installed("amtool"), "check-config", path], capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout + done.stderr
