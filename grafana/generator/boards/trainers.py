"""The board *Trainers*: what each container does, with how much memory and CPU, and how it fares."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from common.metrics.declarations import (
    TRAINER_CACHE_SIZE,
    TRAINER_CHILD_MEMORY,
    TRAINER_CHILD_PEAK,
    TRAINER_COORDINATOR_ERRORS,
    TRAINER_JOBS,
    TRAINER_MEMORY_LIMIT,
    TRAINER_MEMORY_USAGE,
    TRAINER_PHASES,
    TRAINER_STATE,
    TRAINERS,
)
from common.protocol.status import TrainerState
from grafana.generator.alerts import condition, firing
from grafana.generator.layout import Section, board, trainer_variable
from grafana.generator.panels import Drawing, graph_panel, stat_panel, text_panel, timeline_panel
from grafana.generator.queries import Query, by_trainer, each_trainer, every, numbered, of_trainers
from grafana.generator.roster import KILLED, KILLS, NO_TRAINER, PHASE_COLOURS, RESTARTS, roster
from grafana.generator.style import (
    BYTES,
    CORES,
    COUNT,
    GREEN,
    GREY,
    ORANGE,
    PLAIN,
    RATIO,
    SECONDS,
    Frame,
    Look,
    Panel,
    numbered_states,
)

UID = "nighttrain-trainers"
STARTED = "trainer:nighttrain_trainer_starts:changes15m"
UNKNOWN = "Unknown: the coordinator does not answer"


def trainers() -> Dashboard:
    """Return the board."""
    return board(
        UID,
        "What each trainer does, with how much memory and CPU, and how it fares.",
        [
            Section("All", [*_counts(), roster(), _containers(), _phases()]),
            Section("Memory against its limit", [_memory()]),
            Section("Processor", _processor()),
            Section("Trouble", _trouble()),
            Section("Throughput", _throughput()),
        ],
        [trainer_variable()],
        since="now-6h",
    )


def _counts() -> list[Panel]:
    looks = {
        TrainerState.WORKING: ("At work on a job. Green: at least one.", ((None, GREY), (1, GREEN))),
        TrainerState.IDLE: ("Alive, with nothing to do; the coordinator's board says why.", ((None, GREY),)),
        TrainerState.LOST: (
            "Silent for the life of a lease, without a goodbye. Orange: at least one; an alert fires for one "
            "that stays silent, see Silence.",
            ((None, GREEN), (1, ORANGE)),
        ),
    }
    states = [
        stat_panel(
            Frame(state.capitalize(), description, "unknown", 3, 4),
            [Query(f"sum({every(TRAINERS, state=state)})", state)],
            Look(COUNT, steps),
        )
        for state, (description, steps) in looks.items()
    ]
    return [
        *states,
        stat_panel(
            Frame(
                "Fullest",
                "The largest share of its limit that a trainer uses. Red: so much that an alert fires.",
                "no trainer",
                5,
                4,
            ),
            [Query(f"max({of_trainers('trainer:nighttrain_memory_used:ratio')})", "fullest")],
            Look(RATIO, firing("NighttrainTrainerNearMemoryLimit"), minimum=0, maximum=1),
        ),
        stat_panel(
            Frame(
                "Out-of-memory kills",
                "Within the time range, of all trainers. Red: at least one, for which an alert fired.",
                "no trainer",
                5,
                4,
            ),
            [Query(f"sum({KILLS})", "killed")],
            Look(COUNT, firing("NighttrainOutOfMemoryKill", KILLED, whole=True)),
        ),
        stat_panel(
            Frame(
                "Restarts",
                "Within the time range, of all trainers: more than one introduction under the same name. "
                "Orange: at least one.",
                "unknown",
                5,
                4,
            ),
            [Query(f"sum({RESTARTS})", "restarts")],
            Look(COUNT, ((None, GREEN), (1, ORANGE))),
        ),
    ]


def _containers() -> Panel:
    return text_panel(
        "Which container is it",
        "A trainer is known by the name of its host, which in containers is the container's id.",
        "A trainer bears the id of its container: `docker ps -a --filter id=NAME` shows the container, "
        "`docker logs NAME` what it said. Those of `nighttrain run` write to `logs/NAME.log`.",
        24,
        3,
    )


def _phases() -> Panel:
    return timeline_panel(
        Frame("What each was doing", "Working means: on a job, of whatever stage.", NO_TRAINER, 24, 6),
        Query(f"max by (trainer) ({by_trainer(numbered(TRAINER_STATE, every))})", "{{trainer}}"),
        Look(PLAIN, values=numbered_states(TRAINER_PHASES, PHASE_COLOURS)),
    )


def _memory() -> Panel:
    limit = each_trainer("max", TRAINER_MEMORY_LIMIT.name)
    share = condition("NighttrainTrainerNearMemoryLimit").limit
    panel = graph_panel(
        Frame(
            "Memory of $trainer",
            f"What counts against the limit; the job's child; its peak. Above {share:.0%} of the limit "
            "an alert fires; at the limit the job is killed, and tried again only in larger room.",
            NO_TRAINER,
            8,
            8,
        ),
        [
            Query(each_trainer("max", TRAINER_MEMORY_USAGE.name), "in use"),
            Query(each_trainer("max", TRAINER_CHILD_MEMORY.name), "the job's child"),
            Query(each_trainer("max", TRAINER_CHILD_PEAK.name), "the child's peak"),
            Query(limit, "limit"),
            Query(f"{limit} * scalar(nighttrain:threshold:trainer_memory_ratio)", "alert"),
        ],
        Look(BYTES, minimum=0),
        limits=["limit", "alert"],
    )
    return panel.repeat("trainer").repeat_direction("h").max_per_row(3)


def _processor() -> list[Panel]:
    return [
        graph_panel(
            Frame(
                "CPU in use",
                "Cores' worth of time that each trainer computes, over 5 minutes.",
                NO_TRAINER,
                12,
                8,
            ),
            [Query(of_trainers("trainer:nighttrain_cpus:rate5m"), "{{trainer}}")],
            Look(CORES, minimum=0, decimals=2),
        ),
        graph_panel(
            Frame(
                "Held back by the quota",
                "Share of the time for which a trainer wanted to compute and was not let. Some is normal at "
                "a quota of whole cores; much of it means that `cpus` in docker-compose.yml is too small.",
                NO_TRAINER,
                12,
                8,
            ),
            [Query(of_trainers("trainer:nighttrain_cpu_throttled:rate5m"), "{{trainer}}")],
            Look(RATIO, minimum=0),
        ),
    ]


def _trouble() -> list[Panel]:
    return [
        graph_panel(
            Frame(
                "Silence",
                "Time since the coordinator last heard of a trainer. One that stops cleanly says goodbye: "
                "its line ends. Above the red line an alert fires.",
                UNKNOWN,
                6,
                8,
            ),
            [Query(of_trainers("trainer:nighttrain_silence:seconds"), "{{trainer}}")],
            Look(SECONDS, firing("NighttrainTrainerLost"), minimum=0),
        ),
        graph_panel(
            Frame(
                "Starts",
                "Introductions in 15 minutes: a trainer that dies is restarted. At the red line an alert "
                "fires.",
                UNKNOWN,
                6,
                8,
            ),
            [Query(of_trainers(STARTED), "{{trainer}}")],
            Look(COUNT, firing("NighttrainCrashLoop", STARTED, whole=True), minimum=0),
        ),
        graph_panel(
            Frame(
                "Out-of-memory kills, lately",
                "In 15 minutes, by the cgroup's own count or the agent's. At the red line an alert fires.",
                NO_TRAINER,
                6,
                8,
            ),
            [Query(of_trainers(KILLED), "{{trainer}}")],
            Look(COUNT, firing("NighttrainOutOfMemoryKill", KILLED, whole=True), minimum=0),
        ),
        graph_panel(
            Frame(
                "Errors of talking to the coordinator",
                "Requests that failed in 5 minutes, by the error's code; `unavailable` means that it was not "
                "reached. Trainers go on and report when it is back.",
                "No request has failed",
                6,
                8,
            ),
            [Query(f"sum by (error) (increase({TRAINER_COORDINATOR_ERRORS.name}[5m])) > 0", "{{error}}")],
            Look(COUNT, minimum=0),
            Drawing.BARS,
        ),
    ]


def _throughput() -> list[Panel]:
    return [
        graph_panel(
            Frame("Candles a second", "Worked through by all trainers, over 5 minutes.", NO_TRAINER, 6, 8),
            [Query("nighttrain:trainer_candle_rows:rate5m", "candles")],
            Look(COUNT, minimum=0),
        ),
        graph_panel(
            Frame(
                "Jobs ended",
                "In 5 minutes, by outcome; lost means that the lease was lost first.",
                "No job has ended",
                6,
                8,
            ),
            [Query(f"sum by (outcome) (increase({TRAINER_JOBS.name}[5m])) > 0", "{{outcome}}")],
            Look(COUNT, minimum=0),
            Drawing.BARS,
        ),
        graph_panel(
            Frame(
                "Cache hits",
                "Share of look-ups in the hour before that found candles or features ready. Low at the start "
                "of a night on new candles, high after it; low all night: the cache is not shared.",
                "No look-ups in the hour before",
                6,
                8,
            ),
            [Query("cache:nighttrain_trainer_cache_hits:ratio_rate1h", "{{cache}}")],
            Look(RATIO, minimum=0, maximum=1),
        ),
        graph_panel(
            Frame(
                "Cache size",
                "On disk; trainers of a host share it, so the largest report counts.",
                NO_TRAINER,
                6,
                8,
            ),
            [Query(f"max by (cache) ({TRAINER_CACHE_SIZE.name})", "{{cache}}")],
            Look(BYTES, minimum=0),
            Drawing.STACKED,
        ),
    ]
