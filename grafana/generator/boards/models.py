"""The board *Models*: how good the run's models are, against the limits and against the runs before."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from common.metrics.declarations import (
    CELL_ACCURACY,
    CELL_AUC,
    CELL_BRIER,
    CELL_PROMOTED,
    EARLIER_RUNS,
    PROMOTION_LIMIT,
    RUN_PROMOTED_MODELS,
    RUN_REFUSED_MODELS,
)
from common.metrics.exposition import Metric
from common.timeframes import Timeframe
from grafana.generator.alerts import condition, firing
from grafana.generator.colours import CLEAR, GREEN, ORANGE, TEXT
from grafana.generator.history import mean_by_run, runs
from grafana.generator.layout import (
    CELL_JOB_OF_RUN,
    Section,
    board,
    horizon_variable,
    page_variable,
    run_variable,
    symbol_variable,
    timeframe_variable,
)
from grafana.generator.panels import bar_panel, stat_panel
from grafana.generator.queries import Query, every, last_of_run, of_cells, or_words
from grafana.generator.style import (
    BRIEFLY_NO_RUN,
    COUNT,
    NEUTRAL,
    NO_RUN,
    PLAIN,
    Frame,
    Look,
    Panel,
)
from grafana.generator.tables import Cells, Column, matrix_panel, table_panel

UID = "nighttrain-models"
BRIEFLY_NO_CELL = "no cell"
NO_CELL = "No cell is trained yet, or none is chosen"
MET = "Green: the limit is met; orange: it is not."
SCORE = Look(PLAIN, decimals=4)
MARGIN = Look(PLAIN, ((None, ORANGE), (0, GREEN)), decimals=4)
"""A distance to a limit: green from 0 on, where the score meets it. No alert watches it: it is never red."""


def models() -> Dashboard:
    """Return the board."""
    return board(
        UID,
        "How good the models are, by symbol and timeframe, against the limits and the runs before.",
        [
            Section("The run", _means()),
            Section("By symbol and timeframe", _matrices()),
            Section("Cells", [_cells()]),
            Section("Against the runs before", [runs()]),
        ],
        [
            run_variable(),
            symbol_variable(),
            timeframe_variable(),
            horizon_variable(),
            page_variable(),
        ],
        since="now-24h",
    )


def _means() -> list[Panel]:
    drop = "nighttrain:cell_auc_drop:ratio"
    enough = condition("NighttrainMeanAucDropped", f"max({EARLIER_RUNS.name})").limit
    return [
        _mean("Mean AUC", "out of fold; 0.5 is chance", "auc"),
        _mean("Mean Brier", "the Brier score, out of fold; lower is better, 0.25 is chance", "brier"),
        _mean("Accuracy", "out of fold", "accuracy"),
        stat_panel(
            Frame(
                "Drop in AUC",
                "How far the mean AUC is below that of up to five finished runs of the same configuration; "
                "below zero, it is above. "
                f"Red: more than {condition('NighttrainMeanAucDropped', drop).limit:g}, at which an alert "
                f"fires once the run is done and there are at least {enough:g} such runs.",
                "none before",
                4,
                4,
            ),
            [Query(last_of_run(f"max({drop})"), "AUC below")],
            Look(PLAIN, firing("NighttrainMeanAucDropped", drop), decimals=4),
        ),
        stat_panel(
            Frame(
                "Compared to",
                "Finished runs of the same configuration and kind of candles before this one, up to five: "
                "what it is compared with. Green: enough for an alert.",
                BRIEFLY_NO_RUN,
                4,
                4,
            ),
            [Query(last_of_run(f"max({EARLIER_RUNS.name})"), "runs")],
            Look(COUNT, ((None, TEXT), (enough, GREEN))),
        ),
        stat_panel(
            Frame(
                "Promoted",
                "Models that the run promoted, once all jobs are final. Green: at least one.",
                BRIEFLY_NO_RUN,
                4,
                4,
            ),
            [Query(last_of_run(f"max({RUN_PROMOTED_MODELS.name})"), "promoted")],
            Look(COUNT, ((None, TEXT), (1, GREEN))),
        ),
        bar_panel(
            Frame(
                "Not promoted, by reason",
                "Models that the run refused; one with several reasons counts under each. `significance` is "
                "the false-discovery rate over the grid, `champion` the model that is promoted already.",
                NO_RUN,
                12,
                12,
            ),
            [
                Query(
                    f"sort_desc({last_of_run(f'max by (reason) ({RUN_REFUSED_MODELS.name})')})", "{{reason}}"
                )
            ],
            Look(COUNT, NEUTRAL, minimum=0),
        ),
        mean_by_run(),
    ]


def _mean(title: str, what: str, score: str) -> Panel:
    mean = f"max(nighttrain:cell_{score}_ratio:avg)"
    limit = f"max({every(PROMOTION_LIMIT, score=score)})"
    met, missed = ("<=", ">") if score == "brier" else (">=", "<")
    return stat_panel(
        Frame(
            title,
            f"Of all cells that the run has trained: {what}. Beside it the limit that a model must meet to "
            "be promoted. Green: the mean meets it; orange: it does not.",
            BRIEFLY_NO_CELL,
            4,
            4,
        ),
        [
            Query(f"({last_of_run(mean)}) {met} ({last_of_run(limit)})", "met", "met"),
            Query(f"({last_of_run(mean)}) {missed} ({last_of_run(limit)})", "missed", "missed"),
            Query(last_of_run(limit), "limit", "limit"),
        ],
        SCORE,
        colours={"met": GREEN, "missed": ORANGE},
    )


def _matrices() -> list[Panel]:
    def matrix(title: str, description: str, expr: str, look: Look) -> Panel:
        return matrix_panel(
            Frame(title, description + " Of the chosen horizons, the best counts.", NO_CELL, 12, 9),
            Query(last_of_run(f"max by (symbol, timeframe) ({expr})")),
            "symbol",
            tuple(Timeframe),
            look,
            "timeframe",
        )

    return [
        matrix(
            "AUC",
            "Area under the ROC curve, out of fold, on a scale around chance (0.5): the bluer, the better.",
            of_cells(CELL_AUC),
            Look(PLAIN, decimals=4, minimum=0.45, maximum=0.6),
        ),
        matrix("AUC above its limit", MET, _margin(CELL_AUC, "auc"), MARGIN),
        matrix(
            "Brier score below its limit",
            f"{MET} Lower Brier scores are better.",
            _margin(CELL_BRIER, "brier"),
            MARGIN,
        ),
        matrix("Accuracy above its limit", MET, _margin(CELL_ACCURACY, "accuracy"), MARGIN),
    ]


def _cells() -> Panel:
    def of_cell(expr: str) -> str:
        return last_of_run(f"max by (symbol, timeframe, horizon) ({expr})")

    promoted = Look(PLAIN, values={0: ("no", CLEAR), 1: ("promoted", GREEN)})
    return table_panel(
        Frame(
            "Cells",
            f"Every cell that the run has trained, with its distances to the limits. {MET} "
            "Each leads to its job on the coordinator's page: reasons for a refusal, folds and p-values.",
            NO_CELL,
            24,
            14,
        ),
        [
            Query(or_words(of_cell(of_cells(CELL_AUC)), "symbol", "no cell yet"), ref="auc"),
            Query(of_cell(_margin(CELL_AUC, "auc")), ref="auc_margin"),
            Query(of_cell(of_cells(CELL_BRIER)), ref="brier"),
            Query(of_cell(_margin(CELL_BRIER, "brier")), ref="brier_margin"),
            Query(of_cell(of_cells(CELL_ACCURACY)), ref="accuracy"),
            Query(of_cell(_margin(CELL_ACCURACY, "accuracy")), ref="accuracy_margin"),
            Query(of_cell(of_cells(CELL_PROMOTED)), ref="promoted"),
        ],
        [
            Column("symbol", "Symbol", width=110, link=CELL_JOB_OF_RUN),
            Column("timeframe", "Timeframe"),
            Column("horizon", "Horizon"),
            Column("promoted", "Promoted", promoted, Cells.COLOURED),
            Column("auc", "AUC", SCORE),
            Column("auc_margin", "above limit", MARGIN, Cells.COLOURED),
            Column("brier", "Brier", SCORE),
            Column("brier_margin", "below limit", MARGIN, Cells.COLOURED),
            Column("accuracy", "Accuracy", SCORE),
            Column("accuracy_margin", "above its limit", MARGIN, Cells.COLOURED),
        ],
        "AUC",
        largest_first=True,
    )


def _margin(metric: Metric, score: str) -> str:
    limit = f"on () group_left () max({every(PROMOTION_LIMIT, score=score)})"
    distance = f"({of_cells(metric)} - {limit})"
    return f"-1 * {distance}" if metric is CELL_BRIER else distance
