"""What a job brings back: survey reports, fold checkpoints, scores, certificates and model manifests.

Times are UTC; in JSON they are ISO 8601. Candle times are the opening of the bar. Shares and ratios run from
0 to 1.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from common.bounds import (
    Count,
    Digest,
    Line,
    Moment,
    NotNegative,
    Positive,
    Ratio,
    Real,
    Seconds,
    ShortLine,
    Tally,
    Turnover,
    Version,
)
from common.frozen import Frozen
from common.protocol.curves import Curves
from common.protocol.jobs import Cell
from common.settings.sections import Label
from common.timeframes import Timeframe

MANIFEST_SCHEMA = "nighttrain.manifest/1"
CHECKPOINT_SCHEMA = "nighttrain.checkpoint/1"


class Span(Frozen):
    """A stretch of time."""

    start: Moment
    """First moment; of candles the opening of the first bar."""
    end: Moment
    """Last moment; of candles the close of the last bar."""


class Finding(Frozen):
    """One kind of defect that a survey found in one series or file."""

    defect: ShortLine
    """Kind of the defect, such as `gap` or `duplicate_equal`."""
    timeframe: ShortLine
    """The series; empty for a defect of a file."""
    count: Count
    """How many places have it: bars, rows, lines or files."""
    action: ShortLine
    """What was done: `kept`, `dropped`, `sorted`, `resampled`, `refused` or `reported`."""
    first: Line
    """The first place: a time or a file."""
    detail: Line
    """All of it in words."""


class SeriesReport(Frozen):
    """What a survey says of one timeframe of a symbol."""

    timeframe: Timeframe
    """Length of a bar, such as `1h`."""
    source: Line
    """`native`, `resampled from 1m`, both joined by `and` where native candles lack bars that finer
    ones have, or `none`."""
    rows: Count
    """Number of bars."""
    span: Span | None
    """From the first bar to the last; null if there are none."""
    digest: Digest
    """SHA-256 of the bars, in hexadecimal."""
    missing: Count
    """Bars that are missing between the first and the last."""
    segments: Count
    """Stretches of bars without a gap."""
    quote_volume_per_day: Turnover
    """Turnover a day in the quote currency (volume x close where the source has none)."""
    refusal: Line
    """Why the series cannot be trained on; empty if it can."""
    coverage: Annotated[tuple[Ratio, ...], Field(max_length=96)] = ()
    """Share of the bars that are there in each of at most 96 equal parts of the span, 0 to 1, rounded down;
    empty where there are no bars, and in a report of an earlier version."""


class SurveyReport(Frozen):
    """What a survey says of one symbol."""

    symbol: str
    """The symbol, such as `BTCUSDT`."""
    synthetic: bool
    """Whether its candles are synthetic."""
    files: tuple[Line, ...]
    """The source files, relative to the folder of candles."""
    series: tuple[SeriesReport, ...]
    """One report for each timeframe that was asked for."""
    findings: tuple[Finding, ...]
    """Every defect that was found, and what was done."""
    quote_volume_per_day: Turnover
    """Turnover a day in the quote currency, of the finest series."""
    cache_hit: bool
    """Whether the files are those of an earlier survey, so that none was read."""
    program: Digest = ""
    """SHA-256 of the code and packages that this trainer would train the cells with, in hexadecimal; empty in
    a report of an earlier version."""


class Scores(Frozen):
    """Scores of out-of-fold predictions."""

    auc: Ratio | None
    """Area under the ROC curve, 0 to 1; null where all rows have one outcome. It is the share of pairs of
    different outcomes that are predicted in their order; with costs a pair of up and down counts twice."""
    brier: Ratio
    """Brier score: mean squared error of the probability, 0 to 1, the lower the better."""
    accuracy: Ratio
    """Share of rows whose direction was right, 0 to 1; with costs, of the rows that moved beyond them."""
    log_loss: NotNegative
    """Mean log loss in nats, the lower the better."""
    base_rate: Ratio
    """Share of rises among the rows, all of which moved, 0 to 1; with costs, half of 1 plus the share that
    rose beyond them less the share that fell."""
    n: Count
    """Number of rows."""


class Ties(Frozen):
    """Rows whose close ends where it was: neither trained on nor scored."""

    rows: Count
    """How many there are."""
    share: Ratio
    """Their share among all rows whose future is known, 0 to 1."""
    auc_with_ties: Ratio | None
    """Out-of-fold AUC if ties counted as falls, to compare with; null where only one class was seen."""


class Edge(Frozen):
    """What a model's extreme predictions would have earned before costs, out of fold.

    Each fold's test rows, ties included, are ordered by the prediction. The tenth with the highest is bought,
    the lowest sold, each held for the horizon. A basis point (bp) is a hundredth of a per cent.
    """

    rows: Count
    """Out-of-fold rows, ties included: who trades does not know beforehand which will be ties."""
    tenth_rows: Count
    """Rows in each of the two tenths, over all folds."""
    high_bp: Real
    """Mean log return of the tenth that is predicted to rise most, in bp."""
    low_bp: Real
    """Mean log return of the tenth that is predicted to fall most, in bp; below zero if that is right."""
    edge_bp: Real
    """Mean gross return a trade, in bp: half of `high_bp` less `low_bp`. It must exceed the costs to pay."""
    standard_error_bp: NotNegative
    """Standard error of `edge_bp`, in bp; returns that overlap are not taken for independent."""
    costs_bp: NotNegative
    """Costs of a trade, in and out, as configured, in bp."""
    beyond_costs_share: Ratio
    """Share of these rows whose close moves by more than the costs over the horizon, up or down, 0 to 1."""


class Recalibration(Frozen):
    """How a model's predictions are drawn towards the base rate, by what earlier folds show.

    What the features add to the log odds is multiplied with a slope; the intercept stays.
    """

    slope: Positive
    """The slope that is used, above 0; 1 leaves the predictions as they are."""
    estimate: Real | None
    """The slope that earlier folds ask for, as Newton's step from 1 finds it; below 1 their predictions were
    overconfident. Null before the first fold was tested, or where the features add nothing."""
    standard_error: NotNegative | None
    """Its standard error; labels that overlap are not taken for independent."""
    gain: Real
    """By how much the log loss of these folds, summed over the rows in nats, would have been lower if each
    had been drawn by the estimate of the folds before it."""
    measured_on: tuple[Count, ...]
    """Indices of the earlier folds that it was measured on."""


class GateScores(Frozen):
    """What gates of the promotion look at besides the scores over all folds."""

    base_rate_log_loss: NotNegative
    """Log loss, on the rows scored, of always saying the share of rises among the rows that each fold was
    trained on, in nats."""
    newest_fold: Scores
    """Scores of the newest fold by itself."""


class FoldResult(Frozen):
    """One fold of the walk-forward: where it trained and tested, and its out-of-fold scores."""

    index: Count
    """Place of the fold, counted from 0."""
    train_rows: Count
    """Rows trained on: those with a full feature window and a label."""
    test_rows: Count
    """Rows tested on, likewise."""
    train_span: Span
    """Time of the rows trained on."""
    test_span: Span
    """Time of the rows tested on."""
    last_train_label_end: Moment
    """When the last training label ends; the embargo begins there."""
    C: Positive
    """Inverse regularisation strength of the model that was tested."""
    C_chosen_from: tuple[Count, ...]
    """Indices of the earlier folds by whose log loss C was chosen; empty for the first."""
    log_losses: tuple[NotNegative, ...]
    """Log loss of each C of the path, in the path's order, over those of this fold's test rows whose labels
    have ended, embargo included, when the next fold's test begins; earlier versions took all of them."""
    scores: Scores
    """Scores on the rows tested on."""
    recalibration: Recalibration | None = None
    """How the model's predictions were recalibrated before they were scored; null in a checkpoint and in a
    report of an earlier version."""


class FoldReport(FoldResult):
    """One finished fold with its model, as a checkpoint keeps it."""

    means: tuple[Real, ...]
    """Mean of each feature over the rows trained on."""
    scales: tuple[Positive, ...]
    """Standard deviation of each feature over the rows trained on."""
    coefficients: tuple[tuple[Real, ...], ...]
    """For each C of the path the coefficients of the standardised features."""
    intercepts: tuple[Real, ...]
    """For each C of the path the intercept."""
    iterations: Count
    """Passes over the rows until the whole path converged."""


class Checkpoint(Frozen):
    """The finished folds of a job and what they were computed from; one of other inputs is not used."""

    version: Version = CHECKPOINT_SCHEMA
    """Name of this format."""
    inputs: Digest
    """SHA-256 of all that the result depends on: specification, candles, features, versions."""
    folds: tuple[FoldReport, ...]
    """The finished folds, in order."""


class Check(Frozen):
    """One no-leak check of a certificate."""

    name: ShortLine
    """What was checked, in a word."""
    passed: bool
    """Whether nothing was found."""
    checked: Tally
    """On how many places it was checked."""
    detail: Line
    """What was found, in words."""


class Certificate(Frozen):
    """The proof that nothing of a model has seen the future."""

    checks: tuple[Check, ...]
    """The checks; each must have passed."""

    @property
    def valid(self) -> bool:
        """Whether there are checks and all of them passed."""
        return bool(self.checks) and not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass, in their order."""
        return tuple(check for check in self.checks if not check.passed)


class FoldModel(Frozen):
    """The model that one fold tested, kept so that a later night can score it on rows it had not seen."""

    trained_until: Moment
    """End of the last training label: rows whose bar closes after it plus the embargo are unseen."""
    means: tuple[Real, ...]
    """Mean of each feature."""
    scales: tuple[Positive, ...]
    """Standard deviation of each feature."""
    coefficients: tuple[Real, ...]
    """Coefficients of the standardised features."""
    intercept: Real
    """The intercept."""


class Manifest(Frozen):
    """A model.

    p(rise) = 1 / (1 + exp(-(intercept + sum_j coefficients_j * (x_j - means_j) / scales_j)))

    Of a label with costs it is 1/2 + (p(up beyond costs) - p(down beyond costs)) / 2.
    """

    version: Version = MANIFEST_SCHEMA
    """Name of this format."""
    cell: Cell
    """What the model predicts."""
    label: Label = Label()
    """Of what kind: models of different labels are never compared."""
    synthetic: bool
    """Whether it was trained on synthetic candles."""
    features: tuple[ShortLine, ...]
    """Names of the columns, in order."""
    feature_version: Version
    """Version of the formulas of the features."""
    means: tuple[Real, ...]
    """Mean of each feature over the rows trained on."""
    scales: tuple[Positive, ...]
    """Standard deviation of each feature over the rows trained on."""
    coefficients: tuple[Real, ...]
    """Coefficients of the standardised features."""
    intercept: Real
    """The intercept."""
    C: Positive
    """Inverse regularisation strength: the best over all folds."""
    fold_models: tuple[FoldModel, ...]
    """The model that each fold tested, in order."""
    embargo_minutes: Count
    """Minutes between the last training label and the first test row."""
    trained_rows: Count
    """Rows trained on."""
    trained_span: Span
    """Time of the rows trained on."""
    scores: Scores
    """Out-of-fold scores."""
    edge: Edge | None = None
    """What its extreme predictions would have earned; null in a manifest of an earlier version."""
    gates: GateScores | None = None
    """What the gates look at besides the scores; null in a manifest of an earlier version."""
    recalibration: Recalibration | None = None
    """How the coefficients, here and in `fold_models`, were recalibrated: they are multiplied with its slope
    already. Null in a manifest of an earlier version."""
    p_value: Ratio
    """Probability of such a score by luck, 0 to 1."""
    certificate: Certificate
    """The proof that nothing in it has seen the future."""
    lineage: dict[ShortLine, Line]
    """Digests and versions: candles by timeframe, features, configuration, packages."""
    label_version: Version = ""
    """Version of the meaning of a label; empty in a model of before it was kept."""
    pickle_sha256: Digest
    """SHA-256 of the .pkl made from this manifest, in hexadecimal; empty before it was made."""


class Obstacle(StrEnum):
    """Why a champion cannot be scored on the rows of tonight: it reads or predicts something else.

    MALFORMED: its manifest is damaged, so that it counts as none.
    """

    MALFORMED = "malformed"
    CELL = "cell"
    FEATURES = "features"
    LABELS = "labels"


class ChampionRetest(Frozen):
    """The champion's final model on rows after its training, beside the new model's out-of-fold scores."""

    rows: Count
    """Rows whose bar closed after the champion's last training label had ended, embargo included."""
    span: Span | None
    """Time of these rows; null if there are none."""
    scores: Scores | None
    """The champion's scores on them; null if there are none."""
    challenger_scores: Scores | None
    """The new model's scores on the same rows."""
    floor_auc: Ratio
    """The AUC that keeps a quarter of the edge that the champion was promoted with, 0.5 to 1."""
    lost_p_value: Ratio | None
    """Probability of so low an AUC if the champion had kept a quarter of the edge that it was promoted with,
    0 to 1; null if there are too few rows or one class only."""
    record_p_value: Ratio | None
    """Probability of the AUC of the champion's whole record (`rows_compared` rows, each predicted before it
    was known) by luck, 0 to 1; null if it has none."""


class ChampionComparison(Frozen):
    """The champion scored on the rows that the new model was scored on, by its own walk-forward models."""

    champion: ShortLine
    """The champion: digest of its .pkl, or the name of its cell."""
    rows_compared: Count
    """Out-of-fold rows that the champion had not seen."""
    scores: Scores | None
    """The champion's scores on them; null where the two cannot be compared."""
    challenger_scores: Scores | None
    """The new model's scores on the same rows."""
    detail: Line
    """What was compared, or why nothing could be."""
    obstacle: Obstacle | None = None
    """Why nothing could be compared, in a word; null if it could be, or there was no row for it."""
    retest: ChampionRetest | None = None
    """What the rows after the champion's training say; null where the two cannot be compared."""
    challenger_worse_p_value: Ratio | None = None
    """Probability of the new model's log loss being so far above the champion's by luck, 0 to 1, on the rows
    after the champion's training, or on all rows compared where those are too few; null if both are."""
    challenger_worse_rows: Count = 0
    """How many rows that p-value is of."""


class TrainingReport(Frozen):
    """What a training job brings back."""

    cell: Cell
    """The cell that was trained."""
    rows: Count
    """Rows with a full feature window and a label."""
    span: Span
    """Time of these rows."""
    scores: Scores
    """Out-of-fold scores over all folds."""
    folds: tuple[FoldReport, ...]
    """The folds, in order."""
    p_value: Ratio
    """Probability of such a score by luck, 0 to 1."""
    certificate: Certificate
    """The proof that nothing has seen the future."""
    champion: ChampionComparison | None
    """The promoted model on the same rows; null if there was none."""
    manifest: Manifest
    """The model."""
    stage_seconds: dict[ShortLine, Seconds]
    """Seconds that each stage took, by its name."""
    resumed_folds: Count
    """Folds that were taken from a checkpoint."""
    ties: Ties | None = None
    """Rows that were left out because the close did not move; null where it was not counted."""
    edge: Edge | None = None
    """What its extreme predictions would have earned; null in a report of an earlier version."""
    gates: GateScores | None = None
    """What the gates look at besides the scores; null in a report of an earlier version."""
    recalibration: Recalibration | None = None
    """How the final model was recalibrated; null in a report of an earlier version."""
    curves: Curves | None = None
    """What is drawn of its predictions; null in a report of an earlier version."""
    program: Digest = ""
    """SHA-256 of the code and packages that it was trained with, in hexadecimal; empty likewise."""
