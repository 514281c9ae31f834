"""A score over some nights, as small as a word."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from coordinator.html.plots.axes import Axis
from coordinator.html.plots.svg import curve, dot, drawing, line

WIDTH, HEIGHT = 120.0, 28.0
MARGIN = 4.0


def sparkline(
    values: Sequence[float | None], what: str, reference: float | None = None, width: float = WIDTH
) -> Markup:
    """Draw values from the oldest to the newest; None leaves a gap, `reference` is a faint line."""
    known = [value for value in values if value is not None]
    if not known:
        return Markup()
    seen = known if reference is None else [*known, reference]
    low, high = min(seen), max(seen)
    margin = (high - low) * 0.05 or 0.01
    x = Axis(0, max(len(values) - 1, 1), MARGIN, width - MARGIN)
    y = Axis(low - margin, high + margin, HEIGHT - MARGIN, MARGIN)
    strokes = [curve([(x(k), y(v)) for k, v in piece], "curve thin") for piece in _pieces(values)]
    last = max(place for place, value in enumerate(values) if value is not None)
    count = f"{len(known)} night{'' if len(known) == 1 else 's'}"
    described = (
        f"{count}, from {known[0]:.3f} to {known[-1]:.3f}, lowest {min(known):.3f}, highest {max(known):.3f}"
    )
    parts = (
        [] if reference is None else [line(MARGIN, y(reference), width - MARGIN, y(reference), "reference")]
    )
    return drawing(
        "sparkline",
        width,
        HEIGHT,
        what,
        described,
        *parts,
        *strokes,
        dot(x(last), y(known[-1]), 2.6, "point", f"{known[-1]:.4f}"),
    )


def _pieces(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    pieces: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is not None:
            pieces[-1].append((place, value))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if len(piece) > 1]
