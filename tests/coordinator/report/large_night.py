"""A night with all that a report can show: curves, edges, failures, refused candles, findings and gaps."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from common.protocol.curves import Curves, NullDistribution, ReliabilityBin
from common.protocol.jobs import Cause, SurveySpec, TrainingSpec
from common.protocol.reports import Edge, Finding, SurveyReport
from common.protocol.trainers import Finish, Grant
from common.settings.sections import Lease
from coordinator.report.contents import Contents
from tests.coordinator.specimens import Night, failure, survey_report, training_report

TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")
PATIENT = Lease(seconds=100_000)
"""Leases so long that nobody has to renew them."""
SECONDS = {"1m": 300, "5m": 90, "15m": 40, "1h": 15, "4h": 8, "1d": 5}
MEBIBYTES = {"1m": 1400, "5m": 700, "15m": 420, "1h": 330, "4h": 300, "1d": 280}


class Course:
    """The course of a night with patient leases, random but the same for the same seed.

    Parameters
    ----------
    night : Night
        Its run was begun.
    trainers : int
        How many work at it.
    seed : int
        Of what happens.
    evil : str
        Stands in messages, findings and names of trainers as if from outside.
    skill : float
        How much AUC the cells have above one half, on the mean.
    """

    def __init__(
        self, night: Night, trainers: int = 4, seed: int = 7, evil: str = "", skill: float = 0.01
    ) -> None:
        self.night, self.evil, self.skill, self.seed = night, evil, skill, seed
        self.draw = Random(seed)
        self.boots = [night.register(f"desk-{one}{evil}", f"desk-{seed}-{one}") for one in range(trainers)]

    def run(self) -> None:
        """Work until each job is final, and let the night end."""
        going: dict[str, tuple[float, Grant]] = {}
        now = 0.0
        while self.night.run_listing.page(1, 0).runs[0].training.queued or going:
            for boot in self.boots:
                if boot not in going and isinstance(answer := self.night.claim(boot), Grant):
                    going[boot] = (now + self._seconds(answer), answer)
            if going:
                boot = min(going, key=lambda one: going[one][0])
                until, grant = going.pop(boot)
                self.night.clock.advance(until - now)
                now = until
                self._end(grant)
            else:
                self.night.clock.advance(60)
                now += 60
        self.night.housekeeping.tick()

    def _seconds(self, grant: Grant) -> float:
        timeframe = grant.spec.cell.timeframe if isinstance(grant.spec, TrainingSpec) else "1h"
        return SECONDS[timeframe] * self.draw.uniform(0.7, 1.6)

    def _end(self, grant: Grant) -> None:
        if isinstance(grant.spec, SurveySpec):
            if grant.spec.symbol.endswith("1USDT"):
                words = f"{grant.spec.symbol}: no file of {grant.spec.symbol} is there {self.evil}".strip()
                self.night.queue.fail(grant.lease_id, failure(Cause.DATA, words))
            else:
                report = self._damaged(survey_report(grant.spec))
                self.night.queue.finish(
                    grant.lease_id,
                    Finish(result=report, artifact_sha256="", seconds=9, peak_memory_bytes=2**28),
                )
        elif self.draw.random() < 0.02:
            cause = self.draw.choice([Cause.OOM, Cause.ERROR, Cause.CRASH])
            self.night.queue.fail(
                grant.lease_id, failure(cause, f"ValueError: NaN in column rsi_14 {self.evil}".strip())
            )
        else:
            self._succeed(grant, grant.spec)

    def _succeed(self, grant: Grant, spec: TrainingSpec) -> None:
        auc = 0.5 + self.skill + self.draw.gauss(0, 0.015)
        error = self.draw.uniform(0.003, 0.012)
        p_value = min(max(0.5 - (auc - 0.5) / error / 6, 1e-6), 1.0)
        report, content = training_report(spec, seed=f"{self.seed}", auc=auc, p_value=p_value)
        report = report.model_copy(
            update={
                "curves": self._curves(auc, error),
                "edge": self._edge(),
                "stage_seconds": {"features": 2.0, "folds": 7.5, "certificate": 3.1, "final": 0.4},
            }
        )
        kept = report.manifest.model_copy(update={"edge": report.edge})
        report = report.model_copy(update={"manifest": kept})
        sha256 = report.manifest.pickle_sha256
        self.night.artifacts.store(content, sha256)
        self.night.queue.attach_artifact(grant.lease_id, sha256, len(content))
        peak = int(MEBIBYTES[spec.cell.timeframe] * self.draw.uniform(0.8, 1.2)) * 2**20
        seconds = SECONDS[spec.cell.timeframe] * self.draw.uniform(0.7, 1.6)
        done = Finish(result=report, artifact_sha256=sha256, seconds=seconds, peak_memory_bytes=peak)
        self.night.queue.finish(grant.lease_id, done)

    def _curves(self, auc: float, error: float) -> Curves:
        bins = tuple(
            ReliabilityBin(predicted=predicted, observed=predicted + self.draw.gauss(0, 0.006), rows=1_000)
            for predicted in (0.44 + 0.012 * place for place in range(10))
        )
        null = NullDistribution(observed=auc, center=0.5, standard_error=error, freedom=60)
        return Curves(roc=(), reliability=bins, null=null)

    def _edge(self) -> Edge:
        return Edge(
            rows=12_000,
            tenth_rows=1_000,
            high_bp=2.0,
            low_bp=-1.0,
            edge_bp=self.draw.gauss(1.5, 2.0),
            standard_error_bp=0.8,
            costs_bp=10.0,
            beyond_costs_share=0.3,
        )

    def _damaged(self, report: SurveyReport) -> SurveyReport:
        if self.draw.random() < 0.5:
            return report
        shares = tuple(0.0 if 40 <= part < 43 else 0.93 if part == 70 else 1.0 for part in range(96))
        series = tuple(one.model_copy(update={"coverage": shares, "missing": 730}) for one in report.series)
        found = tuple(
            Finding(
                defect=defect,
                timeframe=timeframe,
                count=3,
                action=action,
                first=first,
                detail=f"3 places, first {first} {self.evil}".strip(),
            )
            for defect, timeframe, action, first in (
                ("gap", "15m", "reported", "2024-11-05 10:15 UTC"),
                ("impossible_price", "1h", "dropped", "2025-06-01 00:00 UTC"),
                ("bad_line", "", "dropped", f"{report.symbol}/part-1.csv{self.evil}"),
            )
        )
        return report.model_copy(update={"series": series, "findings": found})


def enlarged(found: Contents, times: int) -> Contents:
    """Returns a night so many times as large: each symbol again under other names, with all that was done."""
    names = [f"{place:02d}" for place in range(times)]

    def of(symbol: str, name: str) -> str:
        return f"N{name}{symbol}"

    config = found.config.model_copy(
        update={"symbols": tuple(of(symbol, name) for name in names for symbol in found.config.symbols)}
    )
    jobs = [
        replace(one, job=replace(one.job, symbol=of(one.job.symbol, name)))
        for name in names
        for one in found.jobs
    ]
    symbols = [
        replace(one, job=replace(one.job, symbol=of(one.job.symbol, name)))
        for name in names
        for one in found.candles.symbols
    ]
    trainers = [
        replace(one, trainer=f"{one.trainer}-{name}") for name in names for one in found.timeline.trainers
    ]
    groups = [
        replace(
            one, jobs=tuple(replace(job, name=f"N{name}{job.name}") for name in names for job in one.jobs)
        )
        for one in found.failures
    ]
    return replace(
        found,
        config=config,
        jobs=tuple(jobs),
        candles=replace(found.candles, symbols=tuple(symbols)),
        timeline=replace(found.timeline, trainers=tuple(trainers)),
        failures=tuple(groups),
    )
