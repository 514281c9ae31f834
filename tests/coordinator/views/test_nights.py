"""Every earlier night at a glance."""

from __future__ import annotations

from common.protocol.runs import RunState
from common.protocol.steering import Order, PauseOrder
from coordinator.runs.steering import Steering
from coordinator.views.nights import night_page
from tests.coordinator.specimens import HERE, Night, failure


def test_nights_come_with_their_totals_the_newest_first(night: Night) -> None:
    boot = night.start()
    night.clock.advance(60)
    night.queue.fail(night.grant(boot).lease_id, failure())
    night.clock.advance(600)
    night.finish_all(boot, auc=0.56)
    night.housekeeping.tick()
    night.begin(symbols=("BTCUSDT",))
    page = night_page(night.database, 10, 0)
    running, done = page.nights
    assert page.total == 2 and (running.state, done.state) == (RunState.RUNNING, RunState.DONE)
    assert running.finished is None and running.seconds(night.clock.now) == 0 and not running.has_results
    assert (running.cells.total, running.mean_auc, running.attempts) == (4, None, 0)
    assert done.cells.succeeded == done.promoted == 8 and done.attempts == 2 + 8 + 1
    assert done.mean_auc == 0.56 and done.has_results and done.seconds(night.clock.now) == 660
    assert [one.id for one in night_page(night.database, 1, 1).nights] == [done.id]


def test_before_the_first_night_there_is_none(night: Night) -> None:
    assert night_page(night.database, 10, 0).nights == ()


def test_a_night_that_an_operator_holds_is_not_said_to_run(night: Night) -> None:
    run = night.begin()
    steering = Steering(night.database)
    assert word_of_newest(night) == "running"
    steering.pause(run, PauseOrder(by="ops"), HERE)
    assert word_of_newest(night) == "paused"
    steering.resume(run, Order(by="ops"), HERE)
    assert word_of_newest(night) == "running"
    steering.end(run, Order(by="ops"), HERE)
    assert word_of_newest(night) == "ending"
    night.housekeeping.tick()
    assert word_of_newest(night) == "done"


def word_of_newest(night: Night) -> str:
    return night_page(night.database, 1, 0).nights[0].state_word
