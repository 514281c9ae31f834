"""`nighttrain up` as a service of this user: installed, removed, looked at."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cli.local.service_files import LABEL, Service, launchd_plist, systemd_unit
from common.errors import ConfigurationError, StorageError
from common.out_folder import OutFolder
from common.settings.night import ENV_PREFIX
from common.whole_file import write_whole

ASK_SECONDS = 120.0
"""How long the service manager may take for an answer."""


@dataclass(frozen=True)
class Said:
    """What the service manager answered: whether it worked, and its words in one line."""

    done: bool
    words: str


@dataclass(frozen=True)
class State:
    """How a service is: whether it is installed and active, in which file, and what to know of it."""

    installed: bool
    active: bool
    path: Path
    notes: tuple[str, ...]


class Manager(Protocol):
    """What runs services on this machine."""

    def path(self, name: str) -> Path:
        """Return where the file of a service belongs."""

    def content(self, service: Service) -> bytes:
        """Return what belongs into it."""

    def start(self, name: str) -> Said:
        """Start a service whose file was written, now and with the machine; a running one anew."""

    def stop(self, name: str) -> Said:
        """Stop a service, and start it no more."""

    def active(self, name: str) -> Said:
        """Say whether a service is up."""

    def notes(self) -> tuple[str, ...]:
        """Return what the user has to know or to do."""


class Systemd:
    """Services of a user under systemd."""

    def path(self, name: str) -> Path:
        """Return where the unit belongs."""
        base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        return Path(base).expanduser() / "systemd" / "user" / f"{name}.service"

    def content(self, service: Service) -> bytes:
        """Return the unit."""
        return systemd_unit(service).encode()

    def start(self, name: str) -> Said:
        """Enable and start it."""
        for words in (["daemon-reload"], ["enable", name], ["restart", "--no-block", name]):
            said = _told(["systemctl", "--user", *words])
            if not said.done:
                return said
        return said

    def stop(self, name: str) -> Said:
        """Stop and disable it."""
        return _told(["systemctl", "--user", "disable", "--now", name])

    def active(self, name: str) -> Said:
        """Say whether it is active."""
        return _told(["systemctl", "--user", "is-active", name])

    def notes(self) -> tuple[str, ...]:
        """Return what keeps it from running while the user is not logged in."""
        user = getpass.getuser()
        linger = _told(["loginctl", "show-user", user, "--property=Linger", "--value"])
        if linger.done and linger.words == "yes":
            return ()
        return (
            "it ends when you log out, and starts when you log in, unless you say once: "
            f"loginctl enable-linger {user}",
        )


class Launchd:
    """Launch agents of a user on macOS."""

    def path(self, name: str) -> Path:
        """Return where the property list belongs."""
        return Path.home() / "Library" / "LaunchAgents" / f"{LABEL}.{name}.plist"

    def content(self, service: Service) -> bytes:
        """Return the property list."""
        return launchd_plist(service)

    def start(self, name: str) -> Said:
        """Load it, in place of one that is loaded."""
        _told(["launchctl", "bootout", self._target(name)])
        return _told(["launchctl", "bootstrap", self._domain(), str(self.path(name))])

    def stop(self, name: str) -> Said:
        """Unload it."""
        return _told(["launchctl", "bootout", self._target(name)])

    def active(self, name: str) -> Said:
        """Say whether it is loaded."""
        said = _told(["launchctl", "print", self._target(name)])
        return Said(said.done, "active" if said.done else "inactive")

    def notes(self) -> tuple[str, ...]:
        """Return that it runs while the user is logged in."""
        return (
            "it runs while you are logged in; a machine that sleeps trains nothing (see caffeinate, pmset)",
        )

    def _domain(self) -> str:
        return f"gui/{os.getuid()}"

    def _target(self, name: str) -> str:
        return f"{self._domain()}/{LABEL}.{name}"


def manager_here(platform: str = sys.platform) -> Manager:
    """Return what runs services on this machine.

    Raises
    ------
    ConfigurationError
        Nothing that is known here.
    """
    if platform == "darwin":
        return Launchd()
    if platform.startswith("linux"):
        return Systemd()
    raise ConfigurationError(
        f"no service can be made on {platform}", "have its task scheduler run nighttrain up at the log-in"
    )


def service_of(name: str, words: Sequence[str], out: Path) -> Service:
    """Return the service that runs `nighttrain up` with these words from the present folder."""
    script = Path(sys.executable).parent / "nighttrain"
    program = [str(script)] if script.exists() else [sys.executable, "-m", "cli"]
    return Service(name, (*program, "up", *words), Path.cwd(), OutFolder(out).logs.absolute())


def install(manager: Manager, service: Service) -> Said:
    """Write the file of a service whole, and start it.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    service.logs.mkdir(parents=True, exist_ok=True)
    write_whole(manager.path(service.name), manager.content(service))
    return manager.start(service.name)


def uninstall(manager: Manager, name: str) -> bool:
    """Stop a service and remove its file; return whether there was one.

    Raises
    ------
    StorageError
        It cannot be removed.
    """
    path = manager.path(name)
    if not path.exists():
        return False
    # Whoever cannot be told of the end has nothing running either.
    manager.stop(name)
    try:
        path.unlink()
    except OSError as error:
        raise StorageError(f"{path}: cannot be removed: {error.strerror}") from error
    return True


def state_of(manager: Manager, name: str) -> State:
    """Look at a service."""
    path = manager.path(name)
    if not path.exists():
        return State(False, False, path, ())
    said = manager.active(name)
    notes = manager.notes()
    return State(True, said.done, path, notes if said.done else (said.words, *notes))


def left_behind() -> tuple[str, ...]:
    """Return the settings of this shell's environment, which a service does not get."""
    return tuple(sorted(name for name in os.environ if name.startswith(ENV_PREFIX) and os.environ[name]))


def _told(words: list[str]) -> Said:
    program = shutil.which(words[0])
    if program is None:
        return Said(False, f"{words[0]} is not installed here")
    try:
        done = subprocess.run(
            [program, *words[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ASK_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Said(False, f"{words[0]} does not answer")
    lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    return Said(done.returncode == 0, lines[0] if lines else "")
