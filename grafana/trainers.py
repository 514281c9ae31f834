"""The board *Trainers*: what each container does, with how much memory and CPU, and how it fares."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard

from common.metrics import (
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
from common.status import TrainerState
from grafana.boards import Section, board, run_variable, symbol_variable, trainer_variable
from grafana.panels import Drawing, graph_panel, repeated, stat_panel, timeline_panel
from grafana.queries import Query, by_trainer, each_trainer, every, numbered, of_trainers
from grafana.roster import KILLS, NO_TRAINER, PHASE_COLOURS, RESTARTS, roster
from grafana.rules import threshold
from grafana.style import (
    BYTES,
    CORES,
    COUNT,
    GREEN,
    GREY,
    PER_SECOND,
    PLAIN,
    RATIO,
    SECONDS,
    Frame,
    Look,
    above,
    numbered_states,
)

UID = "nighttrain-trainers"
UNKNOWN = "Unknown: the coordinator does not answer"


def trainers() -> dashboard.Dashboard:
    """Return the board."""
    return board(
        UID,
        "What each trainer does, with how much memory and CPU, and how it fares.",
        [
            Section("All", [*_counts(), roster(), _phases()]),
            Section("Memory against its limit", [_memory()]),
            Section("Processor", _processor()),
            Section("Trouble", _trouble()),
            Section("Throughput", _throughput()),
        ],
        [trainer_variable(), run_variable(), symbol_variable()],
        since="now-6h",
    )


def _counts() -> list[dashboard.Panel]:
    looks = {
        TrainerState.WORKING: ("At work on a job.", ((None, GREY), (1, GREEN))),
        TrainerState.IDLE: ("Alive, with nothing to do; the coordinator's board says why.", ((None, GREY),)),
        TrainerState.LOST: ("Silent for the life of a lease, without a goodbye.", above(1)),
    }
    states = [
        stat_panel(
            Frame(state.capitalize(), description, "unknown", 3, 4),
            [Query(f"sum({every(TRAINERS, state=state)})", state)],
            Look(COUNT, steps),
        )
        for state, (description, steps) in looks.items()
    ]
    ratio = threshold("trainer_memory_ratio")
    return [
        *states,
        stat_panel(
            Frame("Fullest", "The largest share of its limit that a trainer uses.", "no trainer", 5, 4),
            [Query(f"max({of_trainers('trainer:nighttrain_memory_used:ratio')})", "fullest")],
            Look(RATIO, above(ratio, before=ratio - 0.1), minimum=0, maximum=1),
        ),
        stat_panel(
            Frame("Out-of-memory kills", "Within the time range, of all trainers.", "no trainer", 5, 4),
            [Query(f"sum({KILLS})", "killed")],
            Look(COUNT, above(1)),
        ),
        stat_panel(
            Frame(
                "Restarts",
                "Within the time range, of all trainers: more than one introduction under the same name.",
                "unknown",
                5,
                4,
            ),
            [Query(f"sum({RESTARTS})", "restarts")],
            Look(COUNT, above(threshold("process_starts") + 1, before=1)),
        ),
    ]


def _phases() -> dashboard.Panel:
    return timeline_panel(
        Frame("What each was doing", "Working means: on a job, of whatever stage.", NO_TRAINER, 24, 6),
        Query(f"max by (trainer) ({by_trainer(numbered(TRAINER_STATE, every))})", "{{trainer}}"),
        Look(PLAIN, values=numbered_states(TRAINER_PHASES, PHASE_COLOURS)),
    )


def _memory() -> dashboard.Panel:
    limit = each_trainer("max", TRAINER_MEMORY_LIMIT.name)
    share = threshold("trainer_memory_ratio")
    return repeated(
        graph_panel(
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
        ),
        "trainer",
    )


def _processor() -> list[dashboard.Panel]:
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


def _trouble() -> list[dashboard.Panel]:
    return [
        graph_panel(
            Frame(
                "Silence",
                "Time since the coordinator last heard of a trainer. One that stops cleanly says goodbye: "
                "its line ends.",
                UNKNOWN,
                6,
                8,
            ),
            [Query(of_trainers("trainer:nighttrain_silence:seconds"), "{{trainer}}")],
            Look(SECONDS, above(threshold("trainer_silence_seconds")), minimum=0),
        ),
        graph_panel(
            Frame(
                "Starts", "Introductions in 15 minutes; a trainer that dies and is restarted.", UNKNOWN, 6, 8
            ),
            [Query(of_trainers("trainer:nighttrain_trainer_starts:changes15m"), "{{trainer}}")],
            Look(COUNT, above(threshold("process_starts")), minimum=0),
        ),
        graph_panel(
            Frame(
                "Out-of-memory kills",
                "In 15 minutes, by the cgroup's own count or the agent's.",
                NO_TRAINER,
                6,
                8,
            ),
            [Query(of_trainers("trainer:nighttrain_oom_kills:increase15m"), "{{trainer}}")],
            Look(COUNT, above(1), minimum=0),
        ),
        graph_panel(
            Frame(
                "Errors of talking to the coordinator",
                "Requests that failed in 5 minutes, by the error's code; `unavailable` means that it was not "
                "reached. Trainers go on and report when it is back.",
                NO_TRAINER,
                6,
                8,
            ),
            [Query(f"sum by (error) (increase({TRAINER_COORDINATOR_ERRORS.name}[5m])) > 0", "{{error}}")],
            Look(COUNT, minimum=0),
            Drawing.BARS,
        ),
    ]


def _throughput() -> list[dashboard.Panel]:
    return [
        graph_panel(
            Frame("Candles", "Candles worked through a second, by all trainers.", NO_TRAINER, 6, 8),
            [Query("nighttrain:trainer_candle_rows:rate5m", "candles")],
            Look(PER_SECOND, minimum=0),
        ),
        graph_panel(
            Frame(
                "Jobs ended",
                "In 5 minutes, by outcome; lost means that the lease was lost first.",
                NO_TRAINER,
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
