"""Small but whole examples of what trainers send, and a clock that moves only when told to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from common.model_pickle import pickle_bytes, pickle_digest
from common.objects.store import open_objects
from common.out_folder import OutFolder
from common.protocol.job_views import JobDetail, JobView
from common.protocol.jobs import Cause, Cell, SurveySpec, TrainingSpec
from common.protocol.reports import (
    Certificate,
    ChampionComparison,
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
from common.protocol.runs import RunRequest
from common.protocol.steering import Order
from common.protocol.trainers import (
    ClaimRequest,
    DiskState,
    Failure,
    Finish,
    Grant,
    HostPressure,
    LimitKind,
    Progress,
    Release,
    Renewal,
    TrainerHello,
)
from common.settings.given import Given
from common.settings.grid import GridConfig
from common.settings.night import NightSettings
from coordinator.alerts import Alerts
from coordinator.assembly import housekeeping_of
from coordinator.audit import Request
from coordinator.blobs.uploads import Uploads
from coordinator.configuration import Configuration
from coordinator.housekeeping.reload import Reload
from coordinator.policy.admission import Refusal
from coordinator.queue.queue import Queue
from coordinator.report.reports import Reports
from coordinator.runs.runs import Runs
from coordinator.runs.steering import Steering
from coordinator.scrapes import Scrapes
from coordinator.store.blobs import Artifacts
from coordinator.store.database import Database
from coordinator.store.rows import RunRow, find_run
from coordinator.views.forecast import Forecast
from coordinator.views.jobs import JobListing
from coordinator.views.ledger import Ledger
from coordinator.views.runs import RunListing
from coordinator.views.status import Status
from coordinator.views.vitals import Vitals

GIB = 1024**3
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SPAN = Span(start=datetime(2024, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 1, tzinfo=UTC))
HERE = Request("127.0.0.1 nighttrain")
ROWS = 12_000
"""Rows of a training, unless its series is shorter."""
BARS = {"1m": 500_000, "5m": 100_000, "15m": 35_000, "1h": 17_520, "4h": 4_380, "1d": 730}


class Clock:
    """Stands still until it is advanced."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Night:
    """A coordinator without its web application, over one database and one folder."""

    def __init__(self, database: Database, settings: NightSettings, out: Path) -> None:
        self.database = database
        self.settings = settings
        self.out = out
        self.queue = Queue(database, settings, Random(1))
        self.runs = Runs(database)
        self.run_listing = RunListing(database)
        self.ledger = Ledger(database)
        self.forecast = Forecast(self.ledger, settings)
        objects = open_objects(settings.artifacts) if settings.artifacts else None
        self.artifacts = Artifacts(OutFolder(out).blobs)
        self.uploads = (
            None if objects is None else Uploads(objects, OutFolder(out), self.artifacts, database.clock)
        )
        self.scrapes = Scrapes(database.clock)
        self.alerts = Alerts(database, self.scrapes)
        folder = OutFolder(out)
        reload = Reload(database, Configuration(Given(settings)))
        self.reports = Reports(database, settings, folder)
        self.housekeeping = housekeeping_of(
            database,
            self.queue,
            settings,
            folder,
            self.artifacts,
            self.forecast,
            self.alerts,
            Vitals(out),
            reload,
            self.reports,
            uploads=self.uploads,
        )

    def status(self, *troubles: str) -> Status:
        parts = (self.ledger, self.settings, self.out, "1.2.3", self.forecast)
        return Status(*parts, lambda: troubles, self.scrapes)

    def jobs(self, **filters: object) -> tuple[JobView, ...]:
        return JobListing(self.database, self.settings).page(filters, 500, 0).jobs

    def detail(self, job_id: int) -> JobDetail:
        return JobListing(self.database, self.settings).detail(job_id)

    def waits(self, job_id: int) -> str:
        return self.detail(job_id).waits

    @property
    def clock(self) -> Clock:
        assert isinstance(self.database.clock, Clock)
        return self.database.clock

    def begin(self, retrain: bool = False, **changes: Any) -> int:
        run, made = self.runs.submit(RunRequest(config=grid(**changes), retrain=retrain))
        assert made
        return run.id

    def cancel(self, run: int) -> RunRow:
        Steering(self.database).cancel(run, Order(), HERE)
        with self.database.read() as tx:
            return find_run(tx, run)

    def register(self, name: str = "t1", boot: str = "", **changes: Any) -> str:
        told = hello(name, boot or f"{name}-boot", **changes)
        self.queue.register(told)
        return told.boot_id

    def claim(
        self, boot: str, last_symbol: str = "", free: float = 0.9, disk: DiskState | None = None
    ) -> Grant | Refusal:
        return self.queue.claim(claim(boot, last_symbol, free, disk=disk))

    def grant(
        self, boot: str, last_symbol: str = "", free: float = 0.9, disk: DiskState | None = None
    ) -> Grant:
        answer = self.claim(boot, last_symbol, free, disk)
        assert isinstance(answer, Grant), answer
        return answer

    def survey_all(
        self,
        boot: str,
        refused: dict[str, str] | None = None,
        synthetic: bool = False,
        program: str = "",
        edition: str = "",
        edited: Collection[str] = tuple(BARS),
    ) -> None:
        for _ in range(self.run_listing.page(1, 0).runs[0].surveys.queued):
            answer = self.grant(boot)
            assert isinstance(answer.spec, SurveySpec)
            volume = 1e6 * (1 + len(answer.spec.symbol))
            report = survey_report(answer.spec, volume, refused, synthetic)
            series = tuple(
                one.model_copy(update={"digest": digest(f"{report.symbol} {one.timeframe}{edition}")})
                if one.timeframe in edited
                else one
                for one in report.series
            )
            report = report.model_copy(update={"program": program, "series": series})
            self.queue.finish(answer.lease_id, finish(report))

    def start(self, **changes: Any) -> str:
        """Begin a run, have its surveys done, and return the boot id of the trainer that did them."""
        self.begin(**changes)
        boot = self.register()
        self.survey_all(boot)
        return boot

    def succeed(self, grant: Grant, **changes: Any) -> TrainingReport:
        assert isinstance(grant.spec, TrainingSpec)
        report, content = training_report(grant.spec, **changes)
        sha256 = report.manifest.pickle_sha256
        self.artifacts.store(content, sha256)
        self.queue.attach_artifact(grant.lease_id, sha256, len(content))
        self.queue.finish(grant.lease_id, finish(report, sha256))
        return report

    def finish_all(self, boot: str, **changes: Any) -> None:
        while isinstance(answer := self.claim(boot), Grant):
            self.succeed(answer, **changes)


def spec_of(grant: Grant) -> TrainingSpec:
    assert isinstance(grant.spec, TrainingSpec)
    return grant.spec


def settings(**changes: Any) -> NightSettings:
    return NightSettings(**changes)


def grid(**changes: Any) -> GridConfig:
    small = {"symbols": ("BTCUSDT", "ETHUSDT"), "timeframes": ("15m", "1h"), "horizons": (1, 3)}
    return GridConfig.model_validate(NightSettings(**{**small, **changes}).grid_config())


def hello(
    name: str = "t1",
    boot: str = "t1-boot",
    host: str = "host-a",
    limit: int = 2 * GIB,
    kind: LimitKind = LimitKind.AGENT,
) -> TrainerHello:
    return TrainerHello(
        name=name, boot_id=boot, host=host, limit_kind=kind, memory_limit_bytes=limit, version="0.1.0"
    )


def claim(
    boot: str,
    last_symbol: str = "",
    free: float = 0.9,
    total: int = 16 * GIB,
    disk: DiskState | None = None,
) -> ClaimRequest:
    pressure = HostPressure(memory_total_bytes=total, memory_available_bytes=int(total * free), cpu_ratio=0.5)
    return ClaimRequest(boot_id=boot, pressure=pressure, disk=disk, last_symbol=last_symbol)


def disk(free: int | None = 100 * GIB, problem: str = "") -> DiskState:
    return DiskState(folder="/cache", free_bytes=free, problem=problem)


FULL_DISK = disk(0, "No space left on device")


def progress(stage: str = "crossval", done: int = 1, total: int = 5, memory: int = GIB // 2) -> Progress:
    return Progress(stage=stage, done=done, total=total, memory_bytes=memory, peak_memory_bytes=memory)


def renewal(**changes: Any) -> Renewal:
    return Renewal(progress=progress(**changes))


def failure(cause: Cause = Cause.ERROR, message: str = "it broke", room: int = 2 * GIB) -> Failure:
    return Failure.model_validate(
        {
            "cause": cause,
            "message": message,
            "evidence": "the last lines of its log",
            "seconds": 3.0,
            "peak_memory_bytes": GIB,
            "memory_limit_bytes": room,
        }
    )


def release(cause: Cause = Cause.STOPPED) -> Release:
    return Release.model_validate({"cause": cause, "seconds": 1.0, "peak_memory_bytes": GIB})


def finish(result: SurveyReport | TrainingReport, sha256: str = "", seconds: float = 10.0) -> Finish:
    return Finish(result=result, artifact_sha256=sha256, seconds=seconds, peak_memory_bytes=GIB // 2)


def survey_report(
    spec: SurveySpec,
    volume: float = 1e6,
    refused: dict[str, str] | None = None,
    synthetic: bool = False,
    symbol: str = "",
) -> SurveyReport:
    series = tuple(
        SeriesReport(
            timeframe=timeframe,
            source="native",
            rows=BARS[timeframe],
            span=SPAN,
            digest=digest(f"{spec.symbol} {timeframe}"),
            missing=0,
            segments=1,
            quote_volume_per_day=volume,
            refusal=(refused or {}).get(timeframe, ""),
        )
        for timeframe in spec.timeframes
    )
    return SurveyReport(
        symbol=symbol or spec.symbol,
        synthetic=synthetic,
        files=(f"{spec.symbol}.parquet",),
        series=series,
        findings=(),
        quote_volume_per_day=volume,
        cache_hit=False,
    )


def scores(
    auc: float | None = 0.56, log_loss: float = 0.68, brier: float = 0.245, accuracy: float = 0.54
) -> Scores:
    return Scores(auc=auc, brier=brier, accuracy=accuracy, log_loss=log_loss, base_rate=0.5, n=10_000)


def fold(index: int, n_splits: int = 5, rows: int = ROWS, paths: int = 5) -> FoldReport:
    """A fold of a walk-forward over so many rows, spread evenly over `SPAN`."""
    edges = [part * rows // (n_splits + 1) for part in range(n_splits + 2)]
    start, stop = (moment_at(edges[index + side] / rows) for side in (1, 2))
    tested = edges[index + 2] - edges[index + 1]
    return FoldReport(
        index=index,
        train_rows=edges[index + 1] - 2,
        test_rows=tested,
        train_span=Span(start=SPAN.start, end=start - timedelta(days=3)),
        test_span=Span(start=start, end=stop),
        last_train_label_end=start - timedelta(days=2),
        C=0.01,
        C_chosen_from=tuple(range(index)),
        log_losses=(0.69,) * (paths - 1) + (0.1 + 0.2,),
        means=(0.0, 1.5),
        scales=(1.0, 2.0),
        coefficients=((0.1, -0.2),) * (paths - 1) + ((1 / 3, 2 / 3),),
        intercepts=(0.0,) * (paths - 1) + (0.01,),
        iterations=7,
        scores=scores().model_copy(update={"n": tested}),
    )


def moment_at(share: float) -> datetime:
    return SPAN.start + share * (SPAN.end - timedelta(days=8) - SPAN.start)


def checkpoint(folds: int = 2) -> Checkpoint:
    return Checkpoint(inputs=digest("inputs"), folds=tuple(fold(index) for index in range(folds)))


def manifest(cell: Cell, synthetic: bool = False, certified: bool = True, **changes: Any) -> Manifest:
    content: dict[str, Any] = {
        "cell": cell,
        "synthetic": synthetic,
        "features": ("return_1", "rsi_14"),
        "feature_version": "features/1",
        "means": (0.0, 1.5),
        "scales": (1.0, 2.0),
        "coefficients": (1 / 3, 2 / 3),
        "intercept": 0.01,
        "C": 0.01,
        "fold_models": (
            FoldModel(
                trained_until=SPAN.end,
                means=(0.0, 1.5),
                scales=(1.0, 2.0),
                coefficients=(0.1, 0.2),
                intercept=0.0,
            ),
        ),
        "embargo_minutes": 30,
        "trained_rows": ROWS,
        "trained_span": SPAN,
        "scores": scores(),
        "p_value": 0.001,
        "certificate": Certificate(
            checks=(Check(name="recompute", passed=certified, checked=20, detail="exact"),)
        ),
        "lineage": {"data": digest(cell.name)},
        "pickle_sha256": "",
    }
    model = Manifest.model_validate({**content, **changes})
    return model if "pickle_sha256" in changes else with_digest(model)


def with_digest(model: Manifest) -> Manifest:
    return model.model_copy(update={"pickle_sha256": pickle_digest(model)})


def model_of_fold(one: FoldReport) -> FoldModel:
    """The model that a fold has tested: that of the last C."""
    return FoldModel(
        trained_until=one.last_train_label_end,
        means=one.means,
        scales=one.scales,
        coefficients=one.coefficients[-1],
        intercept=one.intercepts[-1],
    )


def intercept_of(cell: Cell, seed: str) -> float:
    """Other cells and seeds are other models."""
    return int(digest(cell.name + seed)[:6], 16) / 1e9


def pickle_of(cell: Cell, seed: str) -> bytes:
    return pickle_bytes(manifest(cell, intercept=intercept_of(cell, seed)))


def training_report(
    spec: TrainingSpec,
    seed: str = "",
    auc: float | None = 0.56,
    log_loss: float = 0.68,
    p_value: float = 0.001,
    certified: bool = True,
    champion: ChampionComparison | None = None,
    feature_version: str = "features/1",
    resumed_folds: int = 0,
    lineage: dict[str, str] | None = None,
    program: str = "",
) -> tuple[TrainingReport, bytes]:
    rows = ROWS if BARS[spec.cell.timeframe] >= ROWS else 660
    tested = rows - rows // (spec.n_splits + 1)
    reached = scores(auc, log_loss).model_copy(update={"n": tested})
    folds = tuple(fold(index, spec.n_splits, rows, len(spec.Cs)) for index in range(spec.n_splits))
    span = Span(start=SPAN.start, end=moment_at(1.0))
    model = manifest(
        spec.cell,
        label=spec.label,
        synthetic=spec.synthetic,
        certified=certified,
        scores=reached,
        p_value=p_value,
        feature_version=feature_version,
        lineage=lineage or {"data": digest(spec.cell.name)},
        intercept=intercept_of(spec.cell, seed),
        C=spec.Cs[-1],
        fold_models=tuple(map(model_of_fold, folds)),
        embargo_minutes=spec.embargo_minutes,
        trained_rows=rows,
        trained_span=Span(start=SPAN.start, end=SPAN.end),
    )
    content = pickle_bytes(model)
    report = TrainingReport(
        cell=spec.cell,
        rows=rows,
        span=span,
        scores=reached,
        folds=tuple(one.model_copy(update={"C": spec.Cs[-1]}) for one in folds),
        p_value=p_value,
        certificate=model.certificate,
        champion=champion,
        manifest=model,
        stage_seconds={"crossval": 1.0},
        resumed_folds=resumed_folds,
        program=program,
    )
    return report, content


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


MakeNight = Callable[..., Night]
