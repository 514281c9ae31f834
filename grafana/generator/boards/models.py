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
from grafana.generator.history import history
from grafana.generator.layout import (
    Section,
    board,
    horizon_variable,
    run_variable,
    symbol_variable,
    timeframe_variable,
)
from grafana.generator.panels import bar_panel, stat_panel
from grafana.generator.queries import Query, every, last_of_run, of_cells
from grafana.generator.style import (
    BRIEFLY_NO_RUN,
    COUNT,
    GREEN,
    GREY,
    NEUTRAL,
    NO_RUN,
    ORANGE,
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
            Section("Against the runs before", history()),
        ],
        [run_variable(), symbol_variable(), timeframe_variable(), horizon_variable()],
        since="now-24h",
    )


def _means() -> list[Panel]:
    drop = "nighttrain:cell_auc_drop:ratio"
    enough = condition("NighttrainMeanAucDropped", f"max({EARLIER_RUNS.name})").limit
    return [
        stat_panel(
            Frame(
                "Mean AUC",
                "Of all cells that the run has trained, out of fold; 0.5 is chance.",
                BRIEFLY_NO_CELL,
                3,
                4,
            ),
            [Query(last_of_run("max(nighttrain:cell_auc_ratio:avg)"), "AUC")],
            SCORE,
        ),
        stat_panel(
            Frame(
                "Below the runs before",
                "How far the mean AUC is below that of up to five finished runs of the same configuration. "
                f"Red: more than {condition('NighttrainMeanAucDropped', drop).limit:g}, at which an alert "
                f"fires once the run is done and there are at least {enough:g} such runs.",
                "no run before",
                4,
                4,
            ),
            [Query(last_of_run(f"max({drop})"), "AUC below")],
            Look(PLAIN, firing("NighttrainMeanAucDropped", drop), decimals=4),
        ),
        stat_panel(
            Frame(
                "Runs before",
                "Finished runs of the same configuration that this one is compared with. Green: enough for "
                "an alert.",
                BRIEFLY_NO_RUN,
                3,
                4,
            ),
            [Query(last_of_run(f"max({EARLIER_RUNS.name})"), "runs")],
            Look(COUNT, ((None, GREY), (enough, GREEN))),
        ),
        stat_panel(
            Frame("Mean Brier score", "Out of fold; lower is better, 0.25 is chance.", BRIEFLY_NO_CELL, 3, 4),
            [Query(last_of_run("max(nighttrain:cell_brier_ratio:avg)"), "Brier")],
            SCORE,
        ),
        stat_panel(
            Frame("Mean accuracy", "Out of fold.", BRIEFLY_NO_CELL, 3, 4),
            [Query(last_of_run("max(nighttrain:cell_accuracy_ratio:avg)"), "accuracy")],
            SCORE,
        ),
        stat_panel(
            Frame(
                "Limits",
                "What scores must meet for a model to be promoted: at least; the Brier score, at most.",
                BRIEFLY_NO_RUN,
                8,
                4,
            ),
            [Query(last_of_run(f"max by (score) ({PROMOTION_LIMIT.name})"), "{{score}}")],
            SCORE,
        ),
        stat_panel(
            Frame(
                "Promoted",
                "Models that the run promoted, once all jobs are final. Green: at least one.",
                BRIEFLY_NO_RUN,
                4,
                6,
            ),
            [Query(last_of_run(f"max({RUN_PROMOTED_MODELS.name})"), "promoted")],
            Look(COUNT, ((None, GREY), (1, GREEN))),
        ),
        bar_panel(
            Frame(
                "Not promoted, by reason",
                "Models that the run refused; one with several reasons counts under each. `significance` is "
                "the false-discovery rate over the grid, `champion` the model that is promoted already.",
                NO_RUN,
                10,
                6,
            ),
            [Query(last_of_run(f"max by (reason) ({RUN_REFUSED_MODELS.name})"), "{{reason}}")],
            Look(COUNT, NEUTRAL, minimum=0),
        ),
        bar_panel(
            Frame("Cells trained, by timeframe", "Of the chosen symbols and horizons.", NO_CELL, 10, 6),
            [Query(last_of_run(f"count by (timeframe) ({of_cells(CELL_AUC)})"), "{{timeframe}}")],
            Look(COUNT, NEUTRAL, minimum=0),
        ),
    ]


def _matrices() -> list[Panel]:
    def matrix(title: str, description: str, expr: str, look: Look) -> Panel:
        return matrix_panel(
            Frame(title, description + " Of the chosen horizons, the best counts.", NO_CELL, 12, 8),
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

    promoted = Look(PLAIN, values={0: ("no", GREY), 1: ("promoted", GREEN)})
    return table_panel(
        Frame(
            "Cells",
            f"Every cell that the run has trained, with its distances to the limits. {MET} "
            "Reasons for each refusal, folds and p-values stand in the results file and at /api/jobs.",
            NO_CELL,
            24,
            14,
        ),
        [
            Query(of_cell(of_cells(CELL_AUC)), ref="auc"),
            Query(of_cell(_margin(CELL_AUC, "auc")), ref="auc_margin"),
            Query(of_cell(of_cells(CELL_BRIER)), ref="brier"),
            Query(of_cell(_margin(CELL_BRIER, "brier")), ref="brier_margin"),
            Query(of_cell(of_cells(CELL_ACCURACY)), ref="accuracy"),
            Query(of_cell(_margin(CELL_ACCURACY, "accuracy")), ref="accuracy_margin"),
            Query(of_cell(of_cells(CELL_PROMOTED)), ref="promoted"),
        ],
        [
            Column("symbol", "Symbol"),
            Column("timeframe", "Timeframe"),
            Column("horizon", "Horizon"),
            Column("auc", "AUC", SCORE),
            Column("auc_margin", "AUC above limit", MARGIN, Cells.COLOURED),
            Column("brier", "Brier score", SCORE),
            Column("brier_margin", "Brier below limit", MARGIN, Cells.COLOURED),
            Column("accuracy", "Accuracy", SCORE),
            Column("accuracy_margin", "Accuracy above limit", MARGIN, Cells.COLOURED),
            Column("promoted", "Promoted", promoted, Cells.COLOURED),
        ],
        "AUC",
        largest_first=True,
    )


def _margin(metric: Metric, score: str) -> str:
    limit = f"on () group_left () max({every(PROMOTION_LIMIT, score=score)})"
    distance = f"({of_cells(metric)} - {limit})"
    return f"-1 * {distance}" if metric is CELL_BRIER else distance
