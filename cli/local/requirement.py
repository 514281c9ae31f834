"""One thing that a night needs, whether it is there, and what to do if not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Whether a night can be trained as it is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Requirement:
    """What was looked at, what was found, and what to do about it; `todo` is empty where nothing is."""

    name: str
    state: State
    found: str
    todo: str = ""


def ok(name: str, found: str) -> Requirement:
    """Return a requirement that is met."""
    return Requirement(name, State.OK, found)


def warning(name: str, found: str, todo: str) -> Requirement:
    """Return a requirement that is met with reservations."""
    return Requirement(name, State.WARNING, found, todo)


def failed(name: str, found: str, todo: str) -> Requirement:
    """Return a requirement without which no night can be trained."""
    return Requirement(name, State.FAILED, found, todo)


def worst(requirements: Sequence[Requirement]) -> State:
    """Return the state of all of them together."""
    states = {one.state for one in requirements}
    return next((state for state in (State.FAILED, State.WARNING) if state in states), State.OK)
