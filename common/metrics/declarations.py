"""Every metric of Nighttrain, declared once, as data; `common.metrics.exposition` says what a declaration is.

Facts of the night (`Source.DATABASE`) are read from the database at each scrape and speak of the current run,
which is the unfinished one or else the last: they survive every restart, and their counters begin anew with
the next run. What became of a job, an attempt, a lease or a fold is such a fact.

What a process was asked, and how fast it answered (`Source.PROCESS`), is its traffic and no fact of the
night: renewals, claims that got nothing, writes that came too late, checkpoints that were stored. What they
led to is among the facts. Such a counter begins at 0 with each start of its process; `rate()` and
`increase()` bridge that, over a whole night too, and its bare value means nothing.

Where several coordinators share a database, each reports all its facts, and what else they share
(`Source.SHARED`): whichever answers tells the whole night, and a takeover leaves no gap. So of such a metric
only the largest over the coordinators counts, ``max by`` its labels, and never the sum. What a process did or
takes is its own: counters of traffic are summed over them. `grafana.generator.instances` finds expressions
that do otherwise.

No label is without a bound, and a run's number stands only in `RUN_INFO`.
"""

from __future__ import annotations

from functools import partial

from common.errors import ERRORS
from common.metrics.exposition import Exporter, Label, Metric, Source
from common.protocol.job_views import Outcome, RefusalReason
from common.protocol.jobs import FREE_CAUSES, Cause, JobKind, JobState
from common.protocol.runs import RunState
from common.protocol.status import TrainerState
from common.protocol.trainers import LimitKind, NoWork
from common.timeframes import Timeframe

BREAKER_STATES = ("closed", "parked", "probation")
COORDINATOR_STATES = ("present", "lost")
HTTP_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "other")
LEASE_WRITES = ("renewals", "checkpoint", "artifact", "finish", "failure", "release")
TRAINER_PHASES = ("connecting", "idle", "working", "stopping")

SYMBOL = Label("symbol", bound="the symbols of the current run")
TIMEFRAME = Label("timeframe", tuple(Timeframe))
HORIZON = Label("horizon", bound="the horizons of the current run")
CELL = (SYMBOL, TIMEFRAME, HORIZON)
KIND = Label("kind", tuple(JobKind))
CACHE = Label("cache", ("candles", "features", "objects"))
TRAINER = Label("trainer", bound="the trainers that are known: live ones, and lost ones for an hour")
TRAINER_ITSELF = Label("trainer", bound="one a process")
FINAL_CAUSE = Label("cause", tuple(cause for cause in Cause if cause not in FREE_CAUSES))
ENDED = Label("outcome", tuple(outcome for outcome in Outcome if outcome is not Outcome.RUNNING))

_fact = partial(Metric, source=Source.DATABASE)
_shared = partial(Metric, source=Source.SHARED)
_counted = partial(Metric, source=Source.PROCESS)
_measured = partial(Metric, source=Source.HOST)


def _by_trainer(source: Source, name: str, words: str, labels: tuple[Label, ...] = ()) -> Metric:
    # Each series bears the trainer's name: a new trainer may get the address of one that is gone, and
    # rate() and increase() would take the two for one.
    return Metric(name, words, (TRAINER_ITSELF, *labels), source, exporters=(Exporter.TRAINER,))


_told_by_trainer = partial(_by_trainer, Source.PROCESS)
_measured_by_trainer = partial(_by_trainer, Source.HOST)

# --- The run and the night ----------------------------------------------------------------------------------

RUN_INFO = _fact(
    "nighttrain_run_info",
    "The current run: its number, a digest of its configuration, and whether its candles are synthetic.",
    (
        Label("run", bound="one at a time"),
        Label("config", bound="one at a time"),
        Label("synthetic", ("true", "false")),
    ),
)
RUN_STATE = _fact(
    "nighttrain_run_state",
    "1 for the state that the current run is in, 0 for the others.",
    (Label("state", tuple(RunState)),),
)
RUN_JOBS = _fact(
    "nighttrain_run_jobs",
    "Jobs of the current run, by kind and state.",
    (KIND, Label("state", tuple(JobState))),
)
RUN_FAILED_JOBS = _fact(
    "nighttrain_run_failed_jobs",
    "Failed jobs of the current run, by symbol and final cause.",
    (SYMBOL, FINAL_CAUSE),
)
RUN_PROGRESS = _fact(
    "nighttrain_run_progress_ratio",
    "Share of the current run's training that is done, saved folds of unfinished jobs included; the status "
    "calls it progress_ratio.",
)
RUN_SHED_JOBS = _fact(
    "nighttrain_run_shed_jobs",
    "Cells of the current run that do not fit before the window closes and are left for the next night, "
    "those of least value; 0 where all fit.",
)
RUN_REUSED_JOBS = _fact(
    "nighttrain_run_reused_jobs",
    "Cells of the current run that took over the result of an earlier one, since nothing had changed; they "
    "are among those that succeeded.",
)
RUN_STARTED = _fact("nighttrain_run_started_timestamp_seconds", "When the current run was submitted.")
RUN_FINISHED = _fact(
    "nighttrain_run_finished_timestamp_seconds",
    "When the current run ended; absent while it is going.",
)
RUN_ETA = _fact(
    "nighttrain_run_eta_timestamp_seconds",
    "When the run will have ended, by percentile of the estimate; absent while unknown, and after its end.",
    (Label("percentile", ("50", "90")),),
)
RUN_PAUSED = _fact(
    "nighttrain_run_paused",
    "1 while an operator has paused the current run, 0 otherwise; the status says who and why.",
)
NIGHT_OPEN = _fact(
    "nighttrain_night_open",
    "1 while jobs are handed out (always, without a window), 0 while the night is closed.",
)
NIGHT_DEADLINE = _fact(
    "nighttrain_night_deadline_timestamp_seconds",
    "When the window that is open closes; absent while none is open, and without a window.",
)
NIGHT_LAST_OPENING = _fact(
    "nighttrain_night_last_opening_timestamp_seconds",
    "When the window last opened by the schedule, whether or not a run began; "
    "absent without a window or with training switched off.",
)
NIGHT_NEXT_OPENING = _fact(
    "nighttrain_night_next_opening_timestamp_seconds",
    "When the window opens the next time; absent without a window or with training switched off.",
)

# --- The queue ----------------------------------------------------------------------------------------------

QUEUE_JOBS = _fact("nighttrain_queue_jobs", "Jobs that wait, by symbol: the queue's depth.", (SYMBOL,))
QUEUE_OLDEST_WAIT = _fact(
    "nighttrain_queue_oldest_wait_seconds",
    "How long the job that has waited longest has been waiting, by symbol; 0 where none waits.",
    (SYMBOL,),
)
CLAIMS = _fact("nighttrain_claims_total", "Leases handed out in the current run.")
LAST_CLAIM = _fact(
    "nighttrain_last_claim_timestamp_seconds",
    "When a job was last handed out, in any run; absent before the first.",
)
ATTEMPTS = _fact(
    "nighttrain_attempts_total",
    "Attempts of the current run that have ended, by outcome; expired ones are lease expiries.",
    (ENDED,),
)
ATTEMPT_FAILURES = _fact(
    "nighttrain_attempt_failures_total",
    "Attempts of the current run that ended without a result, by cause.",
    (Label("cause", tuple(Cause)),),
)
BREAKER_STATE = _fact(
    "nighttrain_breaker_state",
    "1 for the state that a symbol's breaker is in, 0 for the others.",
    (SYMBOL, Label("state", BREAKER_STATES)),
)
JOB_DURATION = _fact(
    "nighttrain_job_duration_seconds",
    "Duration of the successful attempts at training jobs of the current run, by timeframe.",
    (TIMEFRAME,),
    buckets=(0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600),
)
RUNNING_JOB_STARTED = _fact(
    "nighttrain_running_job_started_timestamp_seconds",
    "When the attempt began that is at work on a cell; absent for cells that nobody is at work on.",
    CELL,
)
RUNNING_JOB_EXPECTED = _fact(
    "nighttrain_running_job_expected_seconds",
    "How long the attempt at a cell should take, by measured durations; absent while too little is known.",
    CELL,
)
CHECKPOINT_TIMESTAMP = _fact(
    "nighttrain_checkpoint_timestamp_seconds",
    "When progress was last made safe. 'job': the oldest last checkpoint among the cells being trained (the "
    "attempt's start where it has none), absent while none is. 'night': the night's checkpoint file, absent "
    "while no run is going.",
    (Label("kind", ("job", "night")),),
)
CHECKPOINT_WRITES = _counted(
    "nighttrain_checkpoint_writes_total",
    "Checkpoints of jobs that this process has stored since it began; "
    "which folds are safe is in nighttrain_run_progress_ratio and nighttrain_checkpoint_timestamp_seconds.",
)
RENEWALS = _counted(
    "nighttrain_renewals_total", "Renewals of leases that this process has granted since it began."
)
STALE_WRITES = _counted(
    "nighttrain_stale_writes_total",
    "Writes that this process has refused since it began, for their lease was no longer held, by what was to "
    "be written; the expiries that led to them are in nighttrain_attempts_total.",
    (Label("operation", LEASE_WRITES),),
)
ADMISSION_REFUSALS = _counted(
    "nighttrain_admission_refusals_total",
    "Claims that this process has answered with no job since it began, by reason.",
    (Label("reason", tuple(NoWork)),),
)
WRONG_TOKENS = _counted(
    "nighttrain_wrong_tokens_total",
    "Tokens that this process has refused since it began, for they are nobody's, by its answer: throttled "
    "where too many came from one address.",
    (Label("answer", ("refused", "throttled")),),
)

# --- Trainers, as the coordinator knows them ----------------------------------------------------------------

TRAINERS = _fact(
    "nighttrain_trainers",
    "Trainers by what they are doing; lost are those that fell silent while they held a job, for an hour.",
    (Label("state", tuple(TrainerState)),),
)
TRAINER_LAST_SEEN = _fact(
    "nighttrain_trainer_last_seen_timestamp_seconds",
    "When a trainer was last heard of: live ones, and lost ones for an hour.",
    (TRAINER,),
)
TRAINERS_LIMIT = _fact(
    "nighttrain_host_trainers_limit",
    "Trainers of a host that may work at once, as the coordinator decides it; absent where it does not.",
    (Label("host", bound="the hosts of live trainers"),),
)
TRAINER_BLOCKED = _fact(
    "nighttrain_trainer_blocked",
    "1 while a live trainer cannot write, for example because its disk is full, 0 while it can.",
    (TRAINER,),
)
TRAINER_STARTS = _fact(
    "nighttrain_trainer_starts_total",
    "Times that a trainer process has introduced itself under this name.",
    (TRAINER,),
)

TRAINER_CRASHES = _fact(
    "nighttrain_trainer_crashes",
    "Times in the last 15 minutes that a trainer came back under this name after a process that had not "
    "stopped cleanly: it held a job, or was gone within seconds.",
    (TRAINER,),
)

# --- Models -------------------------------------------------------------------------------------------------

CELL_AUC = _fact(
    "nighttrain_cell_auc_ratio",
    "Out-of-fold area under the ROC curve of each cell that the current run has trained; 0.5 is chance.",
    CELL,
)
CELL_BRIER = _fact(
    "nighttrain_cell_brier_ratio",
    "Out-of-fold Brier score of each cell that the current run has trained; lower is better, 0.25 is chance.",
    CELL,
)
CELL_ACCURACY = _fact(
    "nighttrain_cell_accuracy_ratio",
    "Out-of-fold accuracy of each cell that the current run has trained.",
    CELL,
)
CELL_PROMOTED = _fact(
    "nighttrain_cell_promoted",
    "1 if the current run promoted the cell's model, 0 if it refused it; absent until it has decided.",
    CELL,
)
RUN_PROMOTED_MODELS = _fact("nighttrain_run_promoted_models", "Models that the current run has promoted.")
RUN_REFUSED_MODELS = _fact(
    "nighttrain_run_refused_models",
    "Models that the current run refused to promote, by reason; one with several reasons counts under each.",
    (Label("reason", tuple(RefusalReason)),),
)
PROMOTION_LIMIT = _fact(
    "nighttrain_promotion_limit_ratio",
    "What a score must meet for the current run to promote its model: at least; the Brier score, at most.",
    (Label("score", ("auc", "brier", "accuracy")),),
)
EARLIER_RUNS = _fact(
    "nighttrain_earlier_runs",
    "Earlier runs of the same configuration and kind of candles, up to five: what it is compared with.",
)
EARLIER_AUC = _fact(
    "nighttrain_earlier_runs_auc_mean_ratio",
    "Mean of the mean AUCs of the runs that nighttrain_earlier_runs counts; absent where there is none.",
)

# --- The coordinator's process and machine ------------------------------------------------------------------

HTTP_DURATION = _counted(
    "nighttrain_http_request_duration_seconds",
    "Time from a request to its answer, by method, route and class of status.",
    (
        Label("method", HTTP_METHODS),
        Label("route", bound="the declared paths, with {names} for parameters; any other is 'unmatched'"),
        Label("status", ("1xx", "2xx", "3xx", "4xx", "5xx")),
    ),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
DATABASE_DURATION = _counted(
    "nighttrain_database_transaction_duration_seconds",
    "Time from the begin of a database transaction to its commit or rollback.",
    (Label("mode", ("read", "write")),),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
DATABASE_SIZE = _shared("nighttrain_database_size_bytes", "Size of the database, write-ahead log included.")
UNSENT = _shared(
    "nighttrain_artifacts_unsent",
    "Models, results and reports that wait to be sent to the object store; 0 where none is configured.",
)
UNSENT_OLDEST = _shared(
    "nighttrain_artifacts_unsent_oldest_seconds",
    "For how long the oldest of what waits to be sent has been waiting; 0 where none does.",
)
HOST_CPU = _measured(
    "nighttrain_host_cpu_seconds_total",
    "Time that the host's processors have spent in each mode since it started, all together.",
    (Label("mode", bound="the modes that the operating system tells apart; at most eight"),),
)
HOST_CPUS = _measured("nighttrain_host_cpus", "Logical CPUs of the host.")
HOST_MEMORY_SIZE = _measured("nighttrain_host_memory_size_bytes", "Memory of the host.")
HOST_MEMORY_AVAILABLE = _measured(
    "nighttrain_host_memory_available_bytes", "Memory of the host that can be had without swapping."
)
HOST_DISK_SIZE = _measured(
    "nighttrain_host_disk_size_bytes", "Size of the file system that holds the night's files."
)
HOST_DISK_FREE = _measured(
    "nighttrain_host_disk_free_bytes",
    "Space on the file system that holds the night's files, free for a process without privileges.",
)
COORDINATOR_MEMORY_USAGE = _measured(
    "nighttrain_coordinator_memory_usage_bytes",
    "Memory of the coordinator that counts against its limit, without page cache that the kernel can drop.",
)
COORDINATOR_MEMORY_LIMIT = _measured(
    "nighttrain_coordinator_memory_limit_bytes",
    "Memory that the coordinator may take: its cgroup's limit, or all that its host has.",
)
COORDINATOR_CRASHES = _fact(
    "nighttrain_coordinator_crashes",
    "Times in the last 15 minutes that a process of the coordinator ended without having been asked to.",
)
COORDINATORS = _fact(
    "nighttrain_coordinators",
    "Coordinators of the database by whether they are there; lost are those that fell silent without having "
    "been asked to stop and that no other took the place of, for an hour.",
    (Label("state", COORDINATOR_STATES),),
)
LEADS = _counted(
    "nighttrain_coordinator_leads",
    "1 while this coordinator does the housekeeping for all that share the database, 0 while another does.",
    (Label("coordinator", bound="one a process: its name among several"),),
)
LEADERS = _fact(
    "nighttrain_leaders_total",
    "Times that a coordinator has taken the lead of this database; stays 0 with SQLite, where there is one.",
)
PAGE_INFO = _shared(
    "nighttrain_page_info",
    "The address by which people reach the coordinator's page.",
    (Label("url", bound="one a process"),),
)
BUILD_INFO = Metric(
    "nighttrain_build_info",
    "Version of Nighttrain, and of Python, that this process runs.",
    (Label("version", bound="one a process"), Label("python", bound="one a process")),
    source=Source.PROCESS,
    exporters=(Exporter.COORDINATOR, Exporter.TRAINER),
)

# --- Exported by each trainer -------------------------------------------------------------------------------

TRAINER_INFO = _told_by_trainer(
    "nighttrain_trainer_info",
    "The trainer's name at the coordinator, and who holds it to its memory limit.",
    (Label("limit_kind", tuple(LimitKind)),),
)
TRAINER_STATE = _told_by_trainer(
    "nighttrain_trainer_state",
    "1 for the state that the trainer is in, 0 for the others.",
    (Label("state", TRAINER_PHASES),),
)
TRAINER_JOB_INFO = _told_by_trainer(
    "nighttrain_trainer_job_info",
    "The job that the trainer is at work on and the stage it has reached; absent while idle. "
    "A survey has neither timeframe nor horizon.",
    (KIND, *CELL, Label("stage", bound="the stages of a job, one at a time")),
)
TRAINER_JOB_STEPS = _told_by_trainer(
    "nighttrain_trainer_job_steps",
    "Steps of the present stage (folds, while cross-validating); 0 while idle.",
)
TRAINER_JOB_STEPS_DONE = _told_by_trainer(
    "nighttrain_trainer_job_steps_done", "Steps of the present stage that are done; 0 while idle."
)
TRAINER_CHILD_MEMORY = _measured_by_trainer(
    "nighttrain_trainer_child_memory_bytes", "Memory of the child that computes the job; 0 while idle."
)
TRAINER_CHILD_PEAK = _measured_by_trainer(
    "nighttrain_trainer_child_peak_memory_bytes",
    "Most memory that the child that computes the job has had; 0 while idle.",
)
TRAINER_MEMORY_LIMIT = _measured_by_trainer(
    "nighttrain_trainer_memory_limit_bytes",
    "Memory that the trainer may take: its cgroup's limit, or the one that the agent holds the child to.",
)
TRAINER_MEMORY_USAGE = _measured_by_trainer(
    "nighttrain_trainer_memory_usage_bytes",
    "Memory that counts against the limit, without the page cache that the kernel can drop: mapped files are "
    "left out, what is not written to disk yet and what lies in a tmpfs is counted.",
)
TRAINER_OOM_KILLS = _measured_by_trainer(
    "nighttrain_trainer_oom_kills_total",
    "Processes of the trainer killed for want of memory: by the cgroup's own count, or by the agent.",
)
TRAINER_CPU = _measured_by_trainer(
    "nighttrain_trainer_cpu_seconds_total", "CPU time that the trainer has used, its children included."
)
TRAINER_CPU_THROTTLED = _measured_by_trainer(
    "nighttrain_trainer_cpu_throttled_seconds_total",
    "Time for which the trainer was held back by its CPU quota; stays 0 without one.",
)
TRAINER_CPUS = _measured_by_trainer(
    "nighttrain_trainer_cpus", "Cores that the trainer may use; a quota may be a fraction."
)
TRAINER_CACHE_REQUESTS = _told_by_trainer(
    "nighttrain_trainer_cache_requests_total",
    "Look-ups in the caches of candles, of feature matrices and of fetched objects, by outcome.",
    (CACHE, Label("outcome", ("hit", "miss"))),
)
TRAINER_CACHE_SIZE = _measured_by_trainer(
    "nighttrain_trainer_cache_size_bytes",
    "Size of a cache on disk; the trainers of a host that share it all report the same.",
    (CACHE,),
)
TRAINER_CACHE_FETCHED = _told_by_trainer(
    "nighttrain_trainer_cache_fetched_bytes_total", "Bytes of candles that were fetched from an object store."
)
TRAINER_CACHE_DROPPED_FILES = _told_by_trainer(
    "nighttrain_trainer_cache_dropped_files_total",
    "Files of candles and objects that were dropped to keep the cache within its bound.",
)
TRAINER_CACHE_DROPPED = _told_by_trainer(
    "nighttrain_trainer_cache_dropped_bytes_total",
    "Bytes of candles and objects that were dropped to keep the cache within its bound.",
)
TRAINER_CACHE_DISK_SIZE = _measured_by_trainer(
    "nighttrain_trainer_cache_disk_size_bytes", "Size of the file system that holds the trainer's caches."
)
TRAINER_CACHE_DISK_FREE = _measured_by_trainer(
    "nighttrain_trainer_cache_disk_free_bytes",
    "Space on the file system that holds the trainer's caches, free for a process without privileges.",
)
TRAINER_ROWS = _told_by_trainer(
    "nighttrain_trainer_candle_rows_total", "Candles that the trainer's finished jobs have worked through."
)
TRAINER_JOBS = _told_by_trainer(
    "nighttrain_trainer_jobs_total",
    "Jobs that the trainer has ended, by kind and outcome: succeeded, the cause, or lost with its lease.",
    (KIND, Label("outcome", ("succeeded", *Cause, "lost"))),
)
TRAINER_UNSENT = _told_by_trainer(
    "nighttrain_trainer_unsent_seconds",
    "For how long the trainer has been trying to hand in what became of its job; 0 while it has nothing to "
    "hand in.",
)
TRAINER_COORDINATOR_ERRORS = _told_by_trainer(
    "nighttrain_trainer_coordinator_errors_total",
    "Requests to the coordinator that failed, by the error's code ('unavailable' where it was not reached).",
    (Label("error", tuple(ERRORS)),),
)

METRICS = {metric.name: metric for metric in tuple(globals().values()) if isinstance(metric, Metric)}
"""All declarations by name, in the order of this module."""
