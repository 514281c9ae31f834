"""Whom the containers run as, so that they can read what only the user may read."""

from __future__ import annotations

from dataclasses import dataclass

from cli.stack.facts import Engine
from common.errors import ConfigurationError

OURS = 10001
"""The user of the images, nobody on the host: for a caller who is root, or of whom nothing is known."""

DELEGATION = "https://docs.docker.com/engine/security/rootless/tips/#limiting-resources"


@dataclass(frozen=True)
class User:
    """A user and its group by their numbers."""

    uid: int
    gid: int

    def __str__(self) -> str:
        return str(self.uid)


@dataclass(frozen=True)
class Owner:
    """Who the containers are, to whom files of the user's own belong, and what is to be said about it.

    `person` is None where the host does not tell its users to containers (Docker Desktop on Windows), so that
    nothing is to be given to anybody.
    """

    containers: User
    person: User | None
    words: str = ""


def owner_of(engine: Engine, caller: User | None, behind_sudo: User | None, written: User | None) -> Owner:
    """Return whom the containers run as.

    Parameters
    ----------
    engine : Engine
        The engine.
    caller : User or None
        Who called; None on Windows.
    behind_sudo : User or None
        Who called by sudo; the files are that user's.
    written : User or None
        What `.env` says from an earlier start, or by the user's wish.

    Raises
    ------
    ConfigurationError
        With this engine, or as written, no container could read the secrets.
    """
    if engine.remapped and not engine.rootless:
        raise ConfigurationError(
            "this engine maps users of containers to others (userns-remap): none can read secrets/",
            "start dockerd without userns-remap, or use a rootless engine",
        )
    if engine.rootless and not engine.limits_cpu:
        raise ConfigurationError(
            "this rootless engine may not limit the CPUs of containers, so that none would start",
            f"delegate cpu, cpuset, io, memory and pids to it, log in again: {DELEGATION}",
        )
    if engine.rootless:
        # Root of its containers is the user outside, and nobody more.
        return _settled(User(0, 0), User(0, 0), written)
    if caller is None:
        return Owner(written or User(OURS, OURS), None)
    person = behind_sudo if caller.uid == 0 and behind_sudo is not None else caller
    if person.uid == 0:
        return Owner(written or User(OURS, OURS), person)
    return _settled(person, person, written)


def _settled(containers: User, person: User, written: User | None) -> Owner:
    if written is None or written.uid == containers.uid:
        return Owner(written or containers, person)
    if OURS in (written.uid, containers.uid) or 0 in (written.uid, containers.uid):
        words = f"the containers run as user {containers} now: .env had {written}, from another user's start"
        return Owner(containers, person, words)
    raise ConfigurationError(
        f"NIGHTTRAIN_UID={written} in .env may not read secrets/, which belongs to user {person}",
        "delete the lines NIGHTTRAIN_UID and NIGHTTRAIN_GID there, or call make as that user",
    )
