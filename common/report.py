"""What a job brings back: survey reports, fold checkpoints, scores, certificates and model manifests.

Times are UTC; in JSON they are ISO 8601. Candle times are the opening of the bar. Shares and ratios run from
0 to 1.
"""

from __future__ import annotations

from datetime import datetime

from common.jobs import Cell, Frozen

MANIFEST_SCHEMA = "nighttrain.manifest/1"
CHECKPOINT_SCHEMA = "nighttrain.checkpoint/1"


class Span(Frozen):
    """First and last moment; for candles the opening of the first and the close of the last bar."""

    start: datetime
    end: datetime


class Finding(Frozen):
    """One kind of defect that a survey found in one series.

    `defect` is a slug such as ``gap`` or ``duplicate_equal``; `action` is what was done (``kept``,
    ``dropped``, ``sorted``, ``resampled``, ``refused``, ``reported``); `first` tells the first place (a time
    or a file), `detail` says it in words.
    """

    defect: str
    timeframe: str
    count: int
    action: str
    first: str
    detail: str


class SeriesReport(Frozen):
    """What a survey says of one timeframe of a symbol.

    `refusal` is empty where the series can be trained on. `source` is ``native``, ``resampled from 1m``, both
    joined by ``and`` where native candles lack bars that finer ones have, or ``none``. `rows` are bars.
    `quote_volume_per_day` is in the quote currency (volume x close where the source has none).
    """

    timeframe: str
    source: str
    rows: int
    span: Span | None
    digest: str
    missing: int
    segments: int
    quote_volume_per_day: float
    refusal: str


class SurveyReport(Frozen):
    """What a survey says of one symbol."""

    symbol: str
    synthetic: bool
    files: tuple[str, ...]
    series: tuple[SeriesReport, ...]
    findings: tuple[Finding, ...]
    quote_volume_per_day: float
    cache_hit: bool


class Scores(Frozen):
    """Scores of out-of-fold predictions; `base_rate` is the share of rises among the `n` rows.

    `auc` is None where only one class was seen.
    """

    auc: float | None
    brier: float
    accuracy: float
    log_loss: float
    base_rate: float
    n: int


class FoldReport(Frozen):
    """One finished fold: where it trained and tested, what was chosen and why, its model and its scores.

    `C` was chosen by the log loss of the folds named in `C_chosen_from` (indices of earlier folds; empty for
    the first). `log_losses` has this fold's test log loss for each C of the path, in the path's order.
    `coefficients` has one list per C of the path (standardised features), `intercepts` likewise. Rows are
    counted in rows with a full feature window and a label.
    """

    index: int
    train_rows: int
    test_rows: int
    train_span: Span
    test_span: Span
    last_train_label_end: datetime
    C: float
    C_chosen_from: tuple[int, ...]
    log_losses: tuple[float, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]
    iterations: int
    scores: Scores


class Checkpoint(Frozen):
    """The finished folds of a job and what they were computed from; one of other inputs is not used.

    `inputs` is the digest of everything that the result depends on: specification, candles, features,
    versions.
    """

    version: str = CHECKPOINT_SCHEMA
    inputs: str
    folds: tuple[FoldReport, ...]


class Check(Frozen):
    """One no-leak check of a certificate: what was checked, on how many places, and what was found."""

    name: str
    passed: bool
    checked: int
    detail: str


class Certificate(Frozen):
    """The proof that nothing of a model has seen the future; valid if every check passed."""

    checks: tuple[Check, ...]

    @property
    def valid(self) -> bool:
        """Whether there are checks and all of them passed."""
        return bool(self.checks) and all(check.passed for check in self.checks)


class FoldModel(Frozen):
    """The model that one fold tested, kept so that a later night can score it on rows it had not seen.

    `trained_until` is the end of the last training label: rows whose bar closes after it plus the embargo are
    unseen.
    """

    trained_until: datetime
    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float


class Manifest(Frozen):
    """The model. p(rise) = 1 / (1 + exp(-(intercept + sum_j coefficients_j * (x_j - means_j) / scales_j))).

    `features` names the columns in order; `pickle_sha256` is the digest of the .pkl made from this manifest
    (empty before it was made). `lineage` holds digests and versions: data per timeframe, configuration, code,
    packages.
    """

    version: str = MANIFEST_SCHEMA
    cell: Cell
    synthetic: bool
    features: tuple[str, ...]
    feature_version: str
    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    C: float
    fold_models: tuple[FoldModel, ...]
    embargo_minutes: int
    trained_rows: int
    trained_span: Span
    scores: Scores
    p_value: float
    certificate: Certificate
    lineage: dict[str, str]
    pickle_sha256: str


class ChampionComparison(Frozen):
    """The champion scored on the rows that the new model was scored on, by its own walk-forward models.

    `scores` covers the rows that the champion had not seen (`rows_compared`), `challenger_scores` the new
    model on the same rows.
    """

    champion: str
    rows_compared: int
    scores: Scores | None
    challenger_scores: Scores | None
    detail: str


class TrainingReport(Frozen):
    """What a training job brings back; the model itself is `manifest`."""

    cell: Cell
    rows: int
    span: Span
    scores: Scores
    folds: tuple[FoldReport, ...]
    p_value: float
    certificate: Certificate
    champion: ChampionComparison | None
    manifest: Manifest
    stage_seconds: dict[str, float]
    resumed_folds: int
