"""Who works on a night on this machine: the commands of the coordinator and the trainers."""

from __future__ import annotations

import os
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from cli.local.interrupt import Interrupt
from cli.local.processes import Child, describe_exit
from cli.local.trainer_environment import environment_of_trainers
from common.client.client import OperatorClient
from common.errors import ConfigurationError, InternalError, UnavailableError
from common.out_folder import OutFolder
from common.protocol.address import Address
from common.settings.given import Given, write_given
from common.settings.night import NightSettings
from common.token_file import Role
from coordinator.listener import listen

READY_SECONDS = 60.0
BY_LAUNCHER = "nighttrain run"
"""The source of a setting that the launcher decides on, whatever file and environment say."""


def brief(child: Child, given: Given, out: OutFolder, by_the_clock: bool = False) -> None:
    """Write the coordinator's settings and tell its process, started or not, its options.

    `by_the_clock` lets it begin the nights; otherwise the launcher begins the one that it is asked for.
    """
    dashboard = given.settings.dashboard
    port = (dashboard.enabled and dashboard.port) or _free_port(dashboard.host)
    hand_over(given, out, by_the_clock)
    options = ["--settings-json", str(out.settings), "--host", dashboard.host, "--port", str(port)]
    child.tell(shlex.join(options))


def hand_over(given: Given, out: OutFolder, by_the_clock: bool) -> None:
    """Write the settings for the coordinator, which takes up what has changed."""
    if not by_the_clock:
        # The launcher starts the night itself, so the coordinator must not start one by the schedule.
        settings = given.settings.model_copy(update={"training": False})
        given = replace(given, settings=settings, origins={**given.origins, "training": BY_LAUNCHER})
    write_given(out.settings, given)


def trainers_of(
    settings: NightSettings, out: OutFolder, debug: bool, count: int, fork_server: str = ""
) -> list[Child]:
    """Return the trainers' processes, not started yet; each waits to be told where to claim jobs.

    They share the fork server at the address `fork_server`, if there is one.
    """
    children = []
    for number in range(1, count + 1):
        name = f"trainer-{number}"
        command = [sys.executable, "-m", "trainer", "--coordinator", "-", "--token-file"]
        command += [str(out.tokens[Role.TRAINER])]
        command += ["--name", name, "--data", str(settings.data.dir), "--cache", str(out.cache)]
        command += ["--logs", str(out.logs), "--memory-limit-gb", str(settings.max_memory_per_process)]
        if settings.max_cache != "auto":
            command += ["--cache-limit-gb", str(settings.max_cache)]
        command += ["--exit-with-parent"]
        # Its environment was made before anybody knew of a store, and has no credentials of one.
        if fork_server and isinstance(settings.data.dir, Path):
            command += ["--fork-server", fork_server]
        environment = environment_of_trainers(os.environ, settings.data.dir)
        children.append(Child(name, command + ["--debug"] * debug, environment))
    return children


def client_of(coordinator: Child, out: OutFolder, interrupt: Interrupt) -> OperatorClient:
    """Wait until the coordinator listens, and return a client of it.

    Raises
    ------
    ConfigurationError, InternalError
        It ended instead; with the last line that it printed.
    UnavailableError
        It was not ready in time.
    KeyboardInterrupt
        A signal came meanwhile.
    """
    deadline = time.monotonic() + READY_SECONDS
    while True:
        interrupt.check()
        code = coordinator.exit_code
        if code is not None and code < 0:
            # It was killed, which says nothing against another start.
            coordinator.keep_alive()
        elif code is not None:
            said = coordinator.said()
            raise (ConfigurationError if code == 2 else InternalError)(
                said or f"the coordinator ended ({describe_exit(code)})"
            )
        address = _announced(out, coordinator)
        if address is not None:
            return OperatorClient(address.url, out.token)
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"the coordinator was not ready after {READY_SECONDS:.0f} s", f"see {out.logs}"
            )
        time.sleep(0.02)


def _free_port(address: str) -> int:
    # It must be known before the start: a coordinator that is started again has to be found where it was.
    with listen(address, 0) as probe:
        return int(probe.getsockname()[1])


def _announced(out: OutFolder, coordinator: Child) -> Address | None:
    # Only this very coordinator: whoever else answers on its port is not asked anything.
    try:
        address = Address.model_validate_json(out.address.read_bytes())
    except (OSError, ValidationError):
        return None
    return address if coordinator.process and address.pid == coordinator.process.pid else None
