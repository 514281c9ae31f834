"""Whether the coordinator's port is free or its own, whether it answers, its token, and its clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from cli.local.requirement import Requirement, failed, ok, warning
from common.client.client import OperatorClient
from common.errors import ConfigurationError, NighttrainError, UnauthorizedError, UnavailableError
from common.out_folder import OutFolder
from common.protocol.status import Address
from common.protocol.steering import Action, Order

SKEW_WARNING_SECONDS = 5.0
SKEW_FAILED_SECONDS = 60.0


@dataclass(frozen=True)
class Place:
    """Where a coordinator is looked for; `needed` is whether nothing can be done without one."""

    url: str
    token: Path
    needed: bool


def announced(out: Path) -> str | None:
    """Return the address of the coordinator that works below an out folder, None where there is none."""
    try:
        return Address.model_validate_json(OutFolder(out).address.read_bytes()).url
    except (OSError, ValidationError):
        return None


def coordinator(place: Place) -> list[Requirement]:
    """Check that it answers, takes the token, and has the same time."""
    try:
        with OperatorClient(place.url, None) as client:
            before = time.time()
            status = client.status()
            after = time.time()
    except UnavailableError as error:
        if not place.needed:
            return [ok("coordinator", f"none at {place.url}: nighttrain run starts its own")]
        todo = "start it: make up, or name another one with --url"
        return [failed("coordinator", f"{place.url}: {error.detail}", todo)]
    except UnauthorizedError:
        # Reading needs the token there, so the clock is not known before it.
        return [ok("coordinator", f"answers at {place.url}"), _token(place)]
    except (NighttrainError, ValueError) as error:
        todo = "another program may have its port; name another one with --url or dashboard.port"
        return [failed("coordinator", f"{place.url}: {error}", todo)]
    run = status.run
    of_run = f", night {run.id} {run.state}" if run else ""
    answers = ok("coordinator", f"version {status.version} at {place.url}{of_run}")
    return [answers, _token(place), _clock(status.time, before, after)]


def _token(place: Place) -> Requirement:
    try:
        with OperatorClient(place.url, place.token) as client:
            # Only a preview, so that the answer tells whether the token is taken and nothing is changed.
            client.steer_run(1, Action.PAUSE, Order(preview=True))
    except UnauthorizedError:
        todo = "name the file of this coordinator's token with --token-file"
        return failed("token", f"{place.token}: not the token of {place.url}", todo)
    except ConfigurationError as error:
        return failed("token", error.detail, error.hint or "name the file with --token-file")
    except UnavailableError as error:
        return failed("token", f"not asked: {error.detail}", "try again")
    except NighttrainError:
        # No such night, or nothing to pause: whoever says so has taken the token.
        return _kept(place)
    return _kept(place)


def _kept(place: Place) -> Requirement:
    if place.token.stat().st_mode & 0o077:
        return warning("token", f"{place.token}: can be read by others", f"chmod 600 {place.token}")
    return ok("token", f"{place.token}: accepted")


def _clock(told: datetime, before: float, after: float) -> Requirement:
    """Judge the coordinator's time, which it told at some moment between `before` and `after`."""
    there = told.astimezone(UTC).timestamp()
    skew = max(before - there, there - after, 0.0)
    if skew > SKEW_WARNING_SECONDS:
        judged = failed if skew > SKEW_FAILED_SECONDS else warning
        return judged("clock", f"{skew:.0f} s apart from the coordinator's", "set both by NTP")
    return ok("clock", f"less than {SKEW_WARNING_SECONDS:.0f} s apart from the coordinator's")
