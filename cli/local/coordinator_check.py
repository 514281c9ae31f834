"""Whether the coordinator's port is free or its own, whether it answers, its token, and its clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cli.local.coordinator_at_hand import find
from cli.local.requirement import Requirement, failed, ok, warning
from common.client.client import OperatorClient
from common.errors import (
    ConfigurationError,
    ForbiddenError,
    NighttrainError,
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
)
from common.protocol.steering import Action, Order

SKEW_WARNING_SECONDS = 5.0
SKEW_FAILED_SECONDS = 60.0


@dataclass(frozen=True)
class Wanted:
    """The coordinator to look at; `needed` is whether nothing can be done without one.

    `url` is None where none was named or found, and `token` where no file with one is known.
    """

    url: str | None
    token: Path | None
    needed: bool


def wanted(url: str | None, token: Path | None, out: Path, needed: bool) -> Wanted:
    """Return the coordinator that is named, or found on this machine."""
    try:
        place = find(url, out)
    except NotFoundError:
        return Wanted(None, token, needed)
    return Wanted(place.url, token or place.token, needed)


def coordinator(place: Wanted) -> list[Requirement]:
    """Check that it answers, takes the token, and has the same time."""
    if place.url is None and place.needed:
        todo = "start one: make up, or nighttrain run trains without; or name one with --url"
        return [failed("coordinator", "none is found on this machine", todo)]
    if place.url is None:
        return [ok("coordinator", "none runs here: nighttrain run starts its own")]
    try:
        with OperatorClient(place.url, place.token if _is_there(place.token) else None) as client:
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
        return [ok("coordinator", f"answers at {place.url}"), _token(place.url, place.token)]
    except (NighttrainError, ValueError) as error:
        todo = "another program may have its port; name another one with --url or dashboard.port"
        return [failed("coordinator", f"{place.url}: {error}", todo)]
    run = status.run
    of_run = f", night {run.id} {run.state}" if run else ""
    answers = ok("coordinator", f"version {status.version} at {place.url}{of_run}")
    return [answers, _token(place.url, place.token), _clock(status.time, before, after)]


def _token(url: str, token: Path | None) -> Requirement:
    if token is None:
        return failed("token", f"no file with the token of {url} is known", "name it with --token-file")
    try:
        with OperatorClient(url, token) as client:
            # Only a preview, so that the answer tells whether the token is taken and nothing is changed.
            client.steer_run(1, Action.PAUSE, Order(preview=True))
    except ForbiddenError as error:
        return failed("token", f"{token}: {error.detail}", "name the operator's file with --token-file")
    except UnauthorizedError:
        todo = "name the file of this coordinator's token with --token-file"
        return failed("token", f"{token}: not the token of {url}", todo)
    except ConfigurationError as error:
        return failed("token", error.detail, error.hint or "name the file with --token-file")
    except UnavailableError as error:
        return failed("token", f"not asked: {error.detail}", "try again")
    except NighttrainError:
        # No such night, or nothing to pause: whoever says so has taken the token.
        return _kept(token)
    return _kept(token)


def _kept(token: Path) -> Requirement:
    if token.stat().st_mode & 0o077:
        return warning("token", f"{token}: can be read by others", f"chmod 600 {token}")
    return ok("token", f"{token}: accepted")


def _is_there(token: Path | None) -> bool:
    return token is not None and token.is_file()


def _clock(told: datetime, before: float, after: float) -> Requirement:
    """Judge the coordinator's time, which it told at some moment between `before` and `after`."""
    there = told.astimezone(UTC).timestamp()
    skew = max(before - there, there - after, 0.0)
    if skew > SKEW_WARNING_SECONDS:
        judged = failed if skew > SKEW_FAILED_SECONDS else warning
        return judged("clock", f"{skew:.0f} s apart from the coordinator's", "set both by NTP")
    return ok("clock", f"less than {SKEW_WARNING_SECONDS:.0f} s apart from the coordinator's")
