"""What a night makes of the champions that stand when it ends, and how it is told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from common.errors import StorageError
from common.out_folder import OutFolder
from common.protocol.champions import ChampionAction, ChampionChange
from common.protocol.jobs import Cell
from common.protocol.reports import ChampionComparison, Obstacle
from common.protocol.results import Results
from common.protocol.retests import ChampionResult, Verdict
from common.protocol.runs import RunState
from common.protocol.trainers import Grant
from coordinator.champions.registry import champions, changes
from coordinator.views.results import read_results
from tests.coordinator.one_cell import ONE, compared, direction, trained
from tests.coordinator.specimens import MakeNight, Night, failure, pickle_of, scores

CELL = Cell(symbol="BTCUSDT", timeframe="1h", horizon=1)


def another(
    night: Night, seed: str, comparison: ChampionComparison | None = None, **changed: object
) -> Results:
    """A second night of the cell; the trainer finds out `changed` about the champion."""
    run = night.begin(**ONE)
    night.survey_all("t1-boot")
    grant = night.grant("t1-boot")
    if grant.champion is not None and comparison is None:
        comparison = compared(grant.champion)
    auc = changed.pop("auc", 0.56)
    assert comparison is not None
    night.succeed(grant, seed=seed, auc=auc, champion=comparison.model_copy(update=changed))
    night.housekeeping.tick()
    return read_results(night.database, run)


def first(night: Night) -> None:
    trained(night, "first")
    night.housekeeping.tick()
    night.clock.advance(86_400)


def lost() -> dict[str, object]:
    return {"lost_p_value": 2e-9, "rows": 32_914, "scores": scores(auc=0.48)}


def retested(night: Night, **retest: object) -> ChampionComparison:
    with night.database.read() as tx:
        row = changes(tx.connection)[-1]
    [stored] = [job for job in night.jobs() if job.promoted and job.run_id == row.run]
    report = night.detail(stored.id).report
    assert report is not None
    found = compared(report.manifest)
    assert found.retest is not None
    return found.model_copy(update={"retest": found.retest.model_copy(update=retest)})


def told(night: Night) -> list[ChampionChange]:
    with night.database.read() as tx:
        return list(changes(tx.connection))


def only(results: Results) -> ChampionResult:
    [one] = results.champions
    return one


def test_a_champion_that_lost_its_edge_goes_with_its_files_and_the_night_says_why(night: Night) -> None:
    first(night)
    results = another(night, "weak", retested(night, **lost()), auc=0.51)
    assert [one.action for one in told(night)] == ["promoted", "demoted"]
    words = "it has lost its edge: AUC 0.480 on 32914 rows after its training, promised 0.560"
    assert told(night)[1].reason.startswith(words) and told(night)[1].model == ""
    assert results.champion_changes == (told(night)[1],)
    one = only(results)
    assert (one.verdict, one.replaced, one.new_rows) == (Verdict.DEMOTED, False, 32_914)
    assert one.new_scores is not None and one.new_scores.auc == 0.48 and one.promised_auc == 0.56
    assert one.words == told(night)[1].reason
    assert direction(night) == {}


def test_a_demoted_champion_is_no_hindrance_to_a_worse_one_of_the_same_night(night: Night) -> None:
    first(night)
    found = retested(night, **lost()).model_copy(update={"challenger_worse_p_value": 0.0})
    another(night, "second", found)
    assert [one.action for one in told(night)] == ["promoted", "demoted", "promoted"]
    assert [path.read_bytes() for path in direction(night).values() if path.suffix == ".pkl"] == [
        pickle_of(CELL, "second")
    ]


def test_an_old_champion_is_replaced_with_both_figures_in_the_reason(night: Night) -> None:
    first(night)
    results = another(night, "second", retested(night), challenger_worse_p_value=0.4)
    change = told(night)[1]
    assert change.action is ChampionAction.REPLACED and change.former == told(night)[0].model
    assert change.reason == (
        "AUC 0.5600 on 10000 rows, p-value 0.001; the champion before it: AUC 0.560 on 500 rows after its"
        " training, promised 0.560; p-value 0.4 that the new one is worse"
    )
    assert only(results).verdict is Verdict.STANDS and only(results).replaced


def test_a_champion_that_stands_and_is_not_replaced_is_shown_too(night: Night) -> None:
    first(night)
    results = another(night, "weak", auc=0.51)
    assert len(told(night)) == 1 and results.champion_changes == ()
    assert (only(results).verdict, only(results).replaced, only(results).age_days) == (
        Verdict.STANDS, False, 1.0,
    )  # fmt: skip


def test_the_champion_trained_again_to_the_last_digit_changes_nothing(night: Night) -> None:
    first(night)
    results = another(night, "first")
    assert len(told(night)) == 1 and results.jobs[0].promoted
    assert not only(results).replaced


def test_a_champion_of_the_past_expires(make_night: MakeNight) -> None:
    night = make_night()
    first(night)
    night.clock.advance(181 * 86_400)
    night.register()
    results = another(night, "weak", auc=0.51)
    [_, expired] = told(night)
    assert expired.action is ChampionAction.EXPIRED
    assert expired.reason.startswith("it is 182 days old, 180 at most; AUC 0.560 on 500 rows after its")
    assert only(results).verdict is Verdict.EXPIRED and direction(night) == {}


def test_without_candles_tonight_the_champion_stands_and_the_reason_is_told(night: Night) -> None:
    first(night)
    run = night.begin(**ONE)
    night.survey_all("t1-boot", refused={"1h": "the 1h candles have too many defects"})
    night.housekeeping.tick()
    results = read_results(night.database, run)
    assert only(results).words == (
        "not tested: its cell was not trained tonight: the 1h candles have too many defects"
    )
    assert only(results).verdict is Verdict.STANDS and len(direction(night)) == 2


def test_a_champion_outside_of_the_grid_expires_by_the_clock_and_is_not_shown_before(night: Night) -> None:
    first(night)
    other = {**ONE, "symbols": ("ETHUSDT",)}
    for days, actions in ((0, ["promoted"]), (180, ["promoted", "expired"])):
        night.clock.advance(days * 86_400)
        night.register()
        run = night.begin(**other)
        night.survey_all("t1-boot", refused={"1h": "no candles"})
        night.housekeeping.tick()
        assert [one.action for one in told(night)] == actions
        assert read_results(night.database, run).champions == ()
    assert "its cell is not in the grid of tonight" in told(night)[1].reason


@pytest.mark.parametrize("harm", ["manifest", "blob", "coefficients"])
def test_a_damaged_champion_counts_as_none_and_that_is_told(make_night: MakeNight, harm: str) -> None:
    night = make_night()
    first(night)
    comparison = compared(night.detail(2).report.manifest)  # type: ignore[union-attr]
    if harm == "manifest":
        with night.database.write() as tx:
            tx.connection.execute(text("UPDATE manifests SET document = '{}' WHERE job_id = 2"))
    elif harm == "blob":
        [blob] = OutFolder(night.out).blobs.iterdir()
        blob.write_bytes(b"something else")
    else:
        detail = "its final model has 3 means for 5 columns"
        comparison = comparison.model_copy(update={"obstacle": Obstacle.MALFORMED, "detail": detail})
    night = make_night()
    night.housekeeping.start()
    night.housekeeping.stop()
    assert night.housekeeping.troubles() == (), "the start is not in the way"
    run = night.begin(**ONE)
    night.survey_all("t1-boot")
    grant = night.grant("t1-boot")
    assert isinstance(grant, Grant) and (grant.champion is None) == (harm == "manifest")
    night.succeed(grant, seed="weak", auc=0.51, champion=comparison if grant.champion else None)
    night.housekeeping.tick()
    assert [one.action for one in told(night)] == ["promoted", "demoted"]
    words = {"manifest": "its manifest cannot be read", "blob": "its .pkl is missing or damaged"}
    assert words.get(harm, "its final model has 3 means") in told(night)[1].reason
    assert only(read_results(night.database, run)).words == told(night)[1].reason
    assert direction(night) == {}


def test_a_store_of_models_that_is_away_damages_no_champion(night: Night, tmp_path: Path) -> None:
    first(night)
    blobs = OutFolder(night.out).blobs
    run = night.begin(**ONE)
    night.survey_all("t1-boot")
    grant = night.grant("t1-boot")
    assert grant.champion is not None
    night.succeed(grant, seed="second", champion=compared(grant.champion))
    blobs.rename(tmp_path / "away")
    night.housekeeping.tick()
    assert "is not there" in night.housekeeping.troubles()[0] and len(told(night)) == 1
    (tmp_path / "away").rename(blobs)
    night.clock.advance(6)
    night.housekeeping.tick()
    assert night.run_listing.view(run).state is RunState.DONE
    assert [one.action for one in told(night)] == ["promoted", "replaced"]


def test_killed_between_decision_and_publication_the_next_start_removes_the_files(
    make_night: MakeNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*arguments: object) -> None:
        raise StorageError("killed")

    night = make_night()
    first(night)
    found = retested(night, **lost())
    with monkeypatch.context() as patched:
        patched.setattr("coordinator.housekeeping.publication.publish", cut)
        with pytest.raises(Exception, match="not ended"):
            another(night, "weak", found, auc=0.51)
    assert [one.action for one in told(night)] == ["promoted", "demoted"] and len(direction(night)) == 2
    decided = told(night)
    night.clock.advance(60)
    again = make_night()
    again.housekeeping.start()
    again.housekeeping.stop()
    assert direction(again) == {}
    again.housekeeping.tick()
    assert told(again) == decided and again.run_listing.view(2).state is RunState.DONE


def test_a_trial_that_failed_says_so_of_its_champion(night: Night) -> None:
    first(night)
    run = night.begin(**ONE)
    night.survey_all("t1-boot")
    for _ in range(3):
        night.queue.fail(night.grant("t1-boot").lease_id, failure())
        night.clock.advance(timedelta(minutes=10).total_seconds())
        night.register()
    night.housekeeping.tick()
    assert "it broke" in only(read_results(night.database, run)).words


def test_a_horizon_that_was_picked_pays_for_the_others(night: Night) -> None:
    run = night.begin(**{**ONE, "horizons": (1, 3, 5)})
    night.survey_all(night.register())
    night.finish_all("t1-boot", p_value=0.01)
    night.housekeeping.tick()
    jobs = read_results(night.database, run).jobs
    assert [(job.best_of, job.p_value_best_of) for job in jobs] == [(3, 0.03)] * 3


def test_no_synthetic_model_follows_a_real_champion_that_has_expired(night: Night) -> None:
    trained(night, seed="real")
    night.housekeeping.tick()
    night.clock.advance(181 * 86_400)
    trained(night, seed="made up", synthetic=True)
    night.housekeeping.tick()
    with night.database.read() as tx:
        assert [change.action for change in changes(tx.connection)] == ["promoted", "expired"]
        assert champions(tx.connection) == []
