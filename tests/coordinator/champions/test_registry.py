"""Who becomes the champion of a cell, night after night."""

from __future__ import annotations

import pytest

from common.errors import InvalidRequestError, NighttrainError
from common.protocol.jobs import Cell, JobKind, TrainingSpec
from common.protocol.reports import Certificate
from coordinator.champions.registry import champion_of, changes, record_change, vacant_cells
from tests.coordinator.one_cell import ONE, direction, history, trained
from tests.coordinator.specimens import Night, finish, pickle_of, training_report

CELL = Cell(symbol="BTCUSDT", timeframe="1h", horizon=1)


def test_without_a_valid_certificate_of_this_very_model_there_is_no_promotion(night: Night) -> None:
    night.begin(**{**ONE, "horizons": (1, 3)})
    night.survey_all(night.register())
    night.succeed(night.grant("t1-boot"), certified=False)
    grant = night.grant("t1-boot")
    assert isinstance(grant.spec, TrainingSpec)
    report, content = training_report(grant.spec)
    forged = report.manifest.model_copy(update={"certificate": Certificate(checks=())})
    sha256 = forged.pickle_sha256
    night.artifacts.store(content, sha256)
    night.queue.attach_artifact(grant.lease_id, sha256, len(content))
    forged_report = report.model_copy(update={"manifest": forged})
    with pytest.raises(InvalidRequestError, match="report and manifest differ in certificate"):
        night.queue.finish(grant.lease_id, finish(forged_report, sha256))
    without = forged_report.model_copy(update={"certificate": forged.certificate})
    night.queue.finish(grant.lease_id, finish(without, sha256))
    night.housekeeping.tick()
    assert [(promoted, reasons[0]) for promoted, reasons in history(night)] == [
        (False, "the certificate is not valid: check recompute: exact"),
        (
            False,
            "the certificate is not valid: it has no checks, or is of a model that is not the one kept",
        ),
    ]


def test_the_next_night_must_not_be_worse_than_the_champion(night: Night) -> None:
    trained(night, "first", log_loss=0.68)
    night.housekeeping.tick()
    trained(night, "worse", log_loss=0.69)
    night.housekeeping.tick()
    trained(night, "better", log_loss=0.67)
    night.housekeeping.tick()
    assert [promoted for promoted, _ in history(night)] == [True, False, True]
    pickle = direction(night)["BTCUSDT_1h_H1_logreg_optimized.pkl"]
    assert pickle.read_bytes() == pickle_of(CELL, "better")


def test_synthetic_models_are_no_champions_for_real_ones(night: Night) -> None:
    trained(night, "synthetic", synthetic=True)
    night.housekeeping.tick()
    night.begin(**ONE)
    night.survey_all("t1-boot")
    grant = night.grant("t1-boot")
    assert grant.champion is None
    night.succeed(grant, seed="real", log_loss=0.69)
    night.housekeeping.tick()
    trained(night, "synthetic again", synthetic=True, log_loss=0.1)
    night.housekeeping.tick()
    assert [promoted for promoted, _ in history(night)] == [True, True, False]
    assert direction(night)["BTCUSDT_1h_H1_logreg_optimized.pkl"].read_bytes() == pickle_of(CELL, "real")


# --- Changes ------------------------------------------------------------------------------------------------


def job_of(night: Night, run: int) -> int:
    return night.jobs(run_id=run, kind=JobKind.TRAINING)[0].id


def test_each_change_is_kept_with_its_reason_and_what_went_before(night: Night) -> None:
    first, second = trained(night, "first"), 0
    night.housekeeping.tick()
    second = trained(night, "second")
    night.housekeeping.tick()
    with night.database.write() as tx:
        record_change(tx, CELL, job_of(night, first), "the old one did better live", by="ada")
        record_change(tx, CELL, None, "AUC 0.480 on 32,914 new rows", run_id=second)
        assert champion_of(tx.connection, CELL) is None and vacant_cells(tx.connection) == [CELL]
        record_change(tx, CELL, job_of(night, first), "again", by="ada")
        record_change(tx, CELL, None, "it is 200 days old", expired=True, run_id=second)
        told = changes(tx.connection, cell=CELL)
    assert [one.action for one in told] == [
        "promoted", "replaced", "replaced", "demoted", "promoted", "expired",
    ]  # fmt: skip
    assert told[1].former == told[0].model == told[2].model and told[3].model == ""
    assert (told[2].by, told[2].run, told[2].reason) == ("ada", None, "the old one did better live")
    assert (told[3].by, told[3].run) == ("", second)


@pytest.mark.parametrize(
    ("cell", "job", "reason", "words"),
    [
        (CELL, 2, " ", "needs a reason"),
        (CELL, 1, "because", "job 1 has no model"),
        (CELL, 77, "because", "job 77 has no model"),
        (CELL, 2, "because", "is its champion already"),
        (Cell(symbol="ETHUSDT", timeframe="1h", horizon=1), 2, "because", "is of BTCUSDT_1h_H1, not of ETH"),
        (Cell(symbol="ETHUSDT", timeframe="1h", horizon=1), None, "because", "ETHUSDT_1h_H1 has no champion"),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    night: Night, cell: Cell, job: int | None, reason: str, words: str
) -> None:
    trained(night)
    night.housekeeping.tick()
    with pytest.raises(NighttrainError, match=words), night.database.write() as tx:
        record_change(tx, cell, job, reason, by="ada")
    with night.database.read() as tx:
        assert len(changes(tx.connection)) == 1
