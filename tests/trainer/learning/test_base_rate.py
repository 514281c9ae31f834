import numpy as np
import pytest

from trainer.learning.base_rate import base_rate_log_loss
from trainer.learning.scores import log_loss


def test_it_is_the_log_loss_of_one_probability_a_fold():
    draw = np.random.default_rng(1)
    rates, truths = [0.4, 0.55], [(draw.random(rows) < 0.5).astype(float) for rows in (300, 500)]
    said = np.concatenate([np.full(len(y), rate) for rate, y in zip(rates, truths, strict=True)])
    assert base_rate_log_loss(rates, truths) == pytest.approx(log_loss(said, np.concatenate(truths)))


def test_labels_between_fall_and_rise_count_as_half():
    assert base_rate_log_loss([0.3], [np.array([0.5])]) == pytest.approx(
        base_rate_log_loss([0.3], [np.array([0.0, 1.0])])
    )
