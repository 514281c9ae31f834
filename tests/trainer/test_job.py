import errno
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow.feather import write_feather

from common.errors import DataError, StorageError
from common.host import control_group
from common.objects.store import StoreError
from common.protocol.jobs import Cause, Cell, SurveySpec, TrainingSpec
from common.protocol.reports import Checkpoint, SurveyReport, TrainingReport
from common.settings.night import NightSettings
from common.settings.sections import SurveyPolicy
from tests.trainer.real_night import ROOT, Coordinator, RealNight, eventually
from trainer.artifact import SyntheticModelWarning, load
from trainer.job import failure_of
from trainer.process.channel import AttemptFailure, Result, Stopped, Task
from trainer.process.child import Child, End
from trainer.process.exit_cause import Limits
from trainer.process.fork_server import ForkServer
from trainer.sources.sample import write_sample

POLICY = SurveyPolicy(max_missing_share=0.2, max_defect_share=0.01, max_bar_missing_share=0.0)
LIMITS = Limits(memory_bytes=1 << 30, deadline_seconds=60.0)
NOT_NEEDED = ("pandas", "scipy", "sklearn", "httpx", "yaml", "pydantic_settings")
CELL = Cell(symbol="BTCUSDT", timeframe="1m", horizon=3)


@pytest.fixture(scope="module")
def candles(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("candles")
    write_sample(folder, ["BTCUSDT"], 90, 7, lambda stage, done, total: None)
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    running = ForkServer("trainer.job")
    running.start()
    yield running
    running.close()


def feather(path: Path) -> None:
    opens = pa.array(pd.date_range("2023-01-01", periods=400, tz="UTC"), pa.timestamp("ms", "UTC"))
    price = pa.array(np.linspace(1.0, 2.0, 400))
    columns = {"date": opens, **dict.fromkeys(("open", "high", "low", "close", "volume"), price)}
    write_feather(pa.table(columns), path)


def csv(path: Path) -> None:
    lines = [f"{1_672_531_200_000 + row * 86_400_000},1.5,2,1,1.5,10\n" for row in range(400)]
    path.write_text("open_time,open,high,low,close,volume\n" + "".join(lines))


@pytest.mark.parametrize("kind", ["parquet", "feather", "csv"])
def test_the_first_survey_waits_for_nothing_that_it_does_not_need(candles, tmp_path, kind) -> None:
    data, name = tmp_path / "candles", "BTCUSDT-1d"
    data.mkdir()
    if kind == "parquet":
        shutil.copy(next(candles.glob("BTCUSDT*.parquet")), data / f"{name}.parquet")
    else:
        {"feather": feather, "csv": csv}[kind](data / f"{name}.{kind}")
    code = f"""
import sys
from pathlib import Path
import trainer.job
from common.protocol.jobs import SurveySpec
from common.settings.sections import SurveyPolicy
from trainer.survey.survey import survey
policy = SurveyPolicy(max_missing_share=0.2, max_defect_share=0.01, max_bar_missing_share=0.0)
spec = SurveySpec(symbol="BTCUSDT", timeframes=("1d",), policy=policy)
report = survey(spec, Path({str(data)!r}), Path({str(tmp_path / "cache")!r}), lambda *_: None)
print(report.series[0].rows > 0, [name for name in {NOT_NEEDED} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "True []\n"


Perform = Callable[..., tuple[End, list[Checkpoint]]]


@pytest.fixture(scope="module")
def perform(server, candles) -> Perform:
    """Do a task in a real child; ask it to stop once it has saved so many folds."""

    def run(
        spec: SurveySpec | TrainingSpec,
        cache: Path,
        data: Path = candles,
        saved: Checkpoint | None = None,
        stop_after: int | None = None,
    ) -> tuple[End, list[Checkpoint]]:
        task = Task(spec=spec, data_dir=data, cache_dir=cache, checkpoint=saved, champion=None)
        child = Child(server, "trainer.job:perform", task, LIMITS, control_group())
        checkpoints: list[Checkpoint] = []
        give_up = time.monotonic() + 60.0
        if stop_after == 0:
            child.ask_to_stop()
        while True:
            end = child.poll()
            if (checkpoint := child.take_checkpoint()) is not None:
                checkpoints.append(checkpoint)
                if len(checkpoint.folds) == stop_after:
                    child.ask_to_stop()
            if end is not None:
                child.send_away()
                return end, checkpoints
            assert time.monotonic() < give_up

    return run


@pytest.fixture(scope="module")
def surveyed(perform, tmp_path_factory) -> tuple[Path, SurveyReport]:
    cache = tmp_path_factory.mktemp("cache")
    spec = SurveySpec(symbol="BTCUSDT", timeframes=("1m", "1h", "1d"), policy=POLICY)
    end, _ = perform(spec, cache)
    assert isinstance(end, Result), end
    assert isinstance(end.report, SurveyReport)
    return cache, end.report


@pytest.fixture(scope="module")
def spec(surveyed) -> TrainingSpec:
    settings = NightSettings()
    return TrainingSpec(
        cell=CELL,
        n_splits=5,
        embargo_minutes=30,
        Cs=settings.model.C,
        min_train_rows=100,
        min_test_rows=40,
        data_digests={series.timeframe: series.digest for series in surveyed[1].series if series.digest},
        synthetic=True,
        policy=POLICY,
    )


@pytest.fixture(scope="module")
def undisturbed(perform, surveyed, spec) -> Result:
    end, checkpoints = perform(spec, surveyed[0])
    assert isinstance(end, Result), end
    assert len(checkpoints[-1].folds) == 5
    return end


def of_substance(result: End) -> object:
    """What must be equal between two nights: everything but durations and how often it was resumed."""
    assert isinstance(result, Result), result
    assert isinstance(result.report, TrainingReport)
    return result.report.model_copy(update={"stage_seconds": {}, "resumed_folds": 0}), result.artifact


def test_a_survey_reports_and_fills_the_cache(surveyed) -> None:
    cache, report = surveyed
    assert report.synthetic
    assert {series.timeframe for series in report.series} == {"1m", "1h", "1d"}
    assert any(cache.rglob("*"))


def test_a_cell_is_trained_and_its_artifact_is_the_manifests(undisturbed, tmp_path) -> None:
    report = undisturbed.report
    assert report.cell == CELL
    assert len(report.folds) == 5
    assert report.certificate.valid
    path = tmp_path / "model.pkl"
    path.write_bytes(undisturbed.artifact)
    path.with_suffix(".json").write_text(report.manifest.model_dump_json())
    with pytest.warns(SyntheticModelWarning):
        loaded = load(path)
    assert loaded.n_features_in_ == len(report.manifest.features)


def test_asked_to_stop_it_saves_the_running_fold_and_resumed_it_ends_equal_to_the_last_digit(
    perform, surveyed, spec, undisturbed
) -> None:
    # On a busy machine the child may have ended before it is told.
    for _ in range(20):
        end, checkpoints = perform(spec, surveyed[0], stop_after=1)
        if end == Stopped():
            break
    assert end == Stopped()
    folds = len(checkpoints[-1].folds)
    assert 1 <= folds <= 4
    resumed, _ = perform(spec, surveyed[0], saved=checkpoints[-1])
    assert isinstance(resumed, Result)
    assert resumed.report.resumed_folds == folds
    assert of_substance(resumed) == of_substance(undisturbed)


def test_a_process_that_has_trained_other_cells_trains_the_next_to_the_last_digit(
    server, candles, surveyed, spec, undisturbed
) -> None:
    def task_of(horizon: int) -> Task:
        cell = CELL.model_copy(update={"horizon": horizon})
        of_cell = spec.model_copy(update={"cell": cell})
        return Task(spec=of_cell, data_dir=candles, cache_dir=surveyed[0], checkpoint=None, champion=None)

    child = Child(server, "trainer.job:perform", task_of(1), LIMITS, control_group())
    pids = set()
    for horizon in (1, 5, CELL.horizon):
        if horizon != 1:
            child.give(task_of(horizon), LIMITS)
        while (end := child.poll()) is None:
            assert child.seconds < 60.0
        assert isinstance(end, Result)
        assert end.report.cell.horizon == horizon
        pids.add(child.pid)
    child.send_away()
    assert len(pids) == 1
    assert of_substance(end) == of_substance(undisturbed)


@pytest.mark.parametrize("what", ["survey", "training"])
def test_a_process_that_surveyed_ends_with_its_job(server, candles, spec, tmp_path, what) -> None:
    survey = SurveySpec(symbol="BTCUSDT", timeframes=("1d",), policy=POLICY)
    # There are no candles in this cache, so that the cell has to survey them itself.
    wanted = survey if what == "survey" else spec
    task = Task(spec=wanted, data_dir=candles, cache_dir=tmp_path, checkpoint=None, champion=None)
    child = Child(server, "trainer.job:perform", task, LIMITS, control_group())
    while (end := child.poll()) is None:
        assert child.seconds < 60.0
    assert isinstance(end, Result)
    assert not child.rests


def test_asked_to_stop_before_the_first_fold_it_gives_up_at_once(perform, surveyed, spec) -> None:
    end, checkpoints = perform(spec, surveyed[0], stop_after=0)
    assert end == Stopped()
    assert len(checkpoints) <= 1


def test_asked_to_stop_after_the_last_fold_it_finishes(perform, surveyed, spec, undisturbed) -> None:
    end, _ = perform(spec, surveyed[0], stop_after=5)
    assert of_substance(end) == of_substance(undisturbed)


def test_a_host_that_did_not_survey_does_so_by_itself(perform, spec, undisturbed, tmp_path) -> None:
    end, _ = perform(spec, tmp_path / "empty")
    assert of_substance(end) == of_substance(undisturbed)


def test_candles_that_changed_since_the_survey_are_a_data_error(perform, spec, tmp_path) -> None:
    other = tmp_path / "other"
    write_sample(other, ["BTCUSDT"], 30, 8, lambda stage, done, total: None)
    end, _ = perform(spec, tmp_path / "cache", data=other)
    assert isinstance(end, AttemptFailure)
    assert end.cause is Cause.DATA
    assert end.message.endswith(f"below {other} changed since the survey (run again with --fresh)")


def test_a_symbol_without_candles_is_a_data_error(perform, tmp_path) -> None:
    spec = SurveySpec(symbol="NONEUSDT", timeframes=("1h",), policy=POLICY)
    end, _ = perform(spec, tmp_path)
    assert isinstance(end, AttemptFailure)
    assert end.cause is Cause.DATA
    assert "NONEUSDT" in end.message
    assert "\n" not in end.message


def test_a_cache_that_cannot_be_written_is_an_error_that_names_it(perform, tmp_path) -> None:
    (tmp_path / "file").touch()
    spec = SurveySpec(symbol="BTCUSDT", timeframes=("1h",), policy=POLICY)
    end, _ = perform(spec, tmp_path / "file" / "cache")
    assert isinstance(end, AttemptFailure)
    assert end.cause is Cause.ERROR
    assert str(tmp_path / "file") in end.message


def test_with_all_that_is_imported_the_fork_server_has_one_thread(server, spec, tmp_path) -> None:
    task = Task(spec=spec, data_dir=tmp_path, cache_dir=tmp_path, checkpoint=None, champion=None)
    child = Child(server, "tests.trainer.targets:describe", task, LIMITS, control_group())
    while (end := child.poll()) is None:
        assert child.seconds < 30.0
    assert isinstance(end, AttemptFailure)
    assert end.message.startswith("threads=1 ")


def no_room(number: int) -> StorageError:
    error = StorageError("/c/x: cannot be written")
    error.__cause__ = OSError(number, "the reason")
    return error


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "cause", "message"),
    [
        (
            DataError("BTCUSDT 1d: 90 rows", "lower n_splits"),
            Cause.DATA,
            "BTCUSDT 1d: 90 rows (lower n_splits)",
        ),
        (MemoryError(), Cause.OOM, "out of memory: MemoryError"),
        (MemoryError("2 GiB"), Cause.OOM, "out of memory: MemoryError: 2 GiB"),
        (ValueError("x must\nbe  y"), Cause.ERROR, "ValueError: x must be y"),
        (KeyError("close"), Cause.ERROR, "KeyError: 'close'"),
        (ValueError(), Cause.ERROR, "ValueError"),
        (no_room(errno.ENOSPC), Cause.STORAGE, "/c/x: cannot be written"),
        (no_room(errno.EDQUOT), Cause.STORAGE, "/c/x: cannot be written"),
        (no_room(errno.EROFS), Cause.STORAGE, "/c/x: cannot be written"),
        (no_room(errno.EACCES), Cause.ERROR, "/c/x: cannot be written"),
        (StorageError("/c/x is damaged"), Cause.ERROR, "/c/x is damaged"),
        (StoreError("s3://b/p: refused", "check AWS_"), Cause.STORAGE, "s3://b/p: refused (check AWS_)"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/tmp/x"),
            Cause.STORAGE,
            "OSError: [Errno 28] No space left on device: '/tmp/x'",
        ),
        (
            OSError(errno.EACCES, "Permission denied"),
            Cause.ERROR,
            "PermissionError: [Errno 13] Permission denied",
        ),
        (ValueError("x" * 10_000), Cause.ERROR, "ValueError: " + "x" * 488),
    ],
)
def test_an_exception_is_one_line_with_its_traceback_as_evidence(error, cause, message) -> None:
    said = failure_of(raised(error))
    assert (said.cause, said.message) == (cause, message)
    assert "in raised" in said.evidence
    assert len(said.evidence) <= 16384


def test_a_real_cell_goes_through_agent_and_coordinator(tmp_path, candles, surveyed) -> None:
    coordinator = Coordinator(tmp_path, timeframes=["15m"], horizons=[3])
    night = RealNight(coordinator, tmp_path)
    try:
        coordinator.start()
        night.data = candles
        night.begin().start_trainer()
        assert eventually(night.is_done, 60.0)
        cell = night.cell()
        assert cell.report.certificate.valid
        assert cell.history[0].peak_memory_bytes > 50 << 20
        assert night.operator.run(night.run).synthetic
    finally:
        night.close()
        coordinator.close()
