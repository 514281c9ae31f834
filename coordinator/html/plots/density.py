"""The null distribution of an AUC, and where the score lies in it."""

from __future__ import annotations

import math

from markupsafe import Markup

from common.protocol.curves import NullDistribution
from coordinator.html.plots.axes import Axis, round_values
from coordinator.html.plots.svg import curve, drawing, label, line
from coordinator.policy.multiplicity import p_value_words

WIDTH, HEIGHT = 340.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 14.0, 14.0, 26.0, 42.0
POINTS = 120
REACH = 4.0
"""Standard errors that are drawn on each side at least."""


def density_plot(null: NullDistribution, p_value: float) -> Markup:
    """Draw the density of the AUC where nothing can be predicted, shaded beyond the observed one."""
    error = max(null.standard_error, 1e-9)
    low = min(null.center - REACH * error, null.observed - error)
    high = max(null.center + REACH * error, null.observed + error)
    x, y = Axis(low, high, LEFT, WIDTH - RIGHT), Axis(0, 1.05, HEIGHT - BOTTOM, TOP)
    heights = [
        (value, student_density((value - null.center) / error, null.freedom))
        for value in (low + (high - low) * k / POINTS for k in range(POINTS + 1))
    ]
    peak = student_density(0.0, null.freedom)
    places = [(x(value), y(height / peak)) for value, height in heights]
    edge = student_density((null.observed - null.center) / error, null.freedom) / peak
    beyond = [(x(null.observed), y(edge)), *(place for place in places if place[0] > x(null.observed))]
    ticks = round_values(low, high, 6)
    digits = 2 if all(abs(tick * 100 - round(tick * 100)) < 1e-6 for tick in ticks) else 3
    right = x(null.observed) > WIDTH * 0.55
    described = (
        f"Where nothing can be predicted the AUC lies at {null.center:.4f} with a standard error of "
        f"{null.standard_error:.4f}. The observed {null.observed:.4f} is "
        f"{(null.observed - null.center) / error:.1f} standard errors above; "
        f"p-value {p_value_words(p_value)}."
    )
    return drawing(
        "density",
        WIDTH,
        HEIGHT,
        "AUC by luck, and as observed",
        described,
        *(line(x(tick), y(0), x(tick), y(0) + 4, "grid") for tick in ticks),
        *(label(x(tick), y(0) + 16, f"{tick:.{digits}f}", anchor="middle") for tick in ticks),
        curve(places, "area", y(0)),
        curve(beyond, "area beyond", y(0)),
        curve(places, "curve thin"),
        line(LEFT, y(0), WIDTH - RIGHT, y(0), "baseline"),
        line(x(null.observed), TOP - 6, x(null.observed), y(0), "observed"),
        label(
            x(null.observed) + (-6 if right else 6),
            TOP + 4,
            f"observed {null.observed:.4f}",
            "value",
            "end" if right else "start",
        ),
        label((x.start + x.stop) / 2, HEIGHT - 6, "AUC", "axis", "middle"),
    )


def student_density(value: float, freedom: float) -> float:
    """Return the density of Student's t, which for many degrees of freedom is the normal one."""
    scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    return math.exp(scale - (freedom + 1) / 2 * math.log1p(value * value / freedom))
