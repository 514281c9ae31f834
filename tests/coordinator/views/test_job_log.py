"""What the coordinator's log says of one job."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from coordinator.views.job_log import READ_BYTES, SHOWN_LINES, job_log, printable
from tests.coordinator.specimens import Night

NAME = "BTCUSDT_1h_H1"


def line(words: str, second: int = 0) -> str:
    return f"2026-03-02T12:00:{second:02d}.000Z INFO coordinator coordinator.queue.queue: {words}\n"


def test_only_lines_that_name_the_job_and_are_of_its_night_are_shown(night: Night, tmp_path: Path) -> None:
    night.begin()
    job = night.detail(5)
    log = tmp_path / "night.log"
    old = line("training BTCUSDT_1h_H1: attempt 1 by t9").replace("2026", "2025")
    mine = line("training BTCUSDT_1h_H1: attempt 1 by t1", 1) + line("BTCUSDT_1h_H1: done by t1 in 3.0 s", 2)
    others = line("BTCUSDT_1h_H13: done") + line("XBTCUSDT_1h_H1: done") + line("run 1: 8 cells")
    log.write_text(old + others + mine + "Traceback BTCUSDT_1h_H1\n")
    assert list(job_log(log, job, NAME)) == mine.splitlines()
    ended = job.model_copy(update={"finished": job.created + timedelta(milliseconds=900)})
    # It is written about a moment after its end, and in a later night again.
    assert list(job_log(log, ended, NAME)) == mine.splitlines()[:1]
    assert job_log(tmp_path / "none.log", job, NAME) == ()


def test_a_survey_is_found_by_both_of_its_names(night: Night, tmp_path: Path) -> None:
    night.begin()
    log = tmp_path / "night.log"
    log.write_text(
        line("survey BTCUSDT: attempt 1 by t1")
        + line("survey of BTCUSDT: done by t1")
        + line("survey BTCUSDTUSDT: attempt 1 by t1")
    )
    assert len(job_log(log, night.detail(1), "survey of BTCUSDT")) == 2


def test_a_long_log_is_read_at_its_end_and_control_characters_are_written_out(
    night: Night, tmp_path: Path
) -> None:
    night.begin()
    log = tmp_path / "night.log"
    text = line("BTCUSDT_1h_H1: failed: \x1b[31mred\x07")
    log.write_text(text * (2 * READ_BYTES // len(text)))
    found = job_log(log, night.detail(5), NAME)
    assert len(found) == SHOWN_LINES and found[-1].endswith("\\x1b[31mred\\x07")
    assert printable("a\tb\u202e") == "a\tb\\u202e"
