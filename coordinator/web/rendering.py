"""Templates: what they are given, and how values are written on the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from coordinator.assembly import program_version
from coordinator.web.addresses import runbook
from coordinator.web.assets import address_of
from coordinator.web.fragments import Recorder, whole

NONE = "\N{EN DASH}"
"""Stands where a value is not known."""


@dataclass(frozen=True)
class Page:
    """What a view shows: a template below `templates`, its title, and what the template is given."""

    template: str
    title: str
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reader:
    """Who looks at a page: whether they have shown the token, what their forms carry, what is to be said."""

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
    made = Environment(
        loader=PackageLoader("coordinator.web"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    made.globals.update(asset=address_of, version=program_version(), unknown=NONE)
    made.filters.update(
        runbook=runbook,
        moment=moment,
        clock=clock,
        gib=gibibytes,
        percent=percent,
        duration=duration,
        score=score,
        count=count,
        some=some,
    )
    return made


def moment(value: datetime | None) -> Markup | str:
    """Return a time with its date, in UTC; the page's script shows it in the reader's zone."""
    return _time(value, "%Y-%m-%d %H:%M", "day")


def clock(value: datetime | None) -> Markup | str:
    """Return a time of day, in UTC; the page's script shows it in the reader's zone."""
    return _time(value, "%H:%M", "clock")


def _time(value: datetime | None, form: str, kind: str) -> Markup | str:
    if value is None:
        return NONE
    # The page's script looks for exactly this form, also in what is sent later.
    text = '<time datetime="{:%Y-%m-%dT%H:%M:%SZ}" data-show="{}">{} UTC</time>'
    return Markup(text).format(value, kind, value.strftime(form))  # noqa: S704


def gibibytes(value: float | None) -> str:
    """Return a number of bytes in GiB, or in MiB where that is less than a tenth of one."""
    if value is None:
        return NONE
    return f"{value / 1024**3:.1f} GiB" if value >= 0.1 * 1024**3 else f"{value / 1024**2:.0f} MiB"


def percent(value: float | None) -> str:
    """Return a share in percent."""
    return NONE if value is None else f"{value:.0%}"


def score(value: float | None) -> str:
    """Return a score with three digits."""
    return NONE if value is None else f"{value:.3f}"


def count(value: float | None) -> str:
    """Return a number with thin spaces between thousands."""
    return NONE if value is None else f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def some(number: int, one: str, more: str = "") -> str:
    """Return a number with its noun: `some(2, "job")` is `2 jobs`."""
    return f"{count(number)} {one if number == 1 else more or one + 's'}"


def duration(value: float | timedelta | None) -> str:
    """Return a length of time, from seconds to days, by its two largest units."""
    if value is None:
        return NONE
    seconds = round(value.total_seconds() if isinstance(value, timedelta) else value)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s" if seconds < 600 else f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    return f"{seconds // 86400} d {seconds % 86400 // 3600} h"
