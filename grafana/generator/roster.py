"""The table of the board *Trainers*: one row a container."""

from __future__ import annotations

from common.metrics.declarations import (
    TRAINER_CHILD_PEAK,
    TRAINER_JOB_INFO,
    TRAINER_JOB_STEPS,
    TRAINER_JOB_STEPS_DONE,
    TRAINER_JOBS,
    TRAINER_MEMORY_LIMIT,
    TRAINER_OOM_KILLS,
    TRAINER_PHASES,
    TRAINER_STARTS,
    TRAINER_STATE,
)
from grafana.generator.alerts import firing
from grafana.generator.colours import BLUE, CLEAR, GREY, ORANGE, RED
from grafana.generator.layout import CELL_JOB
from grafana.generator.queries import CHOSEN_TRAINERS, Query, each_trainer, of_trainers, or_words
from grafana.generator.style import (
    BYTES,
    CORES,
    COUNT,
    PLAIN,
    RATIO,
    SECONDS,
    Frame,
    Look,
    Panel,
)
from grafana.generator.tables import NAMES, Cells, Column, table_panel

NO_TRAINER = "No trainer is scraped: none runs, or Prometheus does not reach it"
PHASE_COLOURS = (ORANGE, GREY, BLUE, "dark-purple")
"""Of `TRAINER_PHASES`, in their order, where they are drawn."""
PHASE_CELLS = (ORANGE, CLEAR, BLUE, "dark-purple")
"""The same behind words: what is idle is no matter of colour."""

KILLED = "trainer:nighttrain_oom_kills:increase15m"
KILLS = f"round(sum by (trainer) (increase({TRAINER_OOM_KILLS.name}{CHOSEN_TRAINERS}[$__range])))"
CRASHED = "trainer:nighttrain_trainer_crashes:max"
RESTARTS = f"max by (trainer) (changes({TRAINER_STARTS.name}{CHOSEN_TRAINERS}[$__range]))"


def roster() -> Panel:
    """Return the table."""
    done = f"{TRAINER_JOB_STEPS_DONE.name} / ({TRAINER_JOB_STEPS.name} > 0)"
    phases: dict[int | str, tuple[str, str]] = {
        phase: (phase, colour) for phase, colour in zip(TRAINER_PHASES, PHASE_CELLS, strict=True)
    }
    progress = Look(RATIO, ((None, BLUE),), decimals=0, minimum=0, maximum=1)
    share = Look(RATIO, firing("NighttrainTrainerNearMemoryLimit"), decimals=0, minimum=0, maximum=1)
    writes = Look(PLAIN, values={0: ("yes", CLEAR), 1: ("no", RED)})
    job_labels = ("symbol", "timeframe", "horizon", "stage")
    doing = each_trainer("max", f"{TRAINER_STATE.name} == 1", "state")
    silence = of_trainers("trainer:nighttrain_silence:seconds")
    # One that does not answer is known to the coordinator only.
    doing = f'{doing} or on (trainer) label_replace(0 * {silence}, "state", "no answer", "", "")'
    phases["no answer"] = ("no answer", ORANGE)
    return table_panel(
        Frame(
            "Trainers",
            "One row a trainer, by its name at the coordinator: its container's id. Memory is what counts "
            "against the limit, without page cache; the peak is that of the present job's child. Kills, "
            "restarts and ends of jobs are those within the time range, crashes those of 15 minutes. Red: an "
            "alert fires; orange: it was restarted, or does not answer Prometheus.",
            NO_TRAINER,
            24,
            10,
        ),
        [
            Query(or_words(doing, "trainer", "no trainer"), ref="phase"),
            Query(each_trainer("max", TRAINER_JOB_INFO.name, *job_labels), ref="task"),
            Query(each_trainer("max", done), ref="done"),
            Query(of_trainers("trainer:nighttrain_memory_used:ratio"), ref="used"),
            Query(each_trainer("max", TRAINER_MEMORY_LIMIT.name), ref="limit"),
            Query(each_trainer("max", TRAINER_CHILD_PEAK.name), ref="peak"),
            Query(of_trainers("trainer:nighttrain_cpus:rate5m"), ref="cpu"),
            Query(KILLS, ref="kills"),
            Query(of_trainers(CRASHED), ref="crashes"),
            Query(RESTARTS, ref="restarts"),
            Query(_ended('outcome="succeeded"'), ref="succeeded"),
            Query(_ended('outcome!="succeeded"'), ref="others"),
            Query(silence, ref="silence"),
            Query(of_trainers("trainer:nighttrain_trainer_blocked:max"), ref="blocked"),
        ],
        [
            Column("trainer", "Trainer", width=116),
            Column("state", "Doing", Look(PLAIN, values=phases), Cells.COLOURED, 84, absent=("gone", CLEAR)),
            Column(
                "kills",
                "Killed",
                Look(COUNT, firing("NighttrainOutOfMemoryKill", KILLED, whole=True, clear=CLEAR)),
                Cells.COLOURED,
            ),
            Column(
                "crashes",
                "Crashes",
                Look(COUNT, firing("NighttrainCrashLoop", CRASHED, whole=True, clear=CLEAR)),
                Cells.COLOURED,
            ),
            Column("restarts", "Restarts", Look(COUNT, ((None, CLEAR), (1, ORANGE))), Cells.COLOURED),
            Column(
                "silence",
                "Silent for",
                Look(SECONDS, firing("NighttrainTrainerLost", clear=CLEAR), decimals=0),
                Cells.COLOURED,
            ),
            Column("blocked", "Writes", writes, Cells.COLOURED),
            Column("used", "Memory", share, Cells.BAR, width=100),
            Column("symbol", "Symbol", width=NAMES, link=CELL_JOB),
            Column("timeframe", "Timeframe"),
            Column("horizon", "Horizon"),
            Column("stage", "Stage", width=90),
            Column("done", "Stage done", progress, Cells.BAR, width=100),
            Column("limit", "Limit", Look(BYTES), width=80),
            Column("peak", "Peak", Look(BYTES), width=80),
            Column("cpu", "CPU", Look(CORES, decimals=2), width=90),
            Column("succeeded", "Done", Look(COUNT)),
            Column("others", "Not done", Look(COUNT)),
        ],
        "Trainer",
    )


def _ended(outcome: str) -> str:
    # Also of those that are gone: what they did belongs to the night.
    jobs = f'{TRAINER_JOBS.name}{{trainer=~"$trainer",{outcome}}}'
    return f"sum by (trainer) (round(increase({jobs}[$__range])))"
