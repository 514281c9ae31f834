"""Elements of an SVG, with everything escaped and nothing styled: a class says what a thing is.

The page's policy forbids styles within elements, so colours, widths and fonts are in `styles/plots.css`, for
light and dark.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from markupsafe import Markup, escape


def element(name: str, *children: str, **attributes: str | float | None) -> Markup:
    """Return an element.

    Parameters
    ----------
    name : str
        Its name; never from outside.
    *children : str
        Text is escaped, Markup is not.
    **attributes : str, float or None
        By name; `class_` is `class`, other underscores are hyphens. One that is None is left out.
    """
    # A report has thousands of them: Markup's own way of putting text together takes several times as long.
    written = "".join(
        f' {_name(key)}="{escape(value) if isinstance(value, str) else _text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(map(escape, children))
    return Markup(f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>")  # noqa: S704 (its parts are escaped)


def drawing(
    kind: str, width: float, height: float, title: str, description: str, *children: str, role: str = "img"
) -> Markup:
    """Return a whole SVG.

    Parameters
    ----------
    kind : str
        What it shows; becomes the class `plot-{kind}`.
    width, height : float
        Its size in CSS pixels at full size; it shrinks with its place, and never grows beyond.
    title, description : str
        What it shows, and what is to be seen in it, for who cannot see it.
    role : str
        `img`, or `group` where there are links within.
    """
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *children,
        class_=f"plot plot-{kind}",
        viewBox=f"0 0 {_text(width)} {_text(height)}",
        width=width,
        height=height,
        role=role,
        # A browser would not name a group by its title alone.
        aria_label=f"{title}. {description}" if role == "group" else None,
        xmlns="http://www.w3.org/2000/svg",
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """Return a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def rectangle(x: float, y: float, width: float, height: float, kind: str, tip: str = "") -> Markup:
    """Return a rectangle; `tip` is shown when the pointer rests on it."""
    inside = (element("title", tip),) if tip else ()
    return element("rect", *inside, x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), class_=kind)


def dot(x: float, y: float, radius: float, kind: str, tip: str = "") -> Markup:
    """Return a filled circle."""
    inside = (element("title", tip),) if tip else ()
    return element("circle", *inside, cx=x, cy=y, r=radius, class_=kind)


def label(x: float, y: float, text: str, kind: str = "tick", anchor: str = "start") -> Markup:
    """Return a line of text; `anchor` is `start`, `middle` or `end`."""
    return element("text", text, x=x, y=y, class_=kind, text_anchor=None if anchor == "start" else anchor)


def curve(points: Iterable[tuple[float, float]], kind: str, base: float | None = None) -> Markup:
    """Return a line through points, or with a base the area between it and that height."""
    found = list(points)
    if not found:
        return Markup()
    path = "L".join(f"{_text(x)} {_text(y)}" for x, y in found)
    close = (
        "" if base is None else f"L{_text(found[-1][0])} {_text(base)}L{_text(found[0][0])} {_text(base)}Z"
    )
    return element("path", d=f"M{path}{close}", class_=kind)


@cache
def _name(key: str) -> str:
    return escape(key.rstrip("_").replace("_", "-"))


def _text(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
