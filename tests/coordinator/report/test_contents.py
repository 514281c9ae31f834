"""What the report of a night says."""

from __future__ import annotations

import pytest

from common.errors import NotFoundError
from common.protocol.curves import Curves, NullDistribution, ReliabilityBin
from common.protocol.jobs import Cause
from coordinator.report.contents import read_contents
from tests.coordinator.specimens import Night, failure, finish, spec_of, training_report

GRID = {"symbols": ("BTCUSDT",), "timeframes": ("1h",), "horizons": (1, 3)}
CURVES = Curves(
    roc=(),
    reliability=(
        ReliabilityBin(predicted=0.4, observed=0.43, rows=300),
        ReliabilityBin(predicted=0.6, observed=0.59, rows=100),
    ),
    null=NullDistribution(observed=0.56, center=0.5, standard_error=0.01, freedom=1e6),
)


def test_a_cell_has_its_interval_and_how_far_its_probabilities_are_off(night: Night) -> None:
    boot = night.start(**GRID)
    grant = night.grant(boot)
    report, content = training_report(spec_of(grant))
    report = report.model_copy(update={"curves": CURVES})
    sha256 = report.manifest.pickle_sha256
    night.artifacts.store(content, sha256)
    night.queue.attach_artifact(grant.lease_id, sha256, len(content))
    night.queue.finish(grant.lease_id, finish(report, sha256))
    night.finish_all(boot)
    first, second = read_contents(night.database, 1, night.settings).trained
    assert first.measured is not None and first.measured.interval == pytest.approx((0.5404, 0.5796), abs=1e-4)
    assert first.is_sure and first.measured.calibration_error == pytest.approx(0.025)
    assert (first.seconds, first.peak_bytes) == (10.0, 2**29)
    # An earlier version measured no curves.
    assert second.measured is not None and second.measured.interval is None and not second.is_sure


def test_a_night_that_runs_is_told_so_far_and_one_that_ended_to_its_end(night: Night) -> None:
    boot = night.start(**GRID)
    night.clock.advance(60)
    found = read_contents(night.database, 1, night.settings)
    assert (found.is_over, found.seconds, found.trained) == (False, 60.0, ())
    night.finish_all(boot)
    night.housekeeping.tick()
    night.clock.advance(600)
    found = read_contents(night.database, 1, night.settings)
    assert (found.is_over, found.seconds, len(found.promoted)) == (True, 60.0, 2)


def test_refused_candles_are_no_failures(night: Night) -> None:
    night.begin(symbols=("BTCUSDT", "ETHUSDT"), timeframes=("1h",), horizons=(1, 3))
    boot = night.register()
    night.queue.fail(night.grant(boot).lease_id, failure(Cause.DATA, "no candles"))
    night.survey_all(boot)
    for _ in range(12):
        night.clock.advance(600)
        answer = night.claim(boot)
        if hasattr(answer, "lease_id"):
            night.queue.fail(answer.lease_id, failure(Cause.ERROR, "it broke"))
    found = read_contents(night.database, 1, night.settings)
    assert [(group.cause, len(group.jobs)) for group in found.refusals] == [(Cause.DATA, 3)]
    assert [(group.cause, len(group.jobs)) for group in found.failures] == [(Cause.ERROR, 2)]
    # Cells are counted, and a survey is none.
    assert (found.refused, found.failed) == (2, 2)


def test_a_night_is_compared_with_the_last_one_before_it_that_trained_on_such_candles(night: Night) -> None:
    night.register()
    for synthetic in (False, True, False):
        night.begin(**GRID)
        night.survey_all("t1-boot", synthetic=synthetic)
        night.finish_all("t1-boot", auc=0.53, seed=str(synthetic))
        night.housekeeping.tick()
    found = read_contents(night.database, 3, night.settings)
    assert [one.id for one in found.nights] == [3, 2, 1]
    assert found.comparison is not None and found.comparison.before.id == 1
    assert read_contents(night.database, 2, night.settings).comparison is None


def test_the_time_that_was_lost_is_told_by_what_the_trainers_did(night: Night) -> None:
    boot = night.start(**GRID)
    night.register("t2")
    night.grant(boot)
    night.clock.advance(500)
    found = read_contents(night.database, 1, night.settings)
    assert len(found.load.lanes) == 2 and found.load.work == 500
    # It registered, and was not heard of again.
    assert [(hint.seconds, hint.words) for hint in found.hints] == [
        (250, "8 min of trainer time passed while trainers were not there.")
    ]


def test_there_is_no_report_of_an_unknown_night(night: Night) -> None:
    with pytest.raises(NotFoundError, match="there is no night 7"):
        read_contents(night.database, 7, night.settings)
