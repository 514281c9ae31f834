"""The table of the board *Trainers*: one row a container."""

from __future__ import annotations

from common.metrics.declarations import (
    TRAINER_CHILD_PEAK,
    TRAINER_CPUS,
    TRAINER_INFO,
    TRAINER_JOB_INFO,
    TRAINER_JOB_STEPS,
    TRAINER_JOB_STEPS_DONE,
    TRAINER_JOBS,
    TRAINER_MEMORY_LIMIT,
    TRAINER_MEMORY_USAGE,
    TRAINER_OOM_KILLS,
    TRAINER_PHASES,
    TRAINER_STARTS,
    TRAINER_STATE,
)
from grafana.generator.alerts import firing
from grafana.generator.queries import CHOSEN_TRAINERS, Query, each_trainer, of_trainers
from grafana.generator.style import (
    BLUE,
    BYTES,
    CLEAR,
    CORES,
    COUNT,
    GREEN,
    GREY,
    ORANGE,
    PLAIN,
    RATIO,
    RED,
    SECONDS,
    Frame,
    Look,
    Panel,
)
from grafana.generator.tables import Cells, Column, table_panel

NO_TRAINER = "No trainer is scraped: none runs, or Prometheus does not reach it"
PHASE_COLOURS = (ORANGE, GREY, GREEN, BLUE)
"""Of `TRAINER_PHASES`, in their order."""

KILLED = "trainer:nighttrain_oom_kills:increase15m"
KILLS = each_trainer("sum", f"round(increase({TRAINER_OOM_KILLS.name}[$__range]))")
RESTARTS = f"max by (trainer) (changes({TRAINER_STARTS.name}{CHOSEN_TRAINERS}[$__range]))"


def roster() -> Panel:
    """Return the table."""
    done = f"{TRAINER_JOB_STEPS_DONE.name} / ({TRAINER_JOB_STEPS.name} > 0)"
    phases: dict[int | str, tuple[str, str]] = {
        phase: (phase, colour) for phase, colour in zip(TRAINER_PHASES, PHASE_COLOURS, strict=True)
    }
    progress = Look(RATIO, ((None, BLUE),), decimals=0, minimum=0, maximum=1)
    share = Look(RATIO, firing("NighttrainTrainerNearMemoryLimit"), decimals=0, minimum=0, maximum=1)
    writes = Look(PLAIN, values={0: ("yes", CLEAR), 1: ("no", RED)})
    job_labels = ("kind", "symbol", "timeframe", "horizon", "stage")
    return table_panel(
        Frame(
            "Trainers",
            "One row a container, by its name at the coordinator. Memory is what counts against the limit, "
            "without page cache; the peak is that of the present job's child. Kills, restarts and ends of "
            "jobs are those within the time range. Red: an alert fires; orange: it was restarted.",
            NO_TRAINER,
            24,
            9,
        ),
        [
            Query(each_trainer("max", f"{TRAINER_STATE.name} == 1", "state"), ref="phase"),
            Query(each_trainer("max", TRAINER_JOB_INFO.name, *job_labels), ref="task"),
            Query(each_trainer("max", done), ref="done"),
            Query(of_trainers("trainer:nighttrain_memory_used:ratio"), ref="used"),
            Query(each_trainer("max", TRAINER_MEMORY_USAGE.name), ref="usage"),
            Query(each_trainer("max", TRAINER_MEMORY_LIMIT.name), ref="limit"),
            Query(f"max by (trainer, limit_kind) ({TRAINER_INFO.name}{CHOSEN_TRAINERS})", ref="info"),
            Query(each_trainer("max", TRAINER_CHILD_PEAK.name), ref="peak"),
            Query(of_trainers("trainer:nighttrain_cpus:rate5m"), ref="cpu"),
            Query(each_trainer("max", TRAINER_CPUS.name), ref="cpus"),
            Query(KILLS, ref="kills"),
            Query(RESTARTS, ref="restarts"),
            Query(each_trainer("sum", _ended('outcome="succeeded"')), ref="succeeded"),
            Query(each_trainer("sum", _ended('outcome!="succeeded"')), ref="others"),
            Query(of_trainers("trainer:nighttrain_silence:seconds"), ref="silence"),
            Query(of_trainers("trainer:nighttrain_trainer_blocked:max"), ref="blocked"),
        ],
        [
            Column("trainer", "Trainer"),
            Column("state", "Doing", Look(PLAIN, values=phases), Cells.COLOURED),
            *(Column(label, label.capitalize()) for label in job_labels),
            Column("done", "Stage done", progress, Cells.BAR),
            Column("used", "Memory used", share, Cells.BAR),
            Column("usage", "Memory", Look(BYTES)),
            Column("limit", "Limit", Look(BYTES)),
            Column("limit_kind", "Held by"),
            Column("peak", "Peak of the job", Look(BYTES)),
            Column("cpu", "CPU in use", Look(CORES, decimals=2)),
            Column("cpus", "CPU allowed", Look(CORES)),
            Column(
                "kills",
                "OOM kills",
                Look(COUNT, firing("NighttrainOutOfMemoryKill", KILLED, whole=True, clear=CLEAR)),
                Cells.COLOURED,
            ),
            Column("restarts", "Restarts", Look(COUNT, ((None, CLEAR), (1, ORANGE))), Cells.COLOURED),
            Column("succeeded", "Jobs done", Look(COUNT)),
            Column("others", "Jobs not done", Look(COUNT)),
            Column(
                "silence",
                "Silent for",
                Look(SECONDS, firing("NighttrainTrainerLost", clear=CLEAR)),
                Cells.COLOURED,
            ),
            Column("blocked", "Can write", writes, Cells.COLOURED),
        ],
        "Trainer",
    )


def _ended(outcome: str) -> str:
    return f"round(increase({TRAINER_JOBS.name}{{{outcome}}}[$__range]))"
