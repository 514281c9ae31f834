"""Colours by meaning: one vocabulary for all boards.

Green is done or well, red is where an alert fires or work is lost for good, orange is worth a look, blue is
under way, grey waits or is neutral. What has no meaning of its own (symbols, trainers, routes) takes the
colours of Grafana's palette in turn.
"""

from __future__ import annotations

from collections.abc import Mapping

from common.protocol.job_views import Outcome
from common.protocol.jobs import Cause, JobState

GREEN, YELLOW, ORANGE, RED, BLUE, PURPLE = "green", "yellow", "orange", "red", "blue", "purple"
TEXT = "text"
"""Of numbers that are neither good nor bad; never of a background, where it is the brightest of all."""
GREY = "#8E95A5"
"""Neutral on both themes, where something is drawn rather than written."""
CLEAR = "transparent"
"""Of cells that are coloured only where something is wrong."""

WAITING, AT_WORK, DONE, FAILED, CANCELLED, LOST = GREY, BLUE, GREEN, RED, PURPLE, "dark-orange"

STATES: Mapping[str, str] = {
    JobState.QUEUED: WAITING,
    JobState.LEASED: AT_WORK,
    JobState.SUCCEEDED: DONE,
    JobState.FAILED: FAILED,
    JobState.CANCELLED: CANCELLED,
}
CAUSES: Mapping[str, str] = {
    Cause.ERROR: RED,
    Cause.CRASH: "dark-orange",
    Cause.TIMEOUT: YELLOW,
    Cause.OOM: "dark-red",
    Cause.DATA: ORANGE,
    Cause.STORAGE: "dark-yellow",
    Cause.STOPPED: GREY,
    Cause.NIGHT_CLOSED: "super-light-blue",
    Cause.CANCELLED: CANCELLED,
}
OUTCOMES: Mapping[str, str] = {
    Outcome.SUCCEEDED: DONE,
    Outcome.FAILED: FAILED,
    Outcome.RELEASED: GREY,
    Outcome.EXPIRED: LOST,
    Outcome.CANCELLED: CANCELLED,
}
ENDS: Mapping[str, str] = {Outcome.SUCCEEDED: DONE, **CAUSES, "lost": "dark-blue"}
"""How a job ends that a trainer had: by its outcome, its cause, or lost with its lease."""
