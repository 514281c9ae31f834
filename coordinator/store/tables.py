"""The tables. A rule that the database can hold is a constraint here; the migrations make the same schema.

Times are stored in UTC and come back aware. Documents (configurations, specifications, reports) are JSON
text, exactly as it was validated, so that no database changes a digit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

from common.protocol.champions import ChampionAction
from common.protocol.job_views import Outcome
from common.protocol.jobs import Cause, JobKind, JobState
from common.protocol.runs import RunState
from common.protocol.trainers import LimitKind
from coordinator.store.errors import DamagedValueError


class Instant(TypeDecorator[datetime]):
    """An aware time; SQLite keeps it as UTC without a zone, in a form that sorts as text."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """Return what turns an aware time into what the database stores.

        For SQLite it is one step, as is the way back: what is asked for a job has a hundred times.
        """
        return _text_of if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware time into what the database stores."""
        del dialect
        return None if value is None else _utc(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """Return what reads a value, and tells a time that was never written as one."""
        return _time_of if dialect.name == "sqlite" else super().result_processor(dialect, coltype)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn what the database stores into an aware time in UTC."""
        del dialect
        return None if value is None else value.astimezone(UTC)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def _text_of(value: datetime | None) -> str | None:
    # Without the zone, which is the last six characters.
    return None if value is None else _utc(value).isoformat(" ", "microseconds")[:-6]


def _time_of(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)
    except (ValueError, TypeError) as error:
        raise DamagedValueError(f"{text!r} is no time") from error


def _among(column: str, values: Iterable[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


JOB_CAUSES = [cause for cause in Cause if cause is not Cause.STORAGE]


_partly: list[Index] = []


def describe_for_postgresql() -> None:
    """Say to SQLAlchemy's PostgreSQL, which only whoever uses it imports, what indexes of a part hold."""
    for index in _partly:
        index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]


def _partial(name: str, *columns: str, where: str, unique: bool = True) -> Index:
    condition: Any = text(where)
    index = Index(name, *columns, unique=unique, sqlite_where=condition)
    _partly.append(index)
    return index


def _queued(name: str, *columns: str, where: str) -> Index:
    return _partial(name, *columns, where=f"state = 'queued' AND {where}", unique=False)


IN_ORDER = ("run_id", "kind", "volume", "timeframe", "rows", "ordinal")
"""The columns by which a claim reads the queue: see `coordinator.queue.line`."""

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("config", Text, nullable=False),
    Column("synthetic", Boolean, nullable=False),
    Column("created", Instant, nullable=False),
    # The moment of the decision on promotion; files are written after it, and only then is the run finished.
    Column("decided", Instant),
    Column("finished", Instant),
    Column("results_path", Text, nullable=False),
    # An operator hands out no more jobs of it; with `pause_gives_back` running jobs are given back too.
    Column("paused", Instant),
    Column("paused_by", Text, nullable=False, server_default=""),
    Column("paused_reason", Text, nullable=False, server_default=""),
    Column("pause_gives_back", Boolean, nullable=False, server_default=false()),
    # An operator wants it to end with what is done; running jobs save their folds, the others are cancelled.
    Column("ended_early", Instant),
    Column("ended_early_by", Text, nullable=False, server_default=""),
    Column("ended_early_reason", Text, nullable=False, server_default=""),
    # The file of its report; empty until it was written.
    Column("report_path", Text, nullable=False, server_default=""),
    # No result of an earlier run is reused.
    Column("retrain", Boolean, nullable=False, server_default=false()),
    CheckConstraint(_among("state", RunState), name="run_state"),
    CheckConstraint("(state = 'running') = (finished IS NULL)", name="run_finished"),
    _partial("one_running_run", "state", where="state = 'running'"),
)

digests = Table(
    "digests",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("ended", Instant, nullable=False),
    # Nobody tries to hand it over after this.
    Column("until", Instant, nullable=False),
    # When it was handed over, or given up with the last problem in words; null until then.
    Column("closed", Instant),
    Column("problem", Text, nullable=False),
)
"""The nights that have ended, whose report and digest are due until they are written and handed over."""

symbols = Table(
    "symbols",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("symbol", String(30), primary_key=True),
    Column("quote_volume", Float, nullable=False),
    Column("failing", Text, nullable=False),
    Column("parked_until", Instant),
    _partial("parked_symbols", "run_id", where="parked_until IS NOT NULL", unique=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("runs.id"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("symbol", String(30), nullable=False),
    Column("timeframe", String(8)),
    Column("horizon", Integer),
    Column("state", String(16), nullable=False),
    Column("cause", String(16)),
    Column("message", Text, nullable=False),
    Column("rows", Integer),
    # Since when it could be handed out; null before the survey of its symbol.
    Column("waiting_since", Instant),
    Column("not_before", Instant),
    Column("oom_room_bytes", BigInteger),
    Column("created", Instant, nullable=False),
    Column("started", Instant),
    Column("finished", Instant),
    Column("changed", Instant, nullable=False),
    Column("auc", Float),
    Column("p_value", Float),
    Column("promoted", Boolean),
    Column("spec", Text),
    Column("scores", Text),
    # What a model missed, as a JSON list; `reasons` says it in words.
    Column("refused_by", Text, nullable=False, server_default="[]"),
    Column("reasons", Text, nullable=False),
    # Attempts up to this number no longer count against any budget: an operator had the job tried again.
    Column("forgiven", Integer, nullable=False, server_default="0"),
    # Since when an operator wants it to be handed out before all others.
    Column("wanted_next", Instant),
    # The quote volume of its symbol, so that an index holds the order in which jobs are handed out.
    Column("volume", Float, nullable=False, server_default="0"),
    # A trigger raises it with each change of the row; `coordinator.views.ledger` says how it is read.
    Column("revision", BigInteger, nullable=False, server_default="0"),
    # SHA-256 of the program that trained it; empty before that, and of what an earlier version trained.
    Column("program", String(64), nullable=False, server_default=""),
    # The job of an earlier run that trained it, and that run; null: its own run has, or none yet.
    Column("reused_from", Integer),
    Column("reused_run", Integer),
    # Why the result of an earlier run was not taken over, in words; empty if it was, or there was none.
    Column("again", Text, nullable=False, server_default=""),
    CheckConstraint(_among("kind", JobKind), name="job_kind"),
    CheckConstraint(_among("state", JobState), name="job_state"),
    # A job waits for room on a disk as long as it takes, and never ends by the lack of it.
    CheckConstraint(f"cause IS NULL OR {_among('cause', JOB_CAUSES)}", name="job_cause"),
    CheckConstraint("(kind = 'training') = (timeframe IS NOT NULL AND horizon IS NOT NULL)", name="job_cell"),
    CheckConstraint("(state IN ('queued', 'leased')) = (finished IS NULL)", name="job_finished"),
    CheckConstraint("state != 'failed' OR cause IS NOT NULL", name="job_failure_has_cause"),
    CheckConstraint("state != 'leased' OR spec IS NOT NULL", name="job_leased_has_spec"),
    CheckConstraint("promoted IS NULL OR state = 'succeeded'", name="job_promoted"),
    Index("jobs_by_state", "run_id", "state"),
    # What a survey changes, and what is left of a symbol.
    Index("jobs_by_symbol", "run_id", "symbol", "state"),
    Index("jobs_by_revision", "run_id", "revision"),
    Index("jobs_by_cell", "symbol", "timeframe", "horizon", "id"),
    # A claim reads some dozen rows of the queue, however long it is, and the end of a job moves it in few.
    _queued("queued_by_volume", *IN_ORDER, where="waiting_since IS NOT NULL"),
    _queued("queued_by_wait", "run_id", "waiting_since", where="waiting_since IS NOT NULL"),
    _queued("queued_unsurveyed", *IN_ORDER, where="waiting_since IS NULL"),
    _queued("queued_wanted", "run_id", "wanted_next", where="wanted_next IS NOT NULL"),
    _queued("queued_for_later", "run_id", "not_before", where="not_before IS NOT NULL"),
    _queued("queued_after_oom", "run_id", where="oom_room_bytes IS NOT NULL"),
    _partial("one_survey_a_symbol", "run_id", "symbol", where="kind = 'survey'"),
    _partial("one_training_a_cell", "run_id", "symbol", "timeframe", "horizon", where="kind = 'training'"),
)

trainers = Table(
    "trainers",
    metadata,
    Column("boot_id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("host", String(200), nullable=False),
    Column("limit_kind", String(16), nullable=False),
    Column("memory_limit_bytes", BigInteger, nullable=False),
    Column("version", String(64), nullable=False),
    Column("registered", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
    Column("superseded", Instant),
    Column("memory_total_bytes", BigInteger, nullable=False),
    Column("memory_available_bytes", BigInteger, nullable=False),
    Column("cpu_ratio", Float, nullable=False),
    Column("note", Text, nullable=False),
    # The disk where its jobs write, as it reported it last; by default one that can be written.
    Column("disk_folder", Text, nullable=False, server_default=""),
    Column("disk_free_bytes", BigInteger),
    Column("disk_problem", Text, nullable=False, server_default=""),
    # Since when it gets no job for want of room; null if that is not why.
    Column("blocked_since", Instant),
    # After an attempt that could not be written: until when it gets no other, and what the attempt said.
    Column("paused_until", Instant),
    Column("paused_by", Text, nullable=False, server_default=""),
    # What holds up its host and its job, as it said last, as JSON, and when; null from one that does not say.
    Column("load", Text),
    Column("load_seen", Instant),
    CheckConstraint(_among("limit_kind", LimitKind), name="trainer_limit_kind"),
    _partial("one_process_a_trainer", "name", where="superseded IS NULL"),
)

hosts = Table(
    "hosts",
    metadata,
    Column("name", String(200), primary_key=True),
    # How many of its trainers may work at once, since when, and why.
    Column("trainers", Integer, nullable=False),
    Column("changed", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    # What the next look at it goes on from.
    Column("looked", Instant, nullable=False),
    Column("enough", Float),
    Column("idle_cores", Float),
    Column("cut", Instant),
    Column("raised", Boolean, nullable=False),
    Column("rest", Float, nullable=False),
    CheckConstraint("trainers >= 1", name="host_trainers"),
)
"""The hosts whose trainers say what holds them up, each with its limit (`coordinator.policy.concurrency`)."""

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("lease_id", String(64), nullable=False, unique=True),
    Column("boot_id", ForeignKey("trainers.boot_id"), nullable=False),
    Column("trainer", String(200), nullable=False),
    Column("host", String(200), nullable=False),
    Column("alone", Boolean, nullable=False),
    Column("memory_limit_bytes", BigInteger, nullable=False),
    Column("deadline_seconds", Float, nullable=False),
    Column("started", Instant, nullable=False),
    Column("renewed", Instant, nullable=False),
    Column("expires", Instant, nullable=False),
    Column("progress", Text),
    Column("artifact_sha256", ForeignKey("blobs.sha256")),
    Column("outcome", String(16), nullable=False),
    Column("cause", String(16)),
    Column("charged", Boolean, nullable=False),
    Column("message", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("retry_in_seconds", Float),
    Column("ended", Instant),
    Column("seconds", Float),
    Column("peak_memory_bytes", BigInteger),
    Column("resumed_folds", Integer),
    UniqueConstraint("job_id", "number", name="attempt_number"),
    CheckConstraint(_among("outcome", Outcome), name="attempt_outcome"),
    CheckConstraint(f"cause IS NULL OR {_among('cause', Cause)}", name="attempt_cause"),
    CheckConstraint("(outcome = 'running') = (ended IS NULL)", name="attempt_ended"),
    CheckConstraint(
        "(outcome IN ('running', 'succeeded')) = (cause IS NULL)", name="attempt_failure_has_cause"
    ),
    _partial("one_open_attempt_a_job", "job_id", where="ended IS NULL"),
    _partial("one_live_lease_a_trainer", "boot_id", where="ended IS NULL"),
    Index("attempts_by_trainer", "boot_id", "id"),
    Index("attempts_by_outcome", "boot_id", "outcome"),
)

measurements = Table(
    "measurements",
    metadata,
    Column("attempt_id", ForeignKey("attempts.id"), primary_key=True),
    # Empty for a survey, which has no rows.
    Column("timeframe", String(8), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("peak_memory_bytes", BigInteger, nullable=False),
)
"""What succeeded attempts took that ran from the first fold to the end; only ever appended to."""

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("folds", Integer, nullable=False),
    Column("saved", Instant, nullable=False),
    Column("document", Text, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("document", Text, nullable=False),
)

manifests = Table(
    "manifests",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("sha256", ForeignKey("blobs.sha256"), nullable=False),
    Column("certified", Boolean, nullable=False),
    Column("comparison", Text),
    Column("document", Text, nullable=False),
)

blobs = Table(
    "blobs",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("stored", Instant, nullable=False),
    CheckConstraint("length(sha256) = 64", name="blob_sha256"),
)

promotions = Table(
    "promotions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("runs.id"), nullable=False),
    Column("job_id", ForeignKey("jobs.id"), nullable=False, unique=True),
    Column("symbol", String(30), nullable=False),
    Column("timeframe", String(8), nullable=False),
    Column("horizon", Integer, nullable=False),
    Column("decided", Instant, nullable=False),
    Column("promoted", Boolean, nullable=False),
    Column("synthetic", Boolean, nullable=False),
    Column("sha256", ForeignKey("blobs.sha256"), nullable=False),
    Column("predecessor", ForeignKey("promotions.id")),
    Column("reasons", Text, nullable=False),
    CheckConstraint("promoted = (reasons = '[]')", name="promotion_reasons"),
    Index("promotions_by_cell", "symbol", "timeframe", "horizon", "id"),
)
"""The history of decisions; triggers made by the migrations refuse to change or delete a row."""

champion_changes = Table(
    "champion_changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time", Instant, nullable=False),
    Column("symbol", String(30), nullable=False),
    Column("timeframe", String(8), nullable=False),
    Column("horizon", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    # The jobs that trained the champion since then and the one until then; null where there is none.
    Column("job_id", ForeignKey("jobs.id")),
    Column("former_job_id", ForeignKey("jobs.id")),
    # The run that decided it; null where a person did, who is named by `by`.
    Column("run_id", ForeignKey("runs.id")),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint(_among("action", ChampionAction), name="champion_change_action"),
    CheckConstraint(
        "(action IN ('promoted', 'replaced')) = (job_id IS NOT NULL)", name="champion_change_model"
    ),
    CheckConstraint("(action = 'promoted') = (former_job_id IS NULL)", name="champion_change_former"),
    CheckConstraint("reason != ''", name="champion_change_reason"),
    Index("champion_changes_by_cell", "symbol", "timeframe", "horizon", "id"),
    Index("champion_changes_by_run", "run_id"),
)
"""Who is champion of a cell: its newest row says it. Triggers refuse to change or delete a row."""

champion_tests = Table(
    "champion_tests",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("symbol", String(30), primary_key=True),
    Column("timeframe", String(8), primary_key=True),
    Column("horizon", Integer, primary_key=True),
    # The job that trained the champion.
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    Column("document", Text, nullable=False),
)
"""What a run found out about each champion that stood before it; triggers refuse to change a row."""

lives = Table(
    "lives",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("began", Instant, nullable=False),
    Column("seen", Instant, nullable=False),
    # Null for a process that is alive, and for each that did not come to say that it stops.
    Column("stopped", Instant),
    # Which out folder it writes to, by the mark in it, and its name among those that share the folder.
    Column("store", String(64), nullable=False, server_default=""),
    Column("instance", String(64), nullable=False, server_default=""),
    # Its machine and the path of the folder there, for people.
    Column("place", Text, nullable=False, server_default=""),
)
"""The processes of the coordinator, each with its last heartbeat: one after the other, or side by side."""

leadership = Table(
    "leadership",
    metadata,
    # The fencing number: each leader has a larger one than all before it. As it is the key, a change of
    # leader waits for the leader's transactions, which lock the key, and a renewal does not.
    Column("term", BigInteger, primary_key=True, autoincrement=False),
    Column("sole", Boolean, nullable=False, unique=True),
    # The process, and what its instance is called.
    Column("holder", String(64), nullable=False),
    Column("store", String(64), nullable=False),
    Column("instance", String(64), nullable=False),
    # By the database's own clock.
    Column("expires", Instant, nullable=False),
    CheckConstraint("sole", name="leadership_sole"),
)
"""One row: which of several coordinators does the housekeeping (`coordinator.housekeeping.election`)."""

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True),
    # Alertmanager's digest of all labels: the same for each time that an alert fires.
    Column("fingerprint", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("runbook", Text, nullable=False),
    Column("starts", Instant, nullable=False),
    Column("ends", Instant),
    Column("received", Instant, nullable=False),
    UniqueConstraint("fingerprint", "starts", name="alert_start"),
    _partial("one_firing_alert", "fingerprint", where="ends IS NULL"),
    Index("alerts_by_end", "ends"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time", Instant, nullable=False),
    Column("by", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("action", String(16), nullable=False),
    Column("run_id", ForeignKey("runs.id")),
    Column("job_id", ForeignKey("jobs.id")),
    Column("jobs", Integer, nullable=False),
    Column("folds_saved", Integer, nullable=False),
    Column("words", Text, nullable=False),
    Column("reason", Text, nullable=False),
    # What names the request, so that the same one is answered again and not done again.
    Column("key", String(100), unique=True),
    Index("audit_by_run", "run_id", "id"),
)
"""What operators have changed; triggers made by the migrations refuse to change or delete a row."""
