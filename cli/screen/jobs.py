"""Jobs on the screen: a table, all of one, and in sentences why one is where it is."""

from __future__ import annotations

from collections.abc import Iterator

from cli.screen.columns import columns, facts, gib, moment, number, p_value, seconds, shown
from common.protocol.job_views import JobDetail, JobPage, JobView
from common.protocol.jobs import Cause, Cell, JobKind, JobState
from common.timeframes import Timeframe


def name_of(job: JobView) -> str:
    """Return what people call a job: ``BTCUSDT_1h_H3`` or ``survey of BTCUSDT``."""
    if job.timeframe is None or job.horizon is None:
        return f"survey of {job.symbol}"
    return Cell(symbol=job.symbol, timeframe=Timeframe(job.timeframe), horizon=job.horizon).name


def job_table(page: JobPage) -> str:
    """Return a page of jobs as a table."""
    rows = [
        (
            str(job.id),
            name_of(job),
            job.state,
            str(job.attempts),
            _auc(job),
            seconds(job.seconds),
            what_of(job),
        )
        for job in page.jobs
    ]
    table = columns(("id", "job", "state", "tries", "auc", "took", "what"), rows)
    left = page.total - page.offset - len(page.jobs)
    return f"{table}\n{left} more" if left > 0 else table


def job_page(job: JobDetail, cut: bool = True) -> str:
    """Return all that is known of a job; `cut` fits its table of attempts to the terminal."""
    parts = ["\n".join(reasons(job)), facts(_facts(job))]
    if job.history:
        parts.append(_attempts(job, cut))
    parts += [
        f"evidence of attempt {attempt.number}:\n{_indented(attempt.evidence)}"
        for attempt in job.history
        if attempt.evidence
    ]
    return "\n\n".join(part for part in parts if part)


def reasons(job: JobDetail) -> list[str]:
    """Return in sentences why a job waits, has failed, was cancelled, or was not promoted."""
    return [shown(sentence) for sentence in _reasons(job)]


def _reasons(job: JobDetail) -> list[str]:
    name = name_of(job)
    before = [f"{name} was {job.message}"] if job.reused_from is not None else []
    before += [f"{name} had been trained before, and had to be again: {job.again}"] if job.again else []
    if job.state is JobState.QUEUED:
        told = [*before, f"{name} waits: {job.waits}" if job.waits else f"{name} waits"]
        last = job.history[-1] if job.history else None
        if last is not None and last.message:
            told.append(f"attempt {last.number} on {last.trainer} ended: {last.message}")
        return told
    if job.state is JobState.LEASED:
        stage = f": {job.progress.stage} {job.progress.done} of {job.progress.total}" if job.progress else ""
        return [f"{name} is worked on by {job.trainer}{stage}"]
    if is_untrainable(job):
        return [f"{name} is not trainable: {job.message}"]
    if job.state is JobState.FAILED:
        tried = f" after {len(job.history)} attempts" if len(job.history) > 1 else ""
        return [f"{name} has failed ({job.cause}){tried}: {job.message}"]
    if job.state is JobState.CANCELLED:
        return [f"{name} was cancelled: {job.message}"]
    if job.promoted is None:
        return [*before, f"{name} is done; promotions are decided on when the night ends"]
    if job.promoted:
        return [*before, f"{name} was promoted: it met every condition"]
    return [*before, f"{name} is done and was not promoted", *job.reasons]


def _facts(job: JobDetail) -> Iterator[tuple[str, str]]:
    yield "job", f"{name_of(job)} (id {job.id}, night {job.run_id})"
    yield "state", job.state
    if job.reused_from is not None:
        yield "reused from", f"night {job.reused_run} (job {job.reused_from})"
    yield "trained again", job.again
    yield "bars", str(job.rows or "")
    yield "started", moment(job.started)
    yield "finished", moment(job.finished)
    yield "took", seconds(job.seconds)
    yield "peak memory", gib(job.peak_memory_bytes)
    yield "folds saved", str(len(job.checkpoint.folds)) if job.checkpoint else ""
    if job.scores is not None:
        yield "auc", number(job.scores.auc)
        yield "brier", number(job.scores.brier)
        yield "accuracy", number(job.scores.accuracy)
        yield "p-value", p_value(job.p_value)
    if job.report is not None:
        yield "folds", " ".join(number(fold.scores.auc) for fold in job.report.folds)
        checks = job.report.certificate.checks
        yield "certificate", f"{sum(check.passed for check in checks)} of {len(checks)} checks passed"
    if job.survey is not None:
        yield "candles", f"{len(job.survey.files)} files, {len(job.survey.findings)} findings"


def _attempts(job: JobDetail, cut: bool) -> str:
    rows = [
        (
            str(attempt.number),
            attempt.trainer,
            attempt.outcome,
            attempt.cause or "",
            seconds(attempt.seconds),
            f"{gib(attempt.peak_memory_bytes) or '?'} of {gib(attempt.memory_limit_bytes)}",
            attempt.message,
        )
        for attempt in job.history
    ]
    return columns(("try", "trainer", "outcome", "cause", "took", "memory", "message"), rows, cut)


def _auc(job: JobView) -> str:
    return number(job.scores.auc) if job.scores is not None else ""


def what_of(job: JobView) -> str:
    """Return what there is to say of a job at its state, in a few words."""
    if job.state is JobState.QUEUED:
        return job.waits
    if job.state is JobState.LEASED:
        stage = f"{job.progress.stage} {job.progress.done}/{job.progress.total}" if job.progress else ""
        return f"{job.trainer} {stage}".strip()
    if job.state is JobState.SUCCEEDED:
        reused = [f"reused from night {job.reused_run}"] if job.reused_from is not None else []
        return "; ".join([*reused, *(["promoted"] if job.promoted else job.reasons)])
    cause = "not trainable" if is_untrainable(job) else job.cause
    return f"{cause}: {job.message}" if job.state is JobState.FAILED else job.message


def is_untrainable(job: JobView) -> bool:
    """Return whether it is a cell whose candles cannot be trained on; nothing has broken then."""
    return job.kind is JobKind.TRAINING and job.state is JobState.FAILED and job.cause is Cause.DATA


def _indented(text: str) -> str:
    shown = ("".join(one if one.isprintable() else "�" for one in line) for line in text.splitlines())
    return "\n".join(f"  {line}" for line in shown)
