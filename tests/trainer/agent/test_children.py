import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.host import control_group
from common.protocol.jobs import Cell, SurveySpec, TrainingSpec
from common.protocol.trainers import Grant
from common.settings.sections import SurveyPolicy
from tests.trainer.targets import SPEC
from trainer.agent import children
from trainer.agent.children import SMALL_BYTES, RestingChild, can_follow
from trainer.process.channel import Result, Task
from trainer.process.child import Child
from trainer.process.exit_cause import Limits
from trainer.process.fork_server import ForkServer

GIB = 1024**3
LIMITS = Limits(memory_bytes=GIB, deadline_seconds=20.0)
SURVEY = SurveySpec(
    symbol="BTCUSDT",
    timeframes=("1h",),
    policy=SurveyPolicy(max_missing_share=0.2, max_defect_share=0.01, max_bar_missing_share=0.0),
)
SIZES = st.integers(0, 4 * GIB)


def spec_of(symbol: str, timeframe: str, horizon: int = 1) -> TrainingSpec:
    return SPEC.model_copy(update={"cell": Cell(symbol=symbol, timeframe=timeframe, horizon=horizon)})


SPECS = st.builds(
    spec_of,
    st.sampled_from(["BTCUSDT", "ETHUSDT"]),
    st.sampled_from(["1m", "1h", "1d"]),
    st.sampled_from([1, 3, 5]),
)


@given(SPECS, SPECS, SIZES, SIZES, st.integers(1, 4 * GIB))
def test_a_job_follows_another_with_plenty_of_room_if_it_is_alike_or_that_was_small_beside_it(
    before, after, grown, peak, limit
) -> None:
    follows = can_follow(before, after, grown, peak, limit)
    if follows:
        assert 2 * peak <= limit
    alike = before.cell.model_copy(update={"horizon": 1}) == after.cell.model_copy(update={"horizon": 1})
    coarser = after.cell.timeframe.seconds >= before.cell.timeframe.seconds
    small = grown <= SMALL_BYTES and (coarser or 64 * grown <= limit)
    assert follows == (2 * peak <= limit and (alike or small))
    assert not can_follow(before, SURVEY, grown, peak, limit)


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    running = ForkServer("tests.trainer.targets")
    running.start()
    yield running
    running.close()


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def task_of(spec: TrainingSpec, folder: Path) -> Task:
    return Task(spec=spec, data_dir=folder, cache_dir=folder, checkpoint=None, champion=None)


def rested(server: ForkServer, folder: Path, target: str = "work_on") -> tuple[RestingChild, Child]:
    """Return a child that has done its first job, kept for the next."""
    spec = spec_of("BTCUSDT", "1h")
    child = Child(server, f"tests.trainer.targets:{target}", task_of(spec, folder), LIMITS, control_group())
    end_of(child)
    grant = Grant(
        lease_id="a",
        job_id=1,
        run_id=1,
        attempt=1,
        spec=spec,
        memory_limit_bytes=LIMITS.memory_bytes,
        deadline_seconds=LIMITS.deadline_seconds,
        checkpoint=None,
        champion=None,
    )
    resting = RestingChild()
    resting.keep(child, grant)
    return resting, child


def end_of(child: Child) -> Result:
    while (end := child.poll()) is None:
        assert child.seconds < 20.0
    assert isinstance(end, Result)
    return end


def test_the_next_job_goes_to_the_child_that_rests(server, tmp_path) -> None:
    resting, child = rested(server, tmp_path)
    pid = child.pid
    again = resting.take(task_of(spec_of("BTCUSDT", "1h", 3), tmp_path), LIMITS)
    assert again is child
    assert end_of(again).report.cell.horizon == 3
    assert again.pid == pid
    assert resting.take(task_of(spec_of("BTCUSDT", "1h", 3), tmp_path), LIMITS) is None
    again.send_away()


def test_a_child_that_may_not_do_the_next_job_is_gone_before_another_is_made(server, tmp_path) -> None:
    resting, child = rested(server, tmp_path)
    tight = Limits(memory_bytes=child.progress.peak_memory_bytes, deadline_seconds=20.0)
    assert resting.take(task_of(spec_of("BTCUSDT", "1h"), tmp_path), tight) is None
    assert is_gone(child.pid)


def test_a_child_that_has_lived_for_long_gets_no_other_job(server, tmp_path, monkeypatch) -> None:
    resting, child = rested(server, tmp_path)
    monkeypatch.setattr(children, "LIFE_SECONDS", child.age_seconds)
    assert resting.take(task_of(spec_of("BTCUSDT", "1h"), tmp_path), LIMITS) is None
    assert is_gone(child.pid)


def test_a_child_that_died_meanwhile_is_not_given_a_job(server, tmp_path) -> None:
    resting, child = rested(server, tmp_path)
    os.kill(child.pid, signal.SIGKILL)
    give_up = time.monotonic() + 5.0
    while child.rests:
        assert time.monotonic() < give_up
    assert resting.take(task_of(spec_of("BTCUSDT", "1h"), tmp_path), LIMITS) is None


def test_a_child_that_ends_with_its_job_is_not_kept(server, tmp_path) -> None:
    resting, _ = rested(server, tmp_path, "succeed")
    assert resting.take(task_of(spec_of("BTCUSDT", "1h"), tmp_path), LIMITS) is None


def test_a_child_rests_no_longer_than_it_may(server, tmp_path) -> None:
    resting, child = rested(server, tmp_path)
    resting.send_away(60.0)
    assert child.rests
    resting.send_away()
    assert is_gone(child.pid)
