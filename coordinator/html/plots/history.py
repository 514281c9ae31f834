"""A share over the last hour, as wide as there is room."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from coordinator.html.plots.svg import curve, element, line

WIDTH, HEIGHT = 240.0, 32.0


def history_plot(shares: Sequence[float], slots: int, what: str, bound: float | None = None) -> Markup:
    """Draw shares from 0 to 1, the oldest first and the newest at the right end.

    Parameters
    ----------
    shares : sequence of float
        What was measured.
    slots : int
        For how many values there is room.
    what : str
        What it is, for who cannot see it.
    bound : float or None
        A share that is marked, because something happens above it.
    """
    if not shares:
        return Markup()
    # One value is a level, not yet a line.
    shares = [*shares] * 2 if len(shares) == 1 else shares
    step = WIDTH / max(slots - 1, 1)
    start = WIDTH - step * (len(shares) - 1)
    points = [(start + step * place, (1 - share) * (HEIGHT - 2) + 1) for place, share in enumerate(shares)]
    parts = [curve(points, "area", HEIGHT), curve(points, "line")]
    if bound is not None:
        height = (1 - bound) * (HEIGHT - 2) + 1
        parts.append(line(0, height, WIDTH, height, "bound"))
    told = f"{what} over the last hour: from {min(shares):.0%} to {max(shares):.0%}, now {shares[-1]:.0%}"
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        preserveAspectRatio="none",
        role="img",
        aria_label=told,
    )
