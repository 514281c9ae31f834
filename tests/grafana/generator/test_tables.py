import pytest

from grafana.generator.queries import Query
from grafana.generator.style import COUNT, Frame, Look
from grafana.generator.tables import Column, matrix_panel, table_panel

FRAME = Frame("Table", "What it shows.", "Nothing", 12, 8)
JOBS = Query("max by (state) (nighttrain_run_jobs)", ref="jobs")
OTHERS = Query("min by (state) (nighttrain_run_jobs)", ref="others")


def organized(panel):
    return panel.build().transformations[-1].options


def test_a_single_query_is_shown_under_the_name_that_the_data_source_gives_it():
    panel = table_panel(FRAME, [JOBS], [Column("jobs", "Jobs"), Column("state", "State")], "State")
    assert organized(panel)["renameByName"] == {"Value": "Jobs", "state": "State"}
    assert organized(panel)["indexByName"] == {"Value": 0, "state": 1}


def test_several_queries_are_told_apart_by_their_refs():
    panel = table_panel(
        FRAME, [JOBS, OTHERS], [Column("state", "State"), Column("others", "Others")], "State"
    )
    assert organized(panel)["renameByName"] == {"state": "State", "Value #others": "Others"}
    assert organized(panel)["excludeByName"] == {"Time": True, "Value #jobs": True}


def test_a_ref_that_is_a_label_too_is_refused():
    with pytest.raises(ValueError, match="state"):
        table_panel(FRAME, [Query(JOBS.expr, ref="state")], [Column("state", "State")], "State")


def test_a_matrix_keeps_the_given_order_of_columns():
    query = Query("max by (symbol, timeframe) (nighttrain_cell_auc_ratio)")
    panel = matrix_panel(FRAME, query, "symbol", ("1m", "1h", "1d"), Look(COUNT), "timeframe")
    assert organized(panel)["indexByName"] == {"symbol\\timeframe": 0, "1m": 1, "1h": 2, "1d": 3}
    assert panel.build().transformations[0].options["valueField"] == "Value"
