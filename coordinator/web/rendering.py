"""Pages: what they are given, and how they are made of their templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jinja2 import Environment

from coordinator.html.rendering import templates_of
from coordinator.web.addresses import runbook
from coordinator.web.assets import address_of
from coordinator.web.fragments import Recorder, whole


@dataclass(frozen=True)
class Page:
    """What a view shows: a template below `templates`, its title, and what the template is given."""

    template: str
    title: str
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reader:
    """Who looks at a page: whether they have shown a token, what their forms carry, what is to be said."""

    signed_in: bool = False
    may_steer: bool = False
    form_token: str = ""
    said: str = ""


@dataclass(frozen=True)
class Rendered:
    """A page as HTML, and its parts by id."""

    html: str
    parts: dict[str, str]


@dataclass(frozen=True)
class Place:
    """An entry of the navigation."""

    name: str
    address: str


PLACES = (
    Place("Night", "/"),
    Place("Failures", "/failures"),
    Place("Trainers", "/trainers"),
    Place("Timeline", "/timeline"),
    Place("Models", "/models"),
    Place("Data", "/data"),
    Place("Nights", "/nights"),
    Place("Settings", "/settings"),
    Place("Runbook", "/runbook"),
)
"""The navigation; an entry is shown if there is such a screen."""


def render(
    page: Page, path: str, reader: Reader, places: tuple[Place, ...] = PLACES, live_address: str = ""
) -> Rendered:
    """Return a page as HTML.

    Parameters
    ----------
    page : Page
        What it shows.
    path : str
        Its address without the query, for the navigation.
    reader : Reader
        Who looks at it.
    places : tuple of Place
        The entries of the navigation.
    live_address : str
        Where its changes are told; empty: it does not change.
    """
    recorder = Recorder()

    def form_token() -> str:
        if recorder.within_part:
            raise ValueError("a part that is the same for all readers cannot hold a form of one of them")
        return reader.form_token

    html = (
        environment()
        .get_template(page.template)
        .render(
            page.content,
            title=page.title,
            path=path,
            places=places,
            signed_in=reader.signed_in,
            may_steer=reader.may_steer,
            said=reader.said,
            form_token=form_token,
            live_address=live_address,
            live=recorder.live,
        )
    )
    return Rendered(whole(html, recorder.parts), recorder.parts)


@cache
def environment() -> Environment:
    """Return what all templates share."""
    made = templates_of("coordinator.web")
    made.globals.update(asset=address_of)
    made.filters.update(runbook=runbook)
    return made
