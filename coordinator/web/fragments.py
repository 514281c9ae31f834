"""The parts of a page that can be replaced while it is looked at, told apart while the page is rendered.

A template marks a part by ``{% call live("ID") %}<p id="ID">...</p>{% endcall %}``; parts may lie within
others. What is rendered of a part is kept with marks where other parts lie within it, so that two
renderings can be compared part by part: if a cell of a table changes, only the cell is sent to those who
look at the page.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from markupsafe import Markup

# What comes from outside cannot hold a mark, for nobody outside knows the word.
_WORD = secrets.token_hex(8)
_MARK = re.compile(f"<!--{_WORD}:([\\w-]+)-->")


@dataclass
class Recorder:
    """Keeps the parts of one rendering by their ids, each as it is with marks for the parts within it."""

    parts: dict[str, str] = field(default_factory=dict)
    _depth: int = 0

    def live(self, identity: str, caller: Callable[[], Markup]) -> Markup:
        """Keep a part, and return the mark for its place.

        Raises
        ------
        ValueError
            The template gives an id twice, or the part is not one element with that id.
        """
        self._depth += 1
        body = str(caller()).strip()
        self._depth -= 1
        start = body.partition(">")[0]
        if identity in self.parts or f'id="{identity}"' not in start or not re.fullmatch(r"[\w-]+", identity):
            raise ValueError(f"part {identity!r} of a page must be one element with that id, and only once")
        self.parts[identity] = body
        return Markup(f"<!--{_WORD}:{identity}-->")  # noqa: S704

    @property
    def within_part(self) -> bool:
        """Whether a part is being rendered, which is the same for all who look at the page."""
        return self._depth > 0


def children(body: str) -> Iterator[str]:
    """Yield the ids of the parts that lie in a part."""
    return (found[1] for found in _MARK.finditer(body))


def whole(body: str, parts: Mapping[str, str]) -> str:
    """Return a part with all that lies within it."""
    return _MARK.sub(lambda found: whole(parts[found[1]], parts), body)


def outermost(changed: set[str], parts: Mapping[str, str]) -> list[str]:
    """Return those of some parts that lie within no other of them, in the order of the page."""
    covered: set[str] = set()
    for identity, body in parts.items():
        if identity in changed:
            covered |= set(_below(body, parts))
    return [identity for identity in parts if identity in changed - covered]


def _below(body: str, parts: Mapping[str, str]) -> Iterator[str]:
    for identity in children(body):
        yield identity
        yield from _below(parts[identity], parts)
