"""Who becomes the champion of a cell, night after night."""

from __future__ import annotations

from common.protocol.jobs import TrainingSpec
from common.protocol.reports import Certificate
from tests.coordinator.one_cell import ONE, direction, history, trained
from tests.coordinator.specimens import Night, finish, training_report


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
    night.queue.finish(grant.lease_id, finish(report.model_copy(update={"manifest": forged}), sha256))
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
    assert pickle.read_bytes() == b"the pickle of BTCUSDT_1h_H1 better"


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
    assert direction(night)["BTCUSDT_1h_H1_logreg_optimized.pkl"].read_bytes().endswith(b"real")
