import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from common.model_pickle import pickle_bytes
from common.protocol.job_views import Outcome
from common.protocol.jobs import Cause, JobState
from common.protocol.steering import Action, Order
from tests.common.scripted_server import Reply, ScriptedServer
from tests.small_disk import small_disk  # noqa: F401
from tests.trainer.real_night import ROOT, Coordinator, RealNight, eventually

GIB = 1024**3


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[Coordinator]:
    """One coordinator for all tests that do it no harm."""
    started = Coordinator(tmp_path_factory.mktemp("shared")).start()
    yield started
    started.close()


@pytest.fixture
def own(tmp_path) -> Iterator[Coordinator]:
    """A coordinator that is not started yet."""
    made = Coordinator(tmp_path)
    yield made
    made.close()


@pytest.fixture
def night(shared, tmp_path) -> Iterator[RealNight]:
    made = RealNight(shared, tmp_path).begin()
    yield made
    made.close()


@pytest.fixture
def own_night(own, tmp_path) -> Iterator[RealNight]:
    made = RealNight(own, tmp_path)
    yield made
    made.close()


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_the_agent_imports_nothing_of_the_numeric_stack() -> None:
    code = "import sys, trainer.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    heavy = {"numpy", "pandas", "sklearn", "scipy", "pyarrow", "joblib", "talib", "trainer.job"}
    assert heavy.isdisjoint(done.stdout.split())
    late = {"yaml", "pydantic_settings", "rich", "click", "pygments", "prometheus_client"}
    late |= {"common.client.client", "common.protocol.status", "common.protocol.results"}
    assert late.isdisjoint(done.stdout.split()), "a night waits for what it imports"


def test_a_job_is_claimed_done_and_reported(night) -> None:
    trainer = night.start_trainer("succeed")
    assert eventually(night.is_done)
    cell = night.cell()
    assert (cell.state, cell.report.rows) == (JobState.SUCCEEDED, 9_000)
    (attempt,) = cell.history
    assert (attempt.trainer, attempt.outcome) == ("t1", Outcome.SUCCEEDED)
    blobs = (night.coordinator.out / "artifacts" / "blobs").glob("*")
    assert any(blob.read_bytes() == pickle_bytes(cell.report.manifest) for blob in blobs)
    trainer.signal(signal.SIGTERM)
    code, seconds = trainer.end()
    assert code == 0
    assert seconds < 5.0


def test_with_a_full_disk_no_job_is_handed_out_and_with_room_again_it_is_done(
    night,
    small_disk,  # noqa: F811
) -> None:
    filler = small_disk.fill()
    trainer = night.start_trainer("succeed", "--cache", str(small_disk.folder))
    words = f"{small_disk.folder} cannot be written: No space left on device"
    (blocked,) = eventually(lambda: [one for one in night.operator.status().trainers if one.blocked_since])
    assert words in blocked.note and blocked.note in night.operator.status().warnings
    eventually(lambda: "no job: storage" in trainer.said and words in trainer.said)
    filler.unlink()
    small_disk.remount("ro")
    eventually(lambda: any("Read-only file system" in said for said in night.operator.status().warnings))
    assert night.cell().attempts == 0
    small_disk.remount("rw")
    assert eventually(night.is_done)
    assert night.cell().attempts == 1
    assert not any(one.blocked_since for one in night.operator.status().trainers)


def test_a_child_killed_from_outside_is_a_crash_and_the_job_is_tried_again(night) -> None:
    night.start_trainer("linger")
    os.kill(night.child_pid(), signal.SIGKILL)
    cell = eventually(lambda: len((found := night.cell()).history) == 2 and found)
    first, second = cell.history
    assert (first.cause, first.message, first.charged) == (Cause.CRASH, "the job died: SIGKILL", True)
    assert "crossval 1/5" in first.evidence
    assert second.outcome is Outcome.RUNNING


def test_a_memory_hog_is_out_of_memory_with_its_peak(night) -> None:
    night.start_trainer("hog", "--memory-limit-gb", "0.2")
    attempt = eventually(lambda: (found := night.cell().history) and found[0].ended and found[0])
    assert attempt.cause is Cause.OOM
    assert attempt.memory_limit_bytes == int(0.2 * GIB)
    assert 0.2 * GIB < attempt.peak_memory_bytes < 0.4 * GIB
    assert attempt.message.startswith("out of memory: took 0.2")
    assert "killed by the agent" in attempt.evidence


def test_a_data_error_is_reported_and_final(night) -> None:
    night.start_trainer("fail")
    cell = eventually(lambda: (found := night.cell()).state is JobState.FAILED and found)
    assert (cell.cause, cell.message, cell.attempts) == (Cause.DATA, "no candles", 1)
    assert cell.history[0].evidence == "looked everywhere"


def test_sigterm_keeps_the_folds_gives_the_job_back_free_and_another_trainer_goes_on(night) -> None:
    trainer = night.start_trainer("fold_on")
    eventually(lambda: night.saved_folds() >= 2)
    trainer.signal(signal.SIGTERM)
    code, seconds = trainer.end()
    assert code == 0
    assert seconds < 6.0
    cell = night.cell()
    assert cell.state is JobState.QUEUED
    (attempt,) = cell.history
    assert (attempt.outcome, attempt.cause, attempt.charged) == (Outcome.RELEASED, Cause.STOPPED, False)
    saved = night.saved_folds()
    assert saved >= 3

    night.start_trainer("fold_on", name="t2")
    assert eventually(night.is_done)
    assert night.cell().report.resumed_folds == saved


def test_sigterm_does_not_wait_for_a_child_that_does_not_hear(night) -> None:
    trainer = night.start_trainer("linger")
    pid = night.child_pid()
    trainer.signal(signal.SIGTERM)
    code, seconds = trainer.end()
    assert code == 0
    assert 6.0 < seconds < 10.0
    assert is_gone(pid)
    cell = night.cell()
    assert (cell.state, cell.history[0].cause) == (JobState.QUEUED, Cause.STOPPED)
    assert night.saved_folds() == 1


def test_a_second_signal_is_immediate(night) -> None:
    trainer = night.start_trainer("linger")
    pid = night.child_pid()
    trainer.signal(signal.SIGINT)
    eventually(lambda: "giving the job back" in trainer.said)
    trainer.signal(signal.SIGINT)
    code, seconds = trainer.end()
    assert code == 128 + signal.SIGINT
    assert seconds < 4.0
    eventually(lambda: is_gone(pid), 1.0)


def test_with_the_agent_the_child_is_gone_at_once_and_its_next_start_takes_the_job_up(night) -> None:
    trainer = night.start_trainer("linger")
    pid = night.child_pid()
    eventually(lambda: night.saved_folds() == 1)
    trainer.kill()
    eventually(lambda: is_gone(pid), 2.0)
    night.start_trainer("succeed")
    assert eventually(night.is_done)
    first, second = night.cell().history
    assert first.outcome is Outcome.EXPIRED
    assert second.outcome is Outcome.SUCCEEDED


def test_end_of_input_is_a_stop(night) -> None:
    trainer = night.start_trainer("succeed", "--exit-with-parent")
    eventually(lambda: "registered" in trainer.said)
    trainer.popen.stdin.close()
    code, seconds = trainer.end()
    assert code == 0
    assert seconds < 5.0


def test_a_trainer_that_was_given_no_address_asks_nobody_until_it_is_told(night) -> None:
    trainer = night.start_trainer("succeed", "--coordinator", "-", "--exit-with-parent")
    trainer.popen.stdin.write(f"{night.coordinator.url}\n".encode())
    trainer.popen.stdin.flush()
    assert eventually(night.is_done)
    trainer.popen.stdin.close()
    assert trainer.end()[0] == 0


@pytest.mark.parametrize("by", ["signal", "end of input"])
def test_a_trainer_that_is_never_told_where_to_work_stops_at_once(night, by) -> None:
    trainer = night.start_trainer("succeed", "--coordinator", "-")
    # It has a fork server once it waits, and handles signals by then.
    eventually(lambda: psutil.Process(trainer.popen.pid).children())
    if by == "signal":
        trainer.signal(signal.SIGTERM)
    else:
        trainer.popen.stdin.close()
    code, seconds = trainer.end()
    assert code == 0
    assert seconds < 5.0
    assert "registered" not in trainer.said


def test_a_trainer_that_lost_its_lease_drops_the_job_and_goes_on(night) -> None:
    first = night.start_trainer("linger", name="t1")
    pid = night.child_pid()
    first.signal(signal.SIGSTOP)
    night.start_trainer("linger", name="t2")
    eventually(lambda: len(night.cell().history) == 2)
    first.signal(signal.SIGCONT)
    eventually(lambda: "is lost; its job is dropped" in first.said)
    eventually(lambda: is_gone(pid))
    eventually(lambda: "no job: empty" in first.said)
    second = night.cell().history[1]
    assert (second.trainer, second.outcome) == ("t2", Outcome.RUNNING)


def test_a_cancelled_job_is_stopped_and_the_trainer_goes_on(night) -> None:
    trainer = night.start_trainer("linger")
    pid = night.child_pid()
    night.operator.steer_run(night.run, Action.CANCEL, Order())
    eventually(lambda: is_gone(pid))
    eventually(lambda: "no job: empty" in trainer.said)
    assert night.cell().state is JobState.CANCELLED


# --- the coordinator comes and goes


def test_a_stop_of_the_whole_machine_costs_no_job_anything(own, own_night) -> None:
    own.start(lease={"seconds": 30.0})
    trainer = own_night.begin().start_trainer("fold_long")
    eventually(lambda: own_night.saved_folds() >= 2)
    own.process.signal(signal.SIGTERM)
    own.process.end()
    own.kill()
    trainer.signal(signal.SIGTERM)
    code, seconds = trainer.end()
    assert code == 0
    assert seconds < 11.0
    assert "the next start hands in what is to be said" in trainer.said
    (note,) = (own_night.folder / "cache" / "unsent").glob("*.json")
    assert note.parent.stat().st_mode & 0o077 == 0

    own.start()
    other = own_night.start_trainer("fold_on", name="another")
    assert eventually(own_night.is_done)
    assert "handed in now" in other.said
    first, second = own_night.cell().history
    assert (first.outcome, first.cause, first.charged) == (Outcome.RELEASED, Cause.STOPPED, False)
    assert (second.trainer, second.outcome) == ("another", Outcome.SUCCEEDED)
    assert own_night.cell().report.resumed_folds >= 2
    assert not note.exists()


def test_a_result_that_nobody_could_take_is_handed_in_and_not_computed_again(own, own_night) -> None:
    own.start(lease={"seconds": 30.0})
    trainer = own_night.begin().start_trainer("linger_then_succeed")
    own_night.child_pid()
    own.process.signal(signal.SIGTERM)
    own.process.end()
    own.kill()
    (own_night.data / "end").touch()
    eventually(lambda: "done after" in trainer.said)
    trainer.signal(signal.SIGTERM)
    assert trainer.end()[0] == 0
    own.start()
    own_night.start_trainer("fail")
    assert eventually(own_night.is_done)
    (attempt,) = own_night.cell().history
    assert attempt.outcome is Outcome.SUCCEEDED


def test_notes_that_are_none_or_come_too_late_are_dropped_and_work_begins(night) -> None:
    folder = night.folder / "cache" / "unsent"
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text('{"lease_id": "../x"}')
    release = '{"cause": "stopped", "seconds": 1, "peak_memory_bytes": 1}'
    (folder / "late.json").write_text(f'{{"lease_id": "{"0" * 32}", "release": {release}}}')
    trainer = night.start_trainer("succeed")
    assert eventually(night.is_done)
    assert "is no note of a trainer and is dropped" in trainer.said
    assert "comes too late" in trainer.said
    assert not list(folder.iterdir())


def test_a_hung_child_is_a_timeout_with_its_stack(own, own_night) -> None:
    own.start(deadline={"minimum_seconds": 0.5}, retry={"timeout": 1})
    own_night.begin().start_trainer("linger")
    cell = eventually(lambda: (found := own_night.cell()).state is JobState.FAILED and found)
    assert (cell.cause, cell.message) == (Cause.TIMEOUT, "hung in crossval: no end after 0 s")
    assert "in wait_for_ever" in cell.history[0].evidence


def test_a_coordinator_that_is_killed_and_comes_back_gets_the_result(own, own_night) -> None:
    # Longer than the longest wait between two tries of the trainer (5 s): what comes back is not yet lost.
    own.start(lease={"seconds": 8.0})
    trainer = own_night.begin().start_trainer("fold_on")
    eventually(lambda: own_night.saved_folds() >= 3)
    own.kill()
    eventually(lambda: "does not answer" in trainer.said)
    eventually(lambda: ": done after" in trainer.said.partition("BTCUSDT_1h_H1")[2])
    own.start()
    assert eventually(own_night.is_done)
    (attempt,) = own_night.cell().history
    assert (attempt.number, attempt.outcome) == (1, Outcome.SUCCEEDED)
    assert "the coordinator is back, and the lease stands" in trainer.said


def test_when_the_night_closes_the_running_fold_is_saved_and_the_job_carried_over(own, own_night) -> None:
    # Longer than the longest wait between two tries of the trainer (5 s).
    own.start(lease={"seconds": 8.0})
    trainer = own_night.begin().start_trainer("fold_long")
    eventually(lambda: own_night.saved_folds() >= 1)
    own.kill()
    now = datetime.now(UTC)
    later = [(now + timedelta(hours=hours)).time().replace(microsecond=0) for hours in (2, 3)]
    own.start(lease={"seconds": 8.0}, window={"start": later[0].isoformat(), "end": later[1].isoformat()})
    eventually(lambda: "no job: night_closed" in trainer.said)
    cell = own_night.cell()
    (attempt,) = cell.history
    assert cell.state is JobState.QUEUED
    assert (attempt.outcome, attempt.cause, attempt.charged) == (Outcome.RELEASED, Cause.NIGHT_CLOSED, False)
    assert own_night.saved_folds() >= 2


def test_a_trainer_that_is_first_waits_for_token_and_coordinator_and_can_be_stopped(own, own_night) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        own.port = probe.getsockname()[1]
    own.out.mkdir()
    first, second = (own_night.start_trainer("succeed", name=name) for name in ("t1", "t2"))
    eventually(lambda: "waiting for the coordinator to make it" in first.said)
    own.start()
    own_night.begin()
    eventually(lambda: own_night.is_done())
    own.kill()
    eventually(lambda: "does not answer" in second.said)
    second.signal(signal.SIGTERM)
    code, seconds = second.end()
    assert code == 0
    assert seconds < 5.0


# --- what cannot work: one clear line, exit code 2


def refused(night: RealNight, *options: str, token: Path | None = None) -> str:
    trainer = night.start_trainer("", *options, token=token)
    code, _ = trainer.end()
    assert code == 2, trainer.said
    assert "Traceback" not in trainer.said
    return trainer.said.splitlines()[-1]


def test_a_wrong_token_is_one_clear_line(night, tmp_path) -> None:
    token = tmp_path / "wrong"
    token.touch(mode=0o600)
    token.write_text("not-the-token-of-this-coordinator")
    said = refused(night, token=token)
    assert " ERROR t1 trainer: " in said
    assert "token" in said
    assert "not-the-token" not in said


def test_a_missing_data_folder_is_one_clear_line(own_night) -> None:
    own_night.data.rmdir()
    expected = f"the data folder {own_night.data} does not exist (name the folder with candles by --data)"
    assert expected in refused(own_night)


def test_a_cache_that_cannot_be_written_is_one_clear_line(own_night, tmp_path) -> None:
    (tmp_path / "cache").touch()
    assert f"the cache folder {tmp_path / 'cache'} cannot be written: File exists" in refused(own_night)


def test_another_program_at_the_address_is_one_clear_line(own, own_night, tmp_path) -> None:
    token = tmp_path / "token"
    token.write_text("a-token-of-more-than-thirty-two-letters")
    with ScriptedServer(lambda asked: Reply(200, b"<html>", {"Content-Type": "text/html"})) as server:
        own.port = int(server.url.rpartition(":")[2])
        assert "answered POST with something that is not a Welcome" in refused(own_night, token=token)


def test_an_impossible_option_is_refused_by_the_parser(own_night) -> None:
    for text in ("0.01", "abc", "nan"):
        said = refused(own_night, "--memory-limit-gb", text)
        assert f"--memory-limit-gb: '{text}' is not a limit; give GiB, at least 0.1" in said
    said = refused(own_night, "--name", "gpu\x1b[2J")
    assert "--name: 'gpu\\x1b[2J' is not a name; give plain text, at most 200 characters" in said
