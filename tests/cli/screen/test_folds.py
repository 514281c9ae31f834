from types import SimpleNamespace

from cli.screen.folds import fold_lines, in_words
from common.protocol.reports import Recalibration


def recalibration(slope):
    return Recalibration(slope=slope, estimate=0.78, standard_error=0.05, gain=1.0, measured_on=(0, 1, 2))


def job(aucs, timeframe="1h", slope=1.0):
    folds = [SimpleNamespace(scores=SimpleNamespace(auc=auc)) for auc in aucs]
    used = recalibration(slope)
    return SimpleNamespace(symbol="BTCUSDT", timeframe=timeframe, horizon=3, folds=folds, recalibration=used)


def champion(promised, later, judged=0.5):
    scores = SimpleNamespace(auc=later)
    return SimpleNamespace(timeframe="1h", lost_p_value=judged, promised_auc=promised, new_scores=scores)


def results(jobs, champions=()):
    config = SimpleNamespace(timeframes=["1h", "1d"])
    return SimpleNamespace(config=config, jobs=jobs, champions=champions)


def test_a_timeframe_has_its_mean_auc_fold_by_fold():
    [line] = fold_lines(results([job([0.52, 0.54]), job([0.56, 0.5])]))
    assert line == "1h: AUC by fold 0.540 0.520, above 0.5 in the newest in 1 of 2"


def test_folds_of_one_class_are_left_out_of_the_mean():
    [line] = fold_lines(results([job([None, 0.54]), job([None, None])]))
    assert line == "1h: AUC by fold none 0.540, above 0.5 in the newest in 1 of 2"


def test_what_was_recalibrated_is_said_with_its_slope_and_folds():
    assert in_words(recalibration(1.0)) == "as it was fitted"
    [line] = fold_lines(results([job([0.52], slope=0.78), job([0.52])]))
    assert line.endswith("; recalibrated: BTCUSDT H3 slope 0.78 from folds 1-3")


def test_what_earlier_nights_promised_stands_beside_what_later_rows_gave():
    told = [champion(0.55, 0.53), champion(0.55, 0.52), champion(0.6, 0.4, judged=None)]
    [line] = fold_lines(results([job([0.52])], told))
    assert line.endswith("; earlier nights promised 0.550, later rows gave 0.525 (2 champions)")


def test_a_timeframe_that_was_not_trained_has_no_line():
    assert fold_lines(results([])) == []
