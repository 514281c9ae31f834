"""What is drawn of a model's out-of-fold predictions: curves of few points, rounded to what a plot can show.

No decision rests on them; the scores beside them are exact.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.bounds import Count, NotNegative, Ratio
from common.frozen import Frozen


class RocPoint(Frozen):
    """One threshold of the ROC curve: a prediction of at least `threshold` says rise."""

    threshold: Ratio
    """The probability from which on a rise is predicted."""
    false_positive_ratio: Ratio
    """Share of the rows that did not rise and were predicted to, 0 to 1."""
    true_positive_ratio: Ratio
    """Share of the rows that rose and were predicted to, 0 to 1."""


class ReliabilityBin(Frozen):
    """Predictions of about one size, and how often they came true."""

    predicted: Ratio
    """Mean predicted probability of a rise."""
    observed: Ratio
    """Share of the rows that rose, 0 to 1."""
    rows: Count
    """How many rows are in it."""


class NullDistribution(Frozen):
    """How the AUC would be distributed if nothing could be predicted: Student's t, shifted and scaled.

    The p-value is the share of it at or above `observed`.
    """

    observed: Ratio
    """The AUC that was reached."""
    center: NotNegative
    """The AUC that is expected where nothing can be predicted: 0.5, and what fading the past adds. So much
    may be added in a short series that no score can reach it."""
    standard_error: NotNegative
    """Scale of the distribution, in units of the AUC."""
    freedom: NotNegative
    """Degrees of freedom."""


class Curves(Frozen):
    """What is drawn of one model's out-of-fold predictions."""

    roc: Annotated[tuple[RocPoint, ...], Field(max_length=1000)]
    """From the highest threshold to the lowest; empty where only one class was seen."""
    reliability: Annotated[tuple[ReliabilityBin, ...], Field(max_length=1000)]
    """In ascending order of the predictions, about equally many rows in each."""
    null: NullDistribution | None
    """The test behind the p-value; null where it could not be made."""
