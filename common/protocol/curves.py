"""What is drawn of a model's out-of-fold predictions: curves of few points, rounded to what a plot can show.

No decision rests on them; the scores beside them are exact.
"""

from __future__ import annotations

from common.frozen import Frozen


class RocPoint(Frozen):
    """One threshold of the ROC curve: a prediction of at least `threshold` says rise."""

    threshold: float
    """The probability from which on a rise is predicted."""
    false_positive_ratio: float
    """Share of the rows that did not rise and were predicted to, 0 to 1."""
    true_positive_ratio: float
    """Share of the rows that rose and were predicted to, 0 to 1."""


class ReliabilityBin(Frozen):
    """Predictions of about one size, and how often they came true."""

    predicted: float
    """Mean predicted probability of a rise."""
    observed: float
    """Share of the rows that rose, 0 to 1."""
    rows: int
    """How many rows are in it."""


class NullDistribution(Frozen):
    """How the AUC would be distributed if nothing could be predicted: Student's t, shifted and scaled.

    The p-value is the share of it at or above `observed`.
    """

    observed: float
    """The AUC that was reached."""
    center: float
    """The AUC that is expected where nothing can be predicted: 0.5, and what fading the past adds."""
    standard_error: float
    """Scale of the distribution, in units of the AUC."""
    freedom: float
    """Degrees of freedom."""


class Curves(Frozen):
    """What is drawn of one model's out-of-fold predictions."""

    roc: tuple[RocPoint, ...]
    """From the highest threshold to the lowest; empty where only one class was seen."""
    reliability: tuple[ReliabilityBin, ...]
    """In ascending order of the predictions, about equally many rows in each."""
    null: NullDistribution | None
    """The test behind the p-value; null where it could not be made."""
