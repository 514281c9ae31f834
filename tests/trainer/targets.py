"""What children of the tests run instead of training: real processes that do what a test needs to see."""

import faulthandler
import hashlib
import importlib
import itertools
import os
import signal
import socket
import sys
import time
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from common.model_pickle import pickle_bytes
from common.protocol.jobs import Cause, Cell, SurveySpec, TrainingSpec
from common.protocol.reports import (
    Certificate,
    Check,
    Checkpoint,
    FoldModel,
    FoldReport,
    Manifest,
    Scores,
    SeriesReport,
    Span,
    SurveyReport,
    TrainingReport,
)
from trainer.process.channel import AttemptFailure, Task
from trainer.process.child_end import ChildEnd

FOLDS = 15
FOLD_SECONDS = 0.1

ROWS = 9_000
SPAN = Span(start=datetime(1990, 1, 1, tzinfo=UTC), end=datetime(2025, 1, 1, tzinfo=UTC))
"""So long that there are so many bars of any timeframe."""
SCORES = Scores(auc=0.53, brier=0.249, accuracy=0.51, log_loss=0.69, base_rate=0.5, n=100)
CERTIFICATE = Certificate(checks=(Check(name="recompute", passed=True, checked=1, detail="exact"),))
SPEC = TrainingSpec(
    cell=Cell(symbol="BTCUSDT", timeframe="1h", horizon=3),
    n_splits=FOLDS,
    embargo_minutes=30,
    Cs=(0.1, 1.0),
    min_train_rows=100,
    min_test_rows=40,
    data_digests={},
    synthetic=False,
)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def survey_report(spec: SurveySpec) -> SurveyReport:
    series = [
        SeriesReport(
            timeframe=timeframe,
            source="native",
            rows=ROWS,
            span=SPAN,
            digest=digest(timeframe),
            missing=0,
            segments=1,
            quote_volume_per_day=1e6,
            refusal="",
        )
        for timeframe in spec.timeframes
    ]
    return SurveyReport(
        symbol=spec.symbol,
        synthetic=False,
        files=(),
        series=tuple(series),
        findings=(),
        quote_volume_per_day=1e6,
        cache_hit=False,
    )


def checkpoint(folds: int, spec: TrainingSpec = SPEC) -> Checkpoint:
    return Checkpoint(inputs=digest("inputs"), folds=tuple(fold(index, spec) for index in range(folds)))


def fold(index: int, spec: TrainingSpec = SPEC) -> FoldReport:
    """A fold of a walk-forward over `ROWS` rows, spread evenly over `SPAN`."""
    edges = [part * ROWS // (spec.n_splits + 1) for part in range(spec.n_splits + 2)]
    start, stop = (SPAN.start + edges[index + side] / ROWS * (SPAN.end - SPAN.start) for side in (1, 2))
    known = start - timedelta(minutes=spec.embargo_minutes)
    paths, tested = len(spec.Cs), edges[index + 2] - edges[index + 1]
    return FoldReport(
        index=index,
        train_rows=edges[index + 1],
        test_rows=tested,
        train_span=Span(start=SPAN.start, end=known),
        test_span=Span(start=start, end=stop),
        last_train_label_end=known,
        C=spec.Cs[0],
        C_chosen_from=tuple(range(index)),
        log_losses=(0.69,) * paths,
        means=(0.0,),
        scales=(1.0,),
        coefficients=((0.1,),) * paths,
        intercepts=(0.0,) * paths,
        iterations=3,
        scores=SCORES.model_copy(update={"n": tested}),
    )


def training_report(spec: TrainingSpec, resumed_folds: int = 0) -> tuple[TrainingReport, bytes]:
    folds = checkpoint(spec.n_splits, spec).folds
    scores = SCORES.model_copy(update={"n": sum(one.test_rows for one in folds)})
    manifest = Manifest(
        cell=spec.cell,
        label=spec.label,
        synthetic=spec.synthetic,
        features=("return_1",),
        feature_version="1",
        means=(0.0,),
        scales=(1.0,),
        coefficients=(1 / 3,),
        intercept=zlib.crc32(spec.cell.name.encode()) / 1e12,
        C=spec.Cs[0],
        fold_models=tuple(
            FoldModel(
                trained_until=one.last_train_label_end,
                means=one.means,
                scales=one.scales,
                coefficients=one.coefficients[0],
                intercept=one.intercepts[0],
            )
            for one in folds
        ),
        embargo_minutes=spec.embargo_minutes,
        trained_rows=ROWS,
        trained_span=SPAN,
        scores=scores,
        p_value=0.001,
        certificate=CERTIFICATE,
        lineage={},
        pickle_sha256="",
    )
    content = pickle_bytes(manifest)
    manifest = manifest.model_copy(update={"pickle_sha256": hashlib.sha256(content).hexdigest()})
    report = TrainingReport(
        cell=spec.cell,
        rows=ROWS,
        span=SPAN,
        scores=scores,
        folds=folds,
        p_value=0.001,
        certificate=CERTIFICATE,
        champion=None,
        manifest=manifest,
        stage_seconds={},
        resumed_folds=resumed_folds,
    )
    return report, content


def begin(channel: socket.socket) -> tuple[ChildEnd, Task] | None:
    """Do a survey at once; a training job is for the caller."""
    end = ChildEnd(channel)
    task = end.task()
    if not isinstance(task.spec, SurveySpec):
        return end, task
    end.result(survey_report(task.spec), b"")
    return None


def succeed(channel: socket.socket) -> None:
    if work := begin(channel):
        end, task = work
        end.step("crossval", 5, 5)
        end.result(*training_report(task.spec))


def fold_on(channel: socket.socket) -> None:
    """Save fold after fold until it is asked to stop, or all are done."""
    if (work := begin(channel)) and (resumed := folds_saved(*work)) is not None:
        end, task = work
        end.result(*training_report(task.spec, resumed_folds=resumed))


def fold_long(channel: socket.socket) -> None:
    """Save fold after fold, and then work on until it is asked to stop."""
    if (work := begin(channel)) and folds_saved(*work) is not None:
        step_on(work[0])


def folds_saved(end: ChildEnd, task: Task) -> int | None:
    """Save each fold that is not yet; return how many were, or None if it was asked to stop."""
    resumed = len(task.checkpoint.folds) if task.checkpoint else 0
    for done in range(resumed + 1, task.spec.n_splits + 1):
        time.sleep(FOLD_SECONDS)
        end.step("crossval", done, task.spec.n_splits)
        end.checkpoint(checkpoint(done, task.spec))
        if end.stop_asked:
            end.stopped()
            return None
    return resumed


def step_long(channel: socket.socket) -> None:
    """Tell step after step until it is asked to stop, and save nothing: what it sends does not grow."""
    if work := begin(channel):
        step_on(work[0])


def step_on(end: ChildEnd) -> None:
    for done in itertools.count(1):
        time.sleep(FOLD_SECONDS)
        end.step("crossval", done % 300, 300)
        if end.stop_asked:
            end.stopped()
            return


def linger_then_succeed(channel: socket.socket) -> None:
    """Leave the process id in the data folder, and succeed once a file `end` is there."""
    if work := begin(channel):
        end, task = work
        Path(task.data_dir, f"child-{os.getpid()}").touch()
        while not Path(task.data_dir, "end").exists():
            time.sleep(0.05)
        end.result(*training_report(task.spec))


def linger(channel: socket.socket) -> None:
    """Save a fold, leave the process id in the data folder, and hear nothing."""
    if work := begin(channel):
        end, task = work
        end.step("crossval", 1, 5)
        end.checkpoint(checkpoint(1, task.spec))
        Path(task.data_dir, f"child-{os.getpid()}").touch()
        wait_for_ever()


def wait_for_ever() -> None:
    while True:
        time.sleep(1.0)


def hog(channel: socket.socket) -> None:
    if work := begin(channel):
        end, _ = work
        end.step("features", 3, 7)
        held = []
        while True:
            held.append(b"x" * (4 << 20))
            time.sleep(0.002)


def fail(channel: socket.socket) -> None:
    if work := begin(channel):
        end, _ = work
        end.failure(AttemptFailure(cause=Cause.DATA, message="no candles", evidence="looked everywhere"))


def send_nonsense(channel: socket.socket) -> None:
    if work := begin(channel):
        end, _ = work
        wrong = fold(0).model_copy(update={"scores": SCORES.model_copy(update={"brier": float("nan")})})
        end.checkpoint(checkpoint(0).model_copy(update={"folds": (wrong,)}))


def hog_by_leaps(channel: socket.socket) -> None:
    """Take memory faster than anyone can watch."""
    if begin(channel):
        held = []
        while True:
            held.append(bytearray(b"x") * (256 << 20))


def segfault(channel: socket.socket) -> None:
    if begin(channel):
        faulthandler._sigsegv()


def complain_and_exit(channel: socket.socket) -> None:
    if begin(channel):
        os.write(2, b"x" * 100_000 + b"\nsomething odd happened\n")
        os._exit(3)


def say_nothing(channel: socket.socket) -> None:
    begin(channel)


def finish_and_stay(channel: socket.socket) -> None:
    if work := begin(channel):
        end, task = work
        end.result(*training_report(task.spec))
        wait_for_ever()


def work_on(channel: socket.socket) -> None:
    """Do job after job, each with its number and the process's in its first step."""
    if work := begin(channel):
        end, task = work
        for number in itertools.count(1):
            end.step(f"job {number} in {os.getpid()}", 1, 5)
            end.looked_up("features", number > 1)
            end.result(*training_report(task.spec))
            task = end.next_task()
            if task is None:
                return


def hog_in_the_second_job(channel: socket.socket) -> None:
    if work := begin(channel):
        end, task = work
        end.result(*training_report(task.spec))
        if end.next_task() is not None:
            held = []
            while True:
                held.append(b"x" * (4 << 20))
                time.sleep(0.002)


def rest_for_ever(channel: socket.socket) -> None:
    if work := begin(channel):
        end, task = work
        end.result(*training_report(task.spec))
        end.next_task()
        wait_for_ever()


def freeze_in_the_middle(channel: socket.socket) -> None:
    """Stop in the middle of a frame."""
    if begin(channel):
        channel.sendall(b"c" + (1 << 20).to_bytes(4, "big") + b"x" * 1000)
        os.kill(os.getpid(), signal.SIGSTOP)


def ignore_signals(channel: socket.socket) -> None:
    """Get what a terminal's Ctrl-C and a service manager send to all processes, and tell that it went on."""
    if work := begin(channel):
        end, task = work
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(os.getpid(), number)
        end.result(*training_report(task.spec))


def describe(channel: socket.socket) -> None:
    """Tell what this process is like, as a message."""
    if work := begin(channel):
        end, _ = work
        server = f"/proc/{os.getppid()}"
        threads = len(list(Path(server, "task").iterdir()))
        score = Path("/proc/self/oom_score_adj").read_text().strip()
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        blas = [os.environ.get(name) for name in names]
        links = [Path(f"/proc/self/fd/{number}") for number in range(64)]
        files = [str(link.readlink()).partition(":")[0] for link in links if link.is_symlink()]
        said = f"threads={threads} score={score} blas={blas} files={files}"
        end.failure(AttemptFailure(cause=Cause.ERROR, message=said, evidence=digest(said)))


def greet(channel: socket.socket) -> None:
    channel.sendall(b"hello")


def wait_for_word(channel: socket.socket) -> None:
    """End with the channel."""
    channel.recv(1)


def wait_stubbornly(channel: socket.socket) -> None:
    """Hear nothing, not even the end of the channel."""
    wait_for_ever()


RARE = ("colorsys", "wave")
"""Modules of the standard library that nothing here imports."""


def tell_rare_modules(channel: socket.socket) -> None:
    channel.sendall(" ".join(name for name in RARE if name in sys.modules).encode())


def import_a_rare_module(channel: socket.socket) -> None:
    del channel
    importlib.import_module(RARE[0])


def tell_malloc(channel: socket.socket) -> None:
    said = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("MALLOC_")]
    channel.sendall(" ".join(said).encode())
