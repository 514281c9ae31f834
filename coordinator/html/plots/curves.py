"""ROC and reliability: how well predictions tell rises from falls, and how true their probabilities are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from common.protocol.curves import ReliabilityBin, RocPoint
from coordinator.html.plots.axes import Axis, round_values, value_axes
from coordinator.html.plots.svg import curve, dot, drawing, element, label, line

WIDTH, HEIGHT = 340.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 50.0, 12.0, 10.0, 44.0
CERTAIN = 1.96
"""Standard errors on each side of a share that hold it with 95 %."""


def roc_plot(points: Sequence[RocPoint], auc: float | None) -> Markup:
    """Draw the ROC curve above the diagonal of a coin."""
    x, y = Axis(0, 1, LEFT, WIDTH - RIGHT), Axis(0, 1, HEIGHT - BOTTOM, TOP)
    line_of = [(0.0, 0.0), *((one.false_positive_ratio, one.true_positive_ratio) for one in points)]
    places = [(x(false), y(true)) for false, true in line_of]
    ticks = [0, 0.25, 0.5, 0.75, 1]
    reached = "unknown" if auc is None else f"{auc:.4f}"
    described = f"The area under the curve is {reached}; a coin has 0.5."
    return drawing(
        "roc",
        WIDTH,
        HEIGHT,
        "ROC curve",
        described,
        value_axes(x, y, ticks, ticks),
        curve(places, "area", y(0)),
        line(x(0), y(0), x(1), y(1), "reference"),
        curve(places, "curve"),
        *(
            dot(
                x(one.false_positive_ratio),
                y(one.true_positive_ratio),
                3.0,
                "point",
                f"from probability {one.threshold:.3f} on: {one.true_positive_ratio:.1%} of the rises and "
                f"{one.false_positive_ratio:.1%} of the others",
            )
            for one in points
        ),
        label(x(1) - 6, y(0) - 10, f"AUC {reached}", "value", "end"),
        label((x(0) + x(1)) / 2, HEIGHT - 8, "others that were predicted to rise", "axis", "middle"),
        _sideways("rises that were predicted", (y(0) + y(1)) / 2),
    )


def reliability_plot(bins: Sequence[ReliabilityBin]) -> Markup:
    """Draw how often predictions came true, with the interval that holds each share with 95 %."""
    errors = [
        CERTAIN * math.sqrt(max(one.observed * (1 - one.observed), 1e-9) / max(one.rows, 1)) for one in bins
    ]
    reach = [value for one in bins for value in (one.predicted, one.observed)]
    reach += [
        one.observed + sign * error for one, error in zip(bins, errors, strict=True) for sign in (-1, 1)
    ]
    low, high = max(min(reach, default=0.0), 0.0), min(max(reach, default=1.0), 1.0)
    margin = max((high - low) * 0.06, 0.004)
    low, high = max(low - margin, 0.0), min(high + margin, 1.0)
    x, y = Axis(low, high, LEFT, WIDTH - RIGHT), Axis(low, high, HEIGHT - BOTTOM, TOP)
    ticks = round_values(low, high, 4)
    digits = 2 if all(abs(tick * 100 - round(tick * 100)) < 1e-6 for tick in ticks) else 3
    agree = [abs(one.observed - one.predicted) <= error for one, error in zip(bins, errors, strict=True)]
    described = (
        f"In {sum(agree)} of {len(bins)} groups the share of rises agrees with the prediction within 95 %."
    )
    bars = []
    for one, error in zip(bins, errors, strict=True):
        upper, lower = y(min(one.observed + error, high)), y(max(one.observed - error, low))
        tip = f"{one.rows:,} rows predicted at {one.predicted:.3f}: {one.observed:.3f} rose (± {error:.3f})"
        bars += [
            line(x(one.predicted), upper, x(one.predicted), lower, "whisker"),
            dot(x(one.predicted), y(one.observed), 4.0, "point", tip),
        ]
    return drawing(
        "reliability",
        WIDTH,
        HEIGHT,
        "Reliability curve",
        described,
        value_axes(x, y, ticks, ticks, (digits, digits)),
        line(x(low), y(low), x(high), y(high), "reference"),
        curve([(x(one.predicted), y(one.observed)) for one in bins], "curve thin"),
        *bars,
        label((x.start + x.stop) / 2, HEIGHT - 8, "predicted probability of a rise", "axis", "middle"),
        _sideways("share that rose", (y.start + y.stop) / 2),
    )


def _sideways(text: str, middle: float) -> Markup:
    return element(
        "text", text, transform=f"translate(11 {middle:.1f}) rotate(-90)", text_anchor="middle", class_="axis"
    )
