"""The walk-forward on a time axis: what each fold trained on, what was purged, and what it was tested on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from markupsafe import Markup

from common.protocol.reports import FoldResult
from coordinator.html.plots.axes import TimeAxis, time_axis
from coordinator.html.plots.svg import drawing, label, line, rectangle

WIDTH = 1100.0
LEFT, RIGHT, TOP, ROW, BAR, BOTTOM = 54.0, 84.0, 8.0, 30.0, 18.0, 24.0
LEAST = 2.5
"""Pixels that a purge takes at least: it is seldom a thousandth of the span, and the point of the drawing."""


def folds_plot(folds: Sequence[FoldResult]) -> Markup:
    """Draw folds from top to bottom, with the AUC of each beside it."""
    low = min(fold.train_span.start for fold in folds)
    high = max(fold.test_span.end for fold in folds)
    x = TimeAxis(low, max(high, low + timedelta(seconds=1)), LEFT, WIDTH - RIGHT)
    bottom = TOP + ROW * len(folds)
    rows = [part for place, fold in enumerate(folds) for part in _row(fold, x, TOP + ROW * place)]
    scores = ", ".join(f"fold {one.index + 1} {_auc(one)}" for one in folds)
    return drawing(
        "folds",
        WIDTH,
        bottom + BOTTOM,
        "Folds on a time axis",
        f"Each fold trains on the past, leaves a purge, and is tested on what follows. AUC: {scores}.",
        time_axis(x, TOP, bottom),
        line(x(low), bottom, x(high), bottom, "baseline"),
        *rows,
    )


def _row(fold: FoldResult, x: TimeAxis, top: float) -> list[Markup]:
    y = top + (ROW - BAR) / 2
    train, test = fold.train_span, fold.test_span
    # Rows trained on end where the purge begins; labels of theirs end later, and the embargo after that.
    purge_start, test_start = x(train.end), x(test.start)
    width = max(test_start - purge_start, LEAST)
    trained = f"fold {fold.index + 1} trained on {fold.train_rows:,} rows, {_span(train.start, train.end)}"
    tested = f"tested on {fold.test_rows:,} rows, {_span(test.start, test.end)}; AUC {_auc(fold)}"
    purged = (
        f"purged: the last training label ends {fold.last_train_label_end:%Y-%m-%d %H:%M}, "
        f"the test begins {test.start:%Y-%m-%d %H:%M} UTC"
    )
    return [
        label(LEFT - 8, y + 13, f"fold {fold.index + 1}", "tick", "end"),
        rectangle(x(train.start), y, purge_start - x(train.start), BAR, "train", trained),
        rectangle(test_start, y, x(test.end) - test_start, BAR, "test", tested),
        rectangle(test_start - width, y - 3, width, BAR + 6, "purge", purged),
        label(WIDTH - RIGHT + 10, y + 13, f"AUC {_auc(fold)}", "value"),
    ]


def _auc(fold: FoldResult) -> str:
    return "?" if fold.scores.auc is None else f"{fold.scores.auc:.3f}"


def _span(start: object, end: object) -> str:
    return f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"
