"""Cells that are not trained again because nothing has changed, on every backend."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from common.protocol.job_views import JobView
from common.protocol.jobs import Cause, Cell, JobKind, JobState
from common.protocol.reports import ChampionComparison, Manifest
from common.protocol.results import Results
from common.protocol.retests import Verdict
from common.protocol.runs import RunState
from common.protocol.steering import Order
from common.protocol.trainers import Grant
from common.settings.sections import Label, Model
from coordinator.champions.registry import record_change
from coordinator.runs.steering import Steering
from coordinator.store.tables import manifests, reports
from coordinator.views.results import read_results
from tests.coordinator.one_cell import ONE, compared
from tests.coordinator.specimens import HERE, Night, checkpoint, digest, failure, spec_of

PROGRAM = digest("this program")
CANDLES, SETTINGS = "its candles are others", "its settings are others"
SECOND = {"edition": "second"}
"""Surveys of other candles."""

CELL = Cell(symbol="BTCUSDT", timeframe="1h", horizon=1)


def first(night: Night, **trained: Any) -> int:
    """A night of all cells, with all that a trainer says of its program."""
    run = night.begin()
    night.survey_all(night.register(), program=PROGRAM)
    night.finish_all("t1-boot", **{"program": PROGRAM, **trained})
    night.housekeeping.tick()
    night.clock.advance(3_600)
    return run


def again(
    night: Night,
    retrain: bool = False,
    program: str = PROGRAM,
    surveyed: dict[str, Any] | None = None,
    **changes: Any,
) -> int:
    """A later night whose surveys are done."""
    run = night.begin(retrain=retrain, **changes)
    night.survey_all("t1-boot", program=program, **(surveyed or {}))
    return run


def cells(night: Night, run: int, **filters: object) -> tuple[JobView, ...]:
    return night.jobs(run_id=run, kind=JobKind.TRAINING, **filters)


def ended(night: Night, run: int) -> Results:
    night.housekeeping.tick()
    assert night.run_listing.view(run).state is RunState.DONE
    return read_results(night.database, run)


def test_a_night_in_which_nothing_changed_takes_over_every_result_and_says_whose(night: Night) -> None:
    earlier = first(night)
    run = again(night)
    before, after = cells(night, earlier), cells(night, run)
    assert not isinstance(night.claim("t1-boot"), Grant)
    for one, other in zip(before, after, strict=True):
        assert other.state is JobState.SUCCEEDED and other.attempts == 0
        assert other.message == f"reused from night {earlier}: candles, settings and program are the same"
        assert (other.reused_from, other.reused_run, other.again) == (one.id, earlier, "")
        same = ("symbol", "timeframe", "horizon", "rows", "scores", "p_value")
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
        assert night.detail(one.id).report == night.detail(other.id).report
    results = ended(night, run)
    assert (results.totals.succeeded, results.totals.reused) == (8, 8)
    assert (results.totals.promoted, results.totals.attempts) == (8, 2)
    assert [one.verdict for one in results.champions] == [Verdict.STANDS] * 8
    assert results.champions[0].words.endswith("no row has come since its training")
    assert not results.champion_changes


def test_a_result_is_told_to_be_of_the_night_that_trained_it_however_often_it_is_reused(night: Night) -> None:
    earlier = first(night)
    ended(night, again(night))
    night.clock.advance(3_600)
    run = again(night)
    assert {one.reused_from for one in cells(night, run)} == {one.id for one in cells(night, earlier)}
    assert {one.reused_run for one in cells(night, run)} == {earlier}
    assert cells(night, run)[0].message.startswith(f"reused from night {earlier}:")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"surveyed": {"edition": "newer"}}, CANDLES),
        ({"surveyed": {"edition": "newer", "edited": ("1d",)}}, CANDLES),
        ({"surveyed": {"synthetic": True}}, CANDLES),
        ({"program": digest("another program")}, "the program is another one"),
        ({"program": ""}, "the program is another one"),
        ({"retrain": True}, "as --retrain asks for"),
        ({"embargo_minutes": 31}, SETTINGS),
        ({"n_splits": 4}, SETTINGS),
        ({"label": Label(costs_bp=3.0)}, SETTINGS),
        ({"model": Model(C=(0.001, 0.01))}, SETTINGS),
        ({"model": Model(min_train_rows=501)}, SETTINGS),
        ({"data": {"max_missing_share": 0.3}}, SETTINGS),
    ],
    ids=[
        *("candles", "context", "kind", "program", "unknown", "wanted"),
        *("embargo", "folds", "costs", "C", "rows", "policy"),
    ],
)
def test_what_changes_a_result_has_every_cell_trained_again_and_log_and_job_say_why(
    night: Night, changed: dict[str, Any], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    first(night)
    caplog.set_level("INFO", "coordinator.queue.queue")
    run = again(night, **changed)
    assert {one.state for one in cells(night, run)} == {JobState.QUEUED}
    told = [record.getMessage() for record in caplog.records if "trained again" in record.getMessage()]
    assert len(told) == 8 and {words.partition("again: ")[2] for words in told} == {why}
    assert {(one.again, one.reused_run) for one in cells(night, run)} == {(why, None)}
    assert night.run_listing.view(run).reused == 0
    assert isinstance(night.claim("t1-boot"), Grant)


def test_what_was_never_trained_is_not_called_trained_again(night: Night) -> None:
    run = night.begin(retrain=True)
    night.survey_all(night.register(), program=PROGRAM)
    assert {one.again for one in cells(night, run)} == {""}


def test_what_new_thresholds_and_horizons_leave_alone_is_not_trained_again(
    night: Night,
) -> None:
    first(night)
    stricter = night.settings.promote_if.model_copy(update={"min_auc": 0.9})
    run = again(night, promote_if=stricter, horizons=(1, 7))
    assert {(one.horizon, one.state) for one in cells(night, run)} == {
        (1, JobState.SUCCEEDED),
        (7, JobState.QUEUED),
    }
    night.finish_all("t1-boot", program=PROGRAM)
    results = ended(night, run)
    assert results.totals.promoted == 0
    assert {one.reused_from is None for one in results.jobs if one.horizon == 7} == {True}


@pytest.mark.parametrize(("edited", "again_of"), [("15m", {"15m"}), ("1h", {"15m", "1h"}), ("4h", {"4h"})])
def test_other_candles_of_a_timeframe_leave_alone_what_does_not_read_them(
    night: Night, edited: str, again_of: set[str]
) -> None:
    grid = {"timeframes": ("15m", "1h", "4h", "1d"), "symbols": ("BTCUSDT",), "horizons": (1,)}
    night.begin(**grid)
    night.survey_all(night.register(), program=PROGRAM)
    night.finish_all("t1-boot", program=PROGRAM)
    night.housekeeping.tick()
    run = again(night, surveyed={"edition": "newer", "edited": (edited,)}, **grid)
    assert {str(one.timeframe) for one in cells(night, run, state=JobState.QUEUED)} == again_of


def test_a_night_that_was_cancelled_leaves_what_it_has_trained_to_the_next(night: Night) -> None:
    run = night.begin()
    night.survey_all(night.register(), program=PROGRAM)
    done = [spec_of(grant := night.grant("t1-boot")).cell.name]
    night.succeed(grant, program=PROGRAM)
    night.cancel(run)
    reused = cells(night, again(night), state=JobState.SUCCEEDED)
    assert [f"{one.symbol}_{one.timeframe}_H{one.horizon}" for one in reused] == done


def test_a_cell_that_failed_is_tried_again_in_the_next_night(night: Night) -> None:
    night.begin(**ONE)
    night.survey_all(night.register(), program=PROGRAM)
    night.queue.fail(night.grant("t1-boot").lease_id, failure(Cause.DATA))
    night.housekeeping.tick()
    [job] = cells(night, again(night, **ONE))
    assert job.state is JobState.QUEUED


def test_a_model_that_is_not_certified_is_not_reused(night: Night) -> None:
    first(night, certified=False)
    assert {one.state for one in cells(night, again(night))} == {JobState.QUEUED}


@pytest.mark.parametrize("table", [manifests, reports], ids=lambda table: str(table.name))
@pytest.mark.parametrize("text", ["", "{}", "no JSON", "[1]"])
def test_a_result_that_is_damaged_in_the_database_is_not_reused(night: Night, table: Any, text: str) -> None:
    earlier = first(night)
    damaged = cells(night, earlier)[0]
    with night.database.write() as tx:
        tx.connection.execute(update(table).where(table.c.job_id == damaged.id).values(document=text))
    states = {one.reused_from: one.state for one in cells(night, again(night))}
    assert damaged.id not in states and states[None] is JobState.QUEUED and len(states) == 8


def test_a_retry_that_finds_the_candles_of_an_earlier_night_needs_no_saved_folds(night: Night) -> None:
    first(night)
    run = again(night, surveyed=SECOND)
    grant = night.grant("t1-boot")
    night.queue.save_checkpoint(grant.lease_id, checkpoint())
    night.queue.fail(grant.lease_id, failure(Cause.DATA))
    [failed] = cells(night, run, state=JobState.FAILED)
    Steering(night.database).retry_job(failed.id, Order(), HERE)
    night.survey_all("t1-boot", program=PROGRAM)
    found = night.detail(failed.id)
    assert (found.state, found.cause, found.checkpoint) == (JobState.SUCCEEDED, None, None)


def promoted(night: Night) -> Manifest:
    """The champion of the cell, after a night that has trained it."""
    night.begin(**ONE)
    night.survey_all(night.register(), program=PROGRAM)
    report = night.succeed(night.grant("t1-boot"), program=PROGRAM, seed="old")
    night.housekeeping.tick()
    night.clock.advance(86_400)
    return report.manifest


def compared_with(night: Night, comparison: ChampionComparison) -> JobView:
    """A second night, on other candles, whose model was compared with the champion and not promoted."""
    run = night.begin(**ONE)
    night.survey_all("t1-boot", program=PROGRAM, edition="second")
    night.succeed(night.grant("t1-boot"), program=PROGRAM, seed="new", p_value=0.9, champion=comparison)
    night.housekeeping.tick()
    night.clock.advance(86_400)
    [job] = cells(night, run)
    assert job.promoted is False
    return job


def test_without_its_champion_a_result_is_reused_without_the_comparison(night: Night) -> None:
    job = compared_with(night, compared(promoted(night)))
    with night.database.write() as tx:
        record_change(tx, CELL, None, "as an operator wants it", by="anna")
    [reused] = cells(night, again(night, surveyed=SECOND, **ONE))
    report = night.detail(reused.id).report
    assert reused.reused_from == job.id and report is not None and report.champion is None


def test_what_was_found_out_about_a_champion_holds_while_it_is_champion(night: Night) -> None:
    found = compared(promoted(night))
    job = compared_with(night, found)
    run = again(night, surveyed=SECOND, **ONE)
    [reused] = cells(night, run)
    report = night.detail(reused.id).report
    assert reused.reused_from == job.id and report is not None and report.champion == found
    [champion] = ended(night, run).champions
    assert champion.verdict is Verdict.STANDS and champion.new_rows == 500


def test_a_champion_that_it_was_never_compared_with_has_a_cell_trained_again(night: Night) -> None:
    older = {"champion": digest("an older champion")}
    compared_with(night, compared(promoted(night)).model_copy(update=older))
    [job] = cells(night, again(night, surveyed=SECOND, **ONE))
    assert job.state is JobState.QUEUED
