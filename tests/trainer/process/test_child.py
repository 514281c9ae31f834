import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from common.host import ControlGroup, control_group
from common.model_pickle import pickle_bytes
from common.protocol.jobs import Cause, SurveySpec, TrainingSpec
from common.protocol.reports import Checkpoint, TrainingReport
from common.settings.sections import SurveyPolicy
from tests.trainer.targets import FOLDS, SPEC, checkpoint
from trainer.process import child as child_module
from trainer.process.channel import AttemptFailure, Result, Stopped, Task
from trainer.process.child import Child, End
from trainer.process.exit_cause import Killed, Limits
from trainer.process.fork_server import ForkServer

MIB = 1024**2
POLICY = SurveyPolicy(max_missing_share=0.2, max_defect_share=0.01, max_bar_missing_share=0.0)
LIMITS = Limits(memory_bytes=512 * MIB, deadline_seconds=20.0)

Start = Callable[..., Child]


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    running = ForkServer("tests.trainer.targets")
    running.start()
    yield running
    running.close()


@pytest.fixture
def start(server, tmp_path) -> Iterator[Start]:
    started = []

    def make(
        target: str,
        limits: Limits = LIMITS,
        group: ControlGroup | None = None,
        saved: Checkpoint | None = None,
        spec: TrainingSpec | SurveySpec = SPEC,
    ) -> Child:
        task = Task(spec=spec, data_dir=tmp_path, cache_dir=tmp_path, checkpoint=saved, champion=None)
        started.append(
            Child(server, f"tests.trainer.targets:{target}", task, limits, group or control_group())
        )
        return started[-1]

    yield make
    for each in started:
        each.kill()
        server.listen()


def end_of(
    child: Child, until: Callable[[], bool] = lambda: False, then: Callable[[], None] = lambda: None
) -> End:
    """Poll to the end; do something once on the way."""
    give_up = time.monotonic() + 30.0
    done = False
    while (end := child.poll()) is None:
        if not done and until():
            then()
            done = True
        assert time.monotonic() < give_up, "the child has no end"
    return end


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until(fact: Callable[[], object], seconds: float) -> None:
    give_up = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.01)


def test_a_result_comes_back_whole(start) -> None:
    child = start("succeed")
    end = end_of(child)
    assert isinstance(end, Result)
    assert isinstance(end.report, TrainingReport)
    assert end.report.cell == SPEC.cell
    assert end.artifact == pickle_bytes(end.report.manifest)
    assert (child.progress.stage, child.progress.done, child.progress.total) == ("crossval", 5, 5)


def test_a_survey_comes_back_without_artifact(start) -> None:
    end = end_of(start("succeed", spec=SurveySpec(symbol="ETHUSDT", timeframes=("1h",), policy=POLICY)))
    assert isinstance(end, Result)
    assert (end.report.symbol, end.artifact) == ("ETHUSDT", b"")


def test_jobs_follow_each_other_fast_in_processes_of_their_own(start) -> None:
    pids, began = set(), time.monotonic()
    for _ in range(10):
        child = start("succeed")
        end_of(child)
        pids.add(child.pid)
        assert is_gone(child.pid)
    assert len(pids) == 10
    assert (time.monotonic() - began) / 10 < 0.5


def next_task(tmp_path: Path) -> Task:
    return Task(spec=SPEC, data_dir=tmp_path, cache_dir=tmp_path, checkpoint=None, champion=None)


def test_a_child_that_rests_does_the_next_job_in_the_same_process_as_if_it_were_new(start, tmp_path) -> None:
    child = start("work_on")
    assert isinstance(end_of(child), Result)
    pid, peak = child.pid, child.progress.peak_memory_bytes
    assert peak > 0
    assert child.rests and not is_gone(pid)
    assert [each.outcome for each in child.take_lookups()] == ["miss"]
    seconds = child.seconds
    child.give(next_task(tmp_path), LIMITS)
    assert not child.rests
    assert child.seconds < seconds
    assert child.progress.stage == ""
    assert isinstance(end_of(child), Result)
    assert child.progress.stage == f"job 2 in {pid}"
    assert [each.outcome for each in child.take_lookups()] == ["hit"]
    assert 0 < child.progress.peak_memory_bytes < peak + 16 * MIB
    child.send_away()
    assert is_gone(pid)
    assert not child.rests


def test_what_takes_too_much_in_a_later_job_is_killed_and_explained_as_in_the_first(start, tmp_path) -> None:
    child = start("hog_in_the_second_job")
    assert isinstance(end_of(child), Result)
    child.give(next_task(tmp_path), Limits(memory_bytes=200 * MIB, deadline_seconds=20.0))
    end = end_of(child)
    assert isinstance(end, AttemptFailure)
    assert end.cause is Cause.OOM
    assert "killed by the agent, which watches the memory of its child" in end.evidence
    assert is_gone(child.pid)


def test_a_child_that_died_while_it_rested_rests_no_longer(start) -> None:
    child = start("work_on")
    end_of(child)
    os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: not child.rests, 2.0)
    child.send_away()
    assert is_gone(child.pid)


def test_a_child_whose_fork_server_died_while_it_rested_rests_no_longer(tmp_path) -> None:
    server = ForkServer("tests.trainer.targets")
    server.start()
    try:
        child = Child(server, "tests.trainer.targets:work_on", next_task(tmp_path), LIMITS, control_group())
        end_of(child)
        server.close()
        server.start()
        assert not child.rests
        child.send_away()
        wait_until(lambda: is_gone(child.pid), 2.0)
    finally:
        server.close()


def test_a_child_that_will_not_leave_is_killed(start, monkeypatch) -> None:
    monkeypatch.setattr(child_module, "FAREWELL_SECONDS", 0.2)
    child = start("rest_for_ever")
    assert isinstance(end_of(child), Result)
    child.send_away()
    assert is_gone(child.pid)


def test_checkpoints_come_out_and_earlier_ones_go_in(start) -> None:
    child = start("fold_on", saved=checkpoint(FOLDS - 3))
    taken = []

    def take() -> bool:
        if (saved := child.take_checkpoint()) is not None:
            taken.append(len(saved.folds))
        return False

    end = end_of(child, until=take)
    take()
    assert isinstance(end, Result)
    assert end.report.resumed_folds == FOLDS - 3
    assert taken == [FOLDS - 2, FOLDS - 1, FOLDS]


def test_asked_to_stop_it_gives_up_after_its_next_checkpoint(start) -> None:
    child = start("fold_on")
    end = end_of(child, until=lambda: child.progress.done >= 2, then=child.ask_to_stop)
    assert isinstance(end, Stopped)
    saved = child.take_checkpoint()
    assert saved is not None
    # It may be asked just before it saves the second.
    assert 2 <= len(saved.folds) <= 6


def test_what_the_child_says_of_its_failure_is_kept(start) -> None:
    assert end_of(start("fail")) == AttemptFailure(
        cause=Cause.DATA, message="no candles", evidence="looked everywhere"
    )


def test_a_message_that_does_not_fit_is_an_error_with_its_place(start) -> None:
    end = end_of(start("send_nonsense"))
    assert isinstance(end, AttemptFailure)
    assert end.cause is Cause.ERROR
    assert end.message.startswith("the job sent a Checkpoint that does not fit: folds.0.scores.brier: ")


def test_a_memory_hog_is_killed_at_its_limit_and_the_peak_is_named(start) -> None:
    child = start("hog", Limits(memory_bytes=200 * MIB, deadline_seconds=20.0))
    end = end_of(child)
    assert isinstance(end, AttemptFailure)
    assert end.cause is Cause.OOM
    assert 200 * MIB < child.progress.peak_memory_bytes < 400 * MIB
    assert (
        end.message == f"out of memory: took {child.progress.peak_memory_bytes / 1024**3:.2f} GiB of 0.20 GiB"
    )
    assert "killed by the agent, which watches the memory of its child" in end.evidence
    assert "last progress: features 3/7" in end.evidence
    assert is_gone(child.pid)


def test_a_hung_child_is_killed_at_the_deadline_and_its_stack_is_evidence(start) -> None:
    child = start("linger", Limits(memory_bytes=512 * MIB, deadline_seconds=0.4))
    end = end_of(child)
    assert isinstance(end, AttemptFailure)
    assert (end.cause, end.message) == (Cause.TIMEOUT, "hung in crossval: no end after 0 s")
    assert "last progress: crossval 1/5" in end.evidence
    assert "in wait_for_ever" in end.evidence
    assert "in linger" in end.evidence
    assert child.seconds < 5.0


def test_a_child_that_freezes_in_the_middle_of_a_message_blocks_nobody(start) -> None:
    child = start("freeze_in_the_middle", Limits(memory_bytes=512 * MIB, deadline_seconds=0.4))
    longest, last = 0.0, time.monotonic()
    while (end := child.poll()) is None:
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    assert isinstance(end, AttemptFailure)
    assert end.cause is Cause.TIMEOUT
    assert longest < 0.5


def test_killed_from_outside_it_is_a_crash_by_that_signal(start) -> None:
    child = start("linger")
    end = end_of(child, lambda: child.progress.done == 1, lambda: os.kill(child.pid, signal.SIGKILL))
    assert isinstance(end, AttemptFailure)
    assert (end.cause, end.message) == (Cause.CRASH, "the job died: SIGKILL")
    assert end.evidence.startswith(
        "killed neither by the agent nor, by the cgroup's counter, as out of memory"
    )


def test_a_segmentation_fault_is_a_crash_with_its_stack(start) -> None:
    end = end_of(start("segfault"))
    assert isinstance(end, AttemptFailure)
    assert (end.cause, end.message) == (Cause.CRASH, "the job died: SIGSEGV")
    assert "Segmentation fault" in end.evidence
    assert "in segfault" in end.evidence


def test_an_exit_is_a_crash_with_the_end_of_what_was_said(start) -> None:
    end = end_of(start("complain_and_exit"))
    assert isinstance(end, AttemptFailure)
    assert (end.cause, end.message) == (Cause.CRASH, "the job died: exit code 3")
    assert end.evidence.endswith("something odd happened")
    assert len(end.evidence) < 10_000


def test_an_exit_without_a_word_is_a_crash(start) -> None:
    spec = SPEC.model_copy()
    end = end_of(start("say_nothing", spec=spec))
    assert isinstance(end, AttemptFailure)
    assert (end.cause, end.message) == (Cause.CRASH, "the job ended without a result")


def test_a_target_that_is_not_there_is_a_crash_that_says_so(start) -> None:
    end = end_of(start("no_such_thing"))
    assert isinstance(end, AttemptFailure)
    assert end.cause is Cause.CRASH
    assert "has no attribute 'no_such_thing'" in end.evidence


def test_killed_on_request_there_is_nothing_to_explain(start) -> None:
    child = start("linger")
    assert end_of(child, lambda: child.progress.done == 1, child.kill) is Killed.REQUEST
    assert is_gone(child.pid)


def test_killed_before_its_birth_was_told_it_is_gone_all_the_same(start, tmp_path) -> None:
    child = start("linger")
    child.kill()
    assert end_of(child) is Killed.REQUEST
    wait_until(lambda: all(is_gone(int(left.name[len("child-") :])) for left in tmp_path.iterdir()), 2.0)


def test_a_result_counts_even_if_the_process_stays(start, monkeypatch) -> None:
    monkeypatch.setattr(child_module, "FAREWELL_SECONDS", 0.2)
    child = start("finish_and_stay")
    assert isinstance(end_of(child), Result)
    assert is_gone(child.pid)


def test_signals_to_the_whole_group_cost_no_job(start) -> None:
    assert isinstance(end_of(start("ignore_signals")), Result)


def test_the_death_of_the_fork_server_takes_the_child_and_the_next_job_has_a_new_one(start, server) -> None:
    child = start("linger")

    def kill_server() -> None:
        parent = int(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(parent, signal.SIGKILL)

    pid = None

    def born() -> bool:
        nonlocal pid
        pid = child.pid
        return child.progress.done == 1

    end = end_of(child, born, kill_server)
    assert isinstance(end, AttemptFailure)
    assert (end.cause, end.message) == (Cause.CRASH, "the fork server died, and the job with it")
    wait_until(lambda: is_gone(pid), 2.0)
    assert isinstance(end_of(start("succeed")), Result)


def test_a_child_is_what_it_should_be(start) -> None:
    end = end_of(start("describe"))
    assert isinstance(end, AttemptFailure)
    files = ["/dev/null", "pipe", "pipe", "pipe", "socket"]
    assert end.message == f"threads=1 score=1000 blas=['1', '1', '1'] files={files}"


@contextmanager
def memory_group(limit_bytes: int) -> Iterator[Path]:
    """A control group of this machine with a limit, with this process in it for as long."""
    group = control_group()
    if not group.memory:
        pytest.skip("no memory controller here")
    own = group.memory[0]
    inner = own / f"nighttrain-test-{os.getpid()}"
    try:
        inner.mkdir()
        (inner / ("memory.max" if group.memory_v2 else "memory.limit_in_bytes")).write_text(str(limit_bytes))
        (inner / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        inner.is_dir() and inner.rmdir()
        pytest.skip(f"no right to make a control group here: {error}")
    try:
        yield inner
    finally:
        (own / "cgroup.procs").write_text(str(os.getpid()))
        give_up = time.monotonic() + 5.0
        while (inner / "cgroup.procs").read_text().strip() and time.monotonic() < give_up:
            time.sleep(0.01)
        inner.rmdir()


def test_the_kernels_kill_is_told_by_its_counter(tmp_path) -> None:
    server = ForkServer("tests.trainer.targets")
    with memory_group(400 * MIB):
        try:
            server.start()
            task = Task(spec=SPEC, data_dir=tmp_path, cache_dir=tmp_path, checkpoint=None, champion=None)
            limits = Limits(memory_bytes=100 * 1024 * MIB, deadline_seconds=20.0)
            child = Child(server, "tests.trainer.targets:hog_by_leaps", task, limits, control_group())
            end = end_of(child)
            assert server.is_alive
        finally:
            server.close()
    assert isinstance(end, AttemptFailure)
    assert end.cause is Cause.OOM
    assert end.message.startswith("out of memory: killed by the kernel at ")
    assert "the cgroup's oom_kill counter rose by 1; cgroup peak 0.39 GiB, cgroup limit 0.39" in end.evidence
