"""The screen of trainers: one row each."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from common.protocol.status import TrainerState
from coordinator.api.access import PartsOf, no_query
from coordinator.html.values import some
from coordinator.views.roster import RosterNow
from coordinator.web.rendering import Page
from coordinator.web.screens import Show, add_screen, page_router

router = page_router()

LOOKS = {TrainerState.WORKING: ("◐", "run"), TrainerState.IDLE: ("○", ""), TrainerState.LOST: ("✗", "bad")}
"""How a trainer's state looks: a glyph and a class of the style sheet."""


def trainers(parts: PartsOf, _: Annotated[None, Depends(no_query)]) -> Show:
    """Show what each trainer does."""

    def show() -> Page:
        roster = parts.roster.read()
        content = {"roster": roster, "headline": headline(roster), "looks": LOOKS}
        return Page("trainers.html", "Trainers", content)

    return show


def headline(roster: RosterNow) -> str:
    """Return who is at work, in a sentence."""
    states = [entry.view.state for entry in roster.entries]
    if not states:
        return "No trainer is alive"
    working, lost = states.count(TrainerState.WORKING), states.count(TrainerState.LOST)
    alive = len(states) - lost
    sentence = f"{working} of {some(alive, 'trainer')} at work"
    return f"{sentence}, {lost} lost" if lost else sentence


add_screen(router, "/trainers", trainers)
