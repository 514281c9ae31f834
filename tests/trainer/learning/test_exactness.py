from tests.bench.exactness import COEFFICIENT, SCORE, exactness
from trainer.features.matrix import open_features
from trainer.learning.surrogate import SAMPLED_FROM
from trainer.learning.training_set import TrainingSet

CS = (1e-6, 1e-4, 1e-2)


def test_a_cell_is_fitted_and_scored_as_by_scikit_learn_in_float64(tmp_path, simulate):
    candles = simulate(36_000, autocorrelation=0.1)
    matrix = open_features(tmp_path, candles, [])
    data = TrainingSet.of(candles, [], matrix, 1, 2, 30 * 60_000)
    # The first fold is fitted by passes over all rows, the second and the final model with a sample.
    assert data.folds[0].train_stop < SAMPLED_FROM < data.folds[1].train_stop
    found = exactness(data, CS)
    assert found.coefficient < COEFFICIENT
    assert max(found.fold_loss, *found.scores.values()) < SCORE
    assert found.choices_equal
    assert found.holds
