"""A night in ten lines."""

from __future__ import annotations

from common.protocol.jobs import Cause
from common.protocol.trainers import Grant
from coordinator.report.contents import read_contents
from coordinator.report.costs import costs_of
from coordinator.report.digest import LONGEST, digest_of
from tests.coordinator.specimens import Night, failure

ADDRESS = "http://127.0.0.1:5000"
GRID = {"symbols": ("BTCUSDT", "ETHUSDT"), "timeframes": ("1h",), "horizons": (1, 3)}


def digest(night: Night, run: int = 1):  # type: ignore[no-untyped-def]
    return digest_of(read_contents(night.database, run, night.settings), ADDRESS)


def test_the_subject_says_promoted_failed_and_duration_and_ten_lines_say_the_rest(night: Night) -> None:
    night.register()
    for auc, p_value in ((0.53, 0.5), (0.56, 0.001)):
        night.begin(**GRID)
        night.survey_all("t1-boot")
        night.clock.advance(3600)
        night.finish_all("t1-boot", auc=auc, seed=str(auc), p_value=p_value)
        night.housekeeping.tick()
    told = digest(night, 2)
    assert told.subject == "Night 2: 4 promoted, 0 failed, 1 h 00 min"
    assert len(told.lines) <= 10
    assert told.lines == (
        "4 of 4 cells trained, from 2026-03-02 13:00 to 14:00 UTC.",
        "Promoted: BTCUSDT_1h_H1 (AUC 0.560), BTCUSDT_1h_H3 (AUC 0.560), ETHUSDT_1h_H1 (AUC 0.560), "
        "ETHUSDT_1h_H3 (AUC 0.560).",
        "AUC: 0.5600 on average, best 0.560 (BTCUSDT_1h_H1); +0.0300 against night 1, 4 cells better, "
        "0 worse.",
        "Failed: nothing.",
        "Data: nothing was found wrong.",
        "Time: 1 trainer at work 0% of it; longest BTCUSDT_1h_H1 10 s; most memory 512 MiB.",
        "Faster by up to 1 h 00 min: 1 h 00 min of trainer time passed while jobs waited: none fitted the "
        "memory that was free, or the trainer was slow to ask. The largest job took 512 MiB, the largest "
        "room was 2.0 GiB.",
        f"Report: {ADDRESS}/nights/2/report",
    )


def test_a_night_that_runs_says_so_and_promises_nothing(night: Night) -> None:
    night.start(**GRID)
    night.clock.advance(90)
    told = digest(night)
    assert told.subject == "Night 1 so far: 0 promoted, 0 failed, 1 min 30 s"
    assert told.lines[:2] == (
        "0 of 4 cells trained, 4 not done yet, from 2026-03-02 12:00 UTC until now.",
        "Promoted: decided when all cells are done.",
    )


def test_failures_and_refused_candles_are_told_apart(night: Night) -> None:
    night.begin(**GRID)
    boot = night.register()
    night.queue.fail(night.grant(boot).lease_id, failure(Cause.DATA, "there are no candles"))
    night.survey_all(boot)
    for _ in range(30):
        night.clock.advance(600)
        if isinstance(answer := night.claim(boot), Grant):
            night.queue.fail(answer.lease_id, failure(Cause.ERROR, "it broke."))
    night.housekeeping.tick()
    told = digest(night)
    assert told.subject.startswith("Night 1: 0 promoted, 2 failed, ")
    assert told.lines[0].startswith("0 of 4 cells trained, 2 failed, 2 without usable candles, from ")
    assert "Failed: 2 jobs (error); most often: it broke." in told.lines
    assert "Data: there are no candles (BTCUSDT)." in told.lines


def test_a_night_in_which_nothing_changed_says_so_and_counts_no_stage_of_another(night: Night) -> None:
    night.register()
    for _ in range(2):
        night.begin(**GRID)
        night.survey_all("t1-boot", program="5e11")
        night.finish_all("t1-boot", program="5e11")
        night.housekeeping.tick()
    assert digest(night, 2).lines[0].startswith("4 of 4 cells trained (4 reused), from ")
    assert digest(night, 1).subject.startswith("Night 1: 4 promoted, ")
    assert digest(night, 2).subject.startswith("Night 2: 4 promoted (none new), ")
    first, second = (costs_of(read_contents(night.database, run, night.settings)) for run in (1, 2))
    assert first is not None and [stage for stage, *_ in first.stages] == ["crossval"]
    assert second is not None and not second.stages


def test_a_cancelled_night_says_so(night: Night) -> None:
    night.start(**GRID)
    night.cancel(1)
    told = digest(night)
    assert told.subject == "Night 1 was cancelled: 0 promoted, 0 failed, 0 s"
    assert told.lines[0].startswith("0 of 4 cells trained, 4 cancelled")


def test_a_message_from_outside_stays_one_printable_line_of_bounded_length(night: Night) -> None:
    boot = night.start(**GRID)
    for _ in range(60):
        night.clock.advance(600)
        if isinstance(answer := night.claim(boot), Grant):
            night.queue.fail(
                answer.lease_id, failure(Cause.ERROR, "\x1b[31mred\nReport: http://evil " + "x" * 900)
            )
    night.housekeeping.tick()
    lines = digest(night).lines
    [failed] = [line for line in lines if line.startswith("Failed:")]
    assert failed.startswith("Failed: 4 jobs (error); most often: \\x1b[31mred\\nReport: http://evil xxx")
    assert len(failed) == LONGEST and failed.isprintable()
    assert [line for line in lines if line.startswith("Report:")] == [f"Report: {ADDRESS}/nights/1/report"]
