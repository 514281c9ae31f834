"""Champions that operators promote and roll back, with the files that bots read."""

from __future__ import annotations

import json

import pytest

from cli.screen.models import champion_page
from common.errors import ConflictError, NotFoundError
from common.protocol.jobs import Cell
from common.protocol.steering import ReasonedOrder, Steered
from common.timeframes import Timeframe
from coordinator.audit import Audit
from coordinator.runs.steering import Steering
from coordinator.views.champions import ChampionListing
from tests.coordinator.one_cell import ONE, direction, trained
from tests.coordinator.specimens import HERE, MakeNight, Night, pickle_of

CELL = Cell(symbol="BTCUSDT", timeframe=Timeframe("1h"), horizon=1)
PKL = "BTCUSDT_1h_H1_logreg_optimized.pkl"
WORSE = 0.69
SEEDS = ("first", "second", "real", "made up")
BECAUSE = ReasonedOrder(by="anna", reason="it trades better")


def promote(night: Night, job: int) -> Steered:
    return Steering(night.database).promote(job, BECAUSE, HERE)


def roll_back(night: Night) -> Steered:
    return Steering(night.database).roll_back(CELL, BECAUSE, HERE)


def champion(night: Night) -> int | None:
    found = ChampionListing(night.database).history(CELL).champion
    return None if found is None else found.job


def content(night: Night) -> str:
    night.housekeeping.tick()
    files = direction(night)
    if PKL not in files:
        return ""
    shown = files[PKL].read_bytes()
    return next(seed for seed in SEEDS if pickle_of(CELL, seed) == shown)


def two_nights(night: Night) -> tuple[int, int]:
    """A champion, and a later model that did not beat it; their jobs."""
    trained(night, seed="first")
    night.housekeeping.tick()
    trained(night, seed="second", log_loss=WORSE)
    night.housekeeping.tick()
    first, second = [job.id for job in night.jobs(kind="training")]
    assert (champion(night), content(night)) == (first, "first")
    return first, second


def test_a_model_is_promoted_by_hand_with_its_file_and_the_reason(night: Night) -> None:
    first, second = two_nights(night)
    told = promote(night, second)
    assert told.changed and f"instead of that of job {first}" in told.words
    assert (champion(night), content(night)) == (second, "second")
    found = ChampionListing(night.database).history(CELL)
    assert (found.changes[0].by, found.changes[0].reason) == ("anna", "it trades better")
    assert found.before == first
    [entry] = Audit(night.database).page({"job_id": second}, 10, 0).entries
    assert (entry.action, entry.reason) == ("promote", "it trades better")
    assert not promote(night, second).changed


def test_what_a_night_reused_of_the_champion_is_the_champion(night: Night) -> None:
    for _ in range(2):
        night.begin(**ONE)
        night.survey_all(night.register(), program="5e11")
        night.finish_all("t1-boot", program="5e11")
        night.housekeeping.tick()
    first, second = [job.id for job in night.jobs(kind="training")]
    told = promote(night, second)
    assert (told.changed, champion(night)) == (False, first)
    assert told.words == f"the model of job {second} is champion of BTCUSDT_1h_H1 already"


def test_each_rollback_goes_one_step_further_back_down_to_none(night: Night) -> None:
    first, second = two_nights(night)
    promote(night, second)
    assert roll_back(night).job == first
    assert (champion(night), content(night)) == (first, "first")
    told = roll_back(night)
    assert told.words == f"BTCUSDT_1h_H1 has no champion: that of job {first} no longer"
    assert champion(night) is None and content(night) == "" and direction(night) == {}
    assert roll_back(night).job == first and content(night) == "first"


def test_the_file_follows_after_a_kill_between_the_two(make_night: MakeNight) -> None:
    night = make_night()
    _, second = two_nights(night)
    promote(night, second)
    after = make_night()
    assert content(after) == "second"


def test_what_is_not_certified_is_never_promoted(night: Night) -> None:
    run = night.begin(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    night.survey_all(night.register())
    grant = night.grant("t1-boot")
    night.succeed(grant, certified=False)
    night.housekeeping.tick()
    assert night.run_listing.view(run).promoted == 0
    with pytest.raises(ConflictError, match="certificate of the model of job 2 has failed: recompute"):
        promote(night, grant.job_id)


def test_synthetic_models_do_not_replace_real_ones(night: Night) -> None:
    trained(night, seed="real")
    night.housekeeping.tick()
    trained(night, seed="made up", synthetic=True)
    night.housekeeping.tick()
    job = night.jobs(kind="training")[-1].id
    assert champion(night) != job
    with pytest.raises(ConflictError, match="synthetic candles"):
        promote(night, job)


def test_what_has_no_model_cannot_be_champion(night: Night) -> None:
    night.begin()
    with pytest.raises(NotFoundError, match="job 1 has no model"):
        promote(night, 1)
    with pytest.raises(NotFoundError, match="there is no job 99"):
        promote(night, 99)
    with pytest.raises(NotFoundError, match="has never had a champion"):
        roll_back(night)


def test_a_reason_is_needed() -> None:
    for reason in ("", "  \n "):
        with pytest.raises(ValueError, match="say why"):
            ReasonedOrder(reason=reason)


def test_the_champions_are_listed_and_two_models_compared(night: Night) -> None:
    first, second = two_nights(night)
    listing = ChampionListing(night.database)
    [one] = listing.page().champions
    assert (one.cell, one.job, one.run, one.by) == ("BTCUSDT_1h_H1", first, 1, "")
    assert one.scores is not None and one.scores.auc == 0.56
    told = listing.difference(first, second)
    assert [(value.name, value.left, value.right) for value in told.scores] == [("log_loss", "0.68", "0.69")]
    assert told.coefficients == ()
    assert json.loads(told.model_dump_json())["left"] == first
    with pytest.raises(NotFoundError, match="job 1 has no model"):
        listing.difference(1, second)


def test_no_rollback_puts_a_synthetic_model_in_the_place_of_a_real_one(night: Night) -> None:
    trained(night, seed="made up", synthetic=True)
    night.housekeeping.tick()
    trained(night, seed="real")
    night.housekeeping.tick()
    with pytest.raises(ConflictError, match="synthetic"):
        roll_back(night)
    history = ChampionListing(night.database).history(CELL)
    assert history.before is not None and "synthetic candles" in history.refusal
    assert "a rollback is refused" in champion_page(history) and "a rollback makes it" not in champion_page(
        history
    )


def test_where_a_rollback_is_possible_nothing_speaks_against_it(night: Night) -> None:
    for seed in ("first", "second"):
        trained(night, seed=seed)
        night.housekeeping.tick()
    history = ChampionListing(night.database).history(CELL)
    assert history.refusal == ""
    assert "a rollback makes it" in champion_page(history)
    roll_back(night)
