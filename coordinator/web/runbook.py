"""The runbook as a page: `deploy/runbook.md` rendered once, with an anchor for each heading."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markupsafe import Markup

from coordinator.web.rendering import Page
from coordinator.web.screens import Show, add_screen, page_router

router = page_router()

FAMILY = "nighttrain"
"""What the names of alerts begin with; earlier versions wrote them, and so their anchors, without it."""

HERE = Path(__file__).parent
PLACES = (HERE / "runbook.md", HERE.parents[1] / "deploy" / "runbook.md")
"""In an image it lies beside this module, in a clone where people edit it."""


@dataclass(frozen=True)
class Heading:
    """A heading of the second level: what it says, and its anchor."""

    text: str
    anchor: str

    @property
    def earlier_anchor(self) -> str:
        """By which alerts of earlier versions link to it."""
        return self.anchor.removeprefix(FAMILY)


@dataclass(frozen=True)
class Runbook:
    """The runbook; `headings` are those of its alerts, in order."""

    body: Markup
    headings: tuple[Heading, ...]

    def link_of(self, address: str) -> str:
        """Return the address on this page that a link to the runbook means; empty if it means none.

        What an alert names came from outside: nothing of it is used but an anchor that is there.
        """
        anchor = address.rpartition("#")[2]
        known = {name for one in self.headings for name in (one.anchor, one.earlier_anchor)}
        return f"/runbook#{anchor}" if anchor in known else ""


@cache
def read_runbook() -> Runbook:
    """Return the runbook of this version; empty where its file is not installed."""
    place = next((path for path in PLACES if path.is_file()), None)
    return rendered(place.read_text(encoding="utf-8") if place else "")


def rendered(text: str) -> Runbook:
    """Render Markdown; HTML within it is shown as text, and links lead to the web or within the page."""
    # Here, because a coordinator shall give out jobs before anybody reads the runbook.
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    headings = []
    for place, token in enumerate(tokens):
        # The page's policy forbids styles within elements.
        token.attrs.pop("style", None)
        if token.type == "heading_open":
            words = tokens[place + 1].content
            token.attrSet("id", anchor_of(words))
            if token.tag == "h2":
                headings.append(Heading(words, anchor_of(words)))
                below = tokens[place + 3 : place + 4]
                # A link of old leads to the first words below the heading.
                if below and headings[-1].earlier_anchor != headings[-1].anchor:
                    below[0].attrSet("id", headings[-1].earlier_anchor)
        for inner in token.children or ():
            if inner.type == "link_open" and not str(inner.attrGet("href")).startswith(("#", "/")):
                inner.attrSet("rel", "noopener noreferrer")
    # Rendered by a library that escapes all text, with HTML switched off.
    body = Markup(markdown.renderer.render(tokens, markdown.options, {}))  # noqa: S704
    return Runbook(body, tuple(headings))


def anchor_of(words: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")


def runbook() -> Show:
    """Show the runbook."""
    return lambda: Page("runbook.html", "Runbook", {"runbook": read_runbook()})


add_screen(router, "/runbook", runbook)
