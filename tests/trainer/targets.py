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
from datetime import UTC, datetime
from pathlib import Path

from common.model_pickle import pickle_bytes
from common.protocol.jobs import Cause, SurveySpec, TrainingSpec
from common.protocol.reports import (
    Certificate,
    Check,
    Checkpoint,
    FoldReport,
    Manifest,
    Scores,
    SeriesReport,
    Span,
    SurveyReport,
    TrainingReport,
)
from trainer.process.channel import AttemptFailure, ChildEnd, Task

FOLDS = 15
FOLD_SECONDS = 0.1

SPAN = Span(start=datetime(2024, 1, 1, tzinfo=UTC), end=datetime(2024, 1, 2, tzinfo=UTC))
SCORES = Scores(auc=0.53, brier=0.249, accuracy=0.51, log_loss=0.69, base_rate=0.5, n=100)
CERTIFICATE = Certificate(checks=(Check(name="recompute", passed=True, checked=1, detail="exact"),))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def survey_report(spec: SurveySpec) -> SurveyReport:
    series = [
        SeriesReport(
            timeframe=timeframe,
            source="native",
            rows=100,
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


def checkpoint(folds: int) -> Checkpoint:
    return Checkpoint(inputs=digest("inputs"), folds=tuple(fold(index) for index in range(folds)))


def fold(index: int) -> FoldReport:
    return FoldReport(
        index=index,
        train_rows=100,
        test_rows=50,
        train_span=SPAN,
        test_span=SPAN,
        last_train_label_end=SPAN.end,
        C=0.1,
        C_chosen_from=(),
        log_losses=(0.69,),
        means=(0.0,),
        scales=(1.0,),
        coefficients=((0.1,),),
        intercepts=(0.0,),
        iterations=3,
        scores=SCORES,
    )


def training_report(spec: TrainingSpec, resumed_folds: int = 0) -> tuple[TrainingReport, bytes]:
    manifest = Manifest(
        cell=spec.cell,
        synthetic=spec.synthetic,
        features=("return_1",),
        feature_version="1",
        means=(0.0,),
        scales=(1.0,),
        coefficients=(1 / 3,),
        intercept=zlib.crc32(spec.cell.name.encode()) / 1e12,
        C=0.1,
        fold_models=(),
        embargo_minutes=30,
        trained_rows=100,
        trained_span=SPAN,
        scores=SCORES,
        p_value=0.001,
        certificate=CERTIFICATE,
        lineage={},
        pickle_sha256="",
    )
    content = pickle_bytes(manifest)
    manifest = manifest.model_copy(update={"pickle_sha256": hashlib.sha256(content).hexdigest()})
    report = TrainingReport(
        cell=spec.cell,
        rows=9_000,
        span=SPAN,
        scores=SCORES,
        folds=(fold(0),),
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


def fold_on(channel: socket.socket, folds: int = FOLDS) -> None:
    """Save fold after fold until it is asked to stop, or all are done."""
    if work := begin(channel):
        end, task = work
        resumed = len(task.checkpoint.folds) if task.checkpoint else 0
        for done in range(resumed + 1, folds + 1):
            time.sleep(FOLD_SECONDS)
            end.step("crossval", done, folds)
            end.checkpoint(checkpoint(done))
            if end.stop_asked:
                end.stopped()
                return
        end.result(*training_report(task.spec, resumed_folds=resumed))


def fold_long(channel: socket.socket) -> None:
    fold_on(channel, 300)


def step_long(channel: socket.socket) -> None:
    """Tell step after step until it is asked to stop, and save nothing: what it sends does not grow."""
    if work := begin(channel):
        end, _ = work
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
        end.checkpoint(checkpoint(1))
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
