"""Which coordinators are there, and which are missed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Presence:
    """When a coordinator that was not asked to stop began at first, and when its last heartbeat was."""

    began: datetime
    seen: datetime


def attendance(coordinators: Iterable[Presence], silent_since: datetime) -> dict[str, int]:
    """Count those that are ``present``, and those that are ``lost``.

    Whoever begins after another fell silent takes its place: an orchestrator may give the successor another
    name, and then nobody is missed.

    Parameters
    ----------
    coordinators : iterable of Presence
        Those that may be there or missed, each once.
    silent_since : datetime
        Who was last seen before is not there.
    """
    known = sorted(coordinators, key=lambda one: one.seen)
    silent = [one.seen for one in known if one.seen <= silent_since]
    present = [one for one in known if one.seen > silent_since]
    places = list(silent)
    for began in sorted(one.began for one in present):
        if places and places[0] < began:
            places.pop(0)
    return {"present": len(present), "lost": len(places)}
