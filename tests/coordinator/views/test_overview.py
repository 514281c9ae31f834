"""Why nothing happens, if nothing does; what failed, in groups; and who is there."""

from __future__ import annotations

from common.protocol.jobs import Cause, JobKind
from common.protocol.status import TrainerState
from coordinator.views.failures import FailureListing
from coordinator.views.overview import NightNow, Overview
from coordinator.views.roster import Roster
from coordinator.views.vitals import KEPT, Vitals
from tests.coordinator.specimens import FULL_DISK, Night, failure


def now(night: Night) -> NightNow:
    return Overview(night.ledger, night.status()).read()


def test_a_night_that_goes_on_is_no_riddle(night: Night) -> None:
    assert now(night).standstill == () and now(night).grid is None
    night.start()
    night.clock.advance(60)
    night.register("t2")
    night.grant("t2-boot")
    assert now(night).standstill == ()


def test_without_trainers_it_says_that_none_is_alive(night: Night) -> None:
    night.begin()
    assert "has just begun" in now(night).standstill[0]
    night.clock.advance(60)
    sentences = now(night).standstill
    assert sentences[0].endswith("survey of BTCUSDT.") or "no trainer is alive" in " ".join(sentences)


def test_a_full_disk_is_named_with_its_folder(night: Night) -> None:
    night.start()
    night.clock.advance(60)
    night.claim("t1-boot", disk=FULL_DISK)
    assert "/cache" in now(night).standstill[0]


def test_jobs_that_wait_for_different_reasons_are_counted_by_them(night: Night) -> None:
    night.begin()
    boot = night.register()
    night.clock.advance(20)
    # Two surveys are ready, and their cells wait for them.
    assert now(night).standstill == (
        "4 jobs: it waits for the survey of BTCUSDT.",
        "4 jobs: it waits for the survey of ETHUSDT.",
    )
    night.survey_all(boot)
    assert now(night).standstill == ("Jobs are ready, and trainer t1 has not asked for one yet.",)
    night.clock.advance(3600)
    assert now(night).standstill == ("8 jobs: no trainer is alive.",)


def test_the_grid_has_each_cell_with_what_it_is_at(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",))
    night.succeed(night.grant(boot), auc=0.57)
    night.grant(boot)
    grid = now(night).grid
    assert grid is not None and grid.timeframes == ("15m", "1h") and grid.horizons == (1, 3)
    assert sorted(str(cell.state) for cell in grid.cells.values()) == [
        "leased",
        "queued",
        "queued",
        "succeeded",
    ]
    assert [cell.auc for cell in grid.cells.values() if cell.auc] == [0.57]


def test_failures_are_grouped_and_cells_stand_beside_their_survey(night: Night) -> None:
    listing = FailureListing(night.database)
    assert listing.read() is None
    night.begin()
    boot = night.register()
    night.queue.fail(night.grant(boot).lease_id, failure(Cause.DATA, "no file of it"))
    found = listing.read()
    assert found is not None and found.running
    [group] = found.groups
    assert (group.message, len(group.jobs), found.jobs) == ("no file of it", 5, 5)
    assert [job.kind for job in group.jobs].count(JobKind.SURVEY) == 1


def test_an_idle_trainer_says_why(night: Night) -> None:
    roster = Roster(night.database, night.settings)
    assert roster.read().entries == ()
    boot = night.start()
    night.register("t2")
    night.grant(boot)
    night.claim("t2-boot", disk=FULL_DISK)
    one, other = roster.read().entries
    assert (one.view.state, one.pauses) == (TrainerState.WORKING, ())
    assert (other.view.state, other.view.name) == (TrainerState.IDLE, "t2")
    assert "/cache" in other.pauses[0] and other.memory_ratio is not None


def test_the_last_hour_of_the_machine_is_kept_and_no_more(night: Night) -> None:
    vitals = Vitals(night.out)
    for _ in range(KEPT + 1):
        vitals.measure(night.clock())
        night.clock.advance(15)
    assert len(vitals.samples) == KEPT
    assert vitals.samples[0].time > vitals.samples[-1].time.replace(year=2000)
    assert all(0 <= value <= 1 for one in vitals.samples for value in (one.cpu, one.memory, one.disk))
