"""The file that makes `nighttrain up` a service of this user: a systemd unit, or a launchd property list.

Neither holds a secret: the token is made in the out folder, and the configuration is read from its file.
"""

from __future__ import annotations

import plistlib
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 45
"""Trainers have 12 s to save their folds, then the coordinator 10 s; a slow disk may need more."""

RESTART_SECONDS = 10

LABEL = "com.nighttrain"
"""How the names of launchd's services begin."""


@dataclass(frozen=True)
class Service:
    """What is to run: absolute words of a command, where, and by which name."""

    name: str
    command: tuple[str, ...]
    folder: Path
    logs: Path


def systemd_unit(service: Service) -> str:
    """Return the text of a unit for `systemctl --user`."""
    command = " ".join(_quoted(word) for word in service.command)
    return f"""\
# Made by nighttrain service install; nighttrain service uninstall removes it.
[Unit]
Description=Nighttrain: coordinator and trainers, nights by the clock
# However often it fails, the next try may work: the configuration is mended, or the port is free again.
StartLimitIntervalSec=0

[Service]
# notify: the start is over once trainers are at work, and systemctl status says how far the night is.
Type=notify
NotifyAccess=main
ExecStart={command}
WorkingDirectory={_unexpanded(str(service.folder))}
Restart=always
RestartSec={RESTART_SECONDS}
# Only nighttrain up is told to stop, and stops the others in order; what is left after that is killed.
KillMode=mixed
TimeoutStopSec={STOP_SECONDS}
# Without candles a sample is made first.
TimeoutStartSec=30min

[Install]
WantedBy=default.target
"""


def launchd_plist(service: Service) -> bytes:
    """Return the property list of a launch agent."""
    return plistlib.dumps(
        {
            "Label": f"{LABEL}.{service.name}",
            "ProgramArguments": list(service.command),
            "WorkingDirectory": str(service.folder),
            "RunAtLoad": True,
            "KeepAlive": True,
            "ThrottleInterval": RESTART_SECONDS,
            # Until then only nighttrain up is told to stop; its children stop with it.
            "ExitTimeOut": STOP_SECONDS,
            # Other programs of the machine go first, but jobs are not slowed down as a background task's are.
            "ProcessType": "Standard",
            "StandardErrorPath": str(service.logs / "service_errors.log"),
        },
        sort_keys=False,
    )


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_unexpanded(escaped)}"'


def _unexpanded(text: str) -> str:
    # A per cent sign begins a specifier such as %h.
    return text.replace("%", "%%")
