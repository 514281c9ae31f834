"""The board *Trainers*: what each container does, with how much memory and CPU, and how it fares."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from common.metrics.declarations import (
    TRAINER_CACHE_DROPPED,
    TRAINER_CACHE_DROPPED_FILES,
    TRAINER_CACHE_FETCHED,
    TRAINER_CACHE_SIZE,
    TRAINER_CHILD_MEMORY,
    TRAINER_CHILD_PEAK,
    TRAINER_COORDINATOR_ERRORS,
    TRAINER_CPUS,
    TRAINER_JOBS,
    TRAINER_MEMORY_LIMIT,
    TRAINER_MEMORY_USAGE,
    TRAINER_PHASES,
    TRAINER_STATE,
    TRAINERS,
    TRAINERS_LIMIT,
)
from common.protocol.status import TrainerState
from grafana.generator.alerts import condition, firing
from grafana.generator.colours import BLUE, ENDS, GREEN, GREY, ORANGE, PURPLE, TEXT
from grafana.generator.layout import Section, board, page_variable, trainer_variable
from grafana.generator.panels import Drawing, graph_panel, stat_panel, text_panel, timeline_panel
from grafana.generator.queries import (
    Query,
    by_trainer,
    each_trainer,
    every,
    numbered,
    of_trainers,
    once,
    per_minute,
)
from grafana.generator.roster import CRASHED, KILLED, KILLS, NO_TRAINER, PHASE_COLOURS, roster
from grafana.generator.style import (
    BYTES,
    BYTES_PER_SECOND,
    CORES,
    COUNT,
    PER_MINUTE,
    PER_SECOND,
    PLAIN,
    RATIO,
    SECONDS,
    Frame,
    Look,
    Panel,
    numbered_states,
)

UID = "nighttrain-trainers"
UNKNOWN = "Unknown: the coordinator does not answer"
UNSENT = "trainer:nighttrain_trainer_unsent:seconds"
SHARE = "trainer:nighttrain_memory_used:ratio"


def trainers() -> Dashboard:
    """Return the board."""
    return board(
        UID,
        "What each trainer does, with how much memory and CPU, and how it fares.",
        [
            Section("All of them", [*_counts(), roster(), _phases()]),
            Section("Memory, silence and errors", _trouble()),
            Section("Processor and throughput", _throughput()),
            Section("Caches", _caches()),
            Section("Memory, one by one", [_containers(), _memory()]),
        ],
        [trainer_variable(), page_variable()],
        since="now-6h",
    )


def _counts() -> list[Panel]:
    looks = {
        TrainerState.WORKING: ("At work on a job. Blue: at least one.", ((None, TEXT), (1, BLUE))),
        TrainerState.IDLE: ("Alive, with nothing to do; the coordinator's board says why.", ((None, TEXT),)),
        TrainerState.LOST: (
            "Silent for the life of a lease, without a goodbye. Orange: at least one; an alert fires for one "
            "that stays silent, see Silence.",
            ((None, GREEN), (1, ORANGE)),
        ),
    }
    states = [
        stat_panel(
            Frame(f"{state.capitalize()} now", description, "unknown", 4, 4),
            [Query(f"max({every(TRAINERS, state=state)})", state)],
            Look(COUNT, steps),
        )
        for state, (description, steps) in looks.items()
    ]
    return [
        *states,
        stat_panel(
            Frame(
                "Memory now",
                "The largest share of its limit that a trainer uses. Red: so much that an alert fires.",
                "no trainer",
                4,
                4,
            ),
            [Query(f"max({of_trainers(SHARE)})", "fullest")],
            Look(RATIO, firing("NighttrainTrainerNearMemoryLimit"), decimals=0, minimum=0, maximum=1),
        ),
        stat_panel(
            Frame(
                "Killed",
                "Jobs killed for want of memory within the time range, of all trainers. Red: at least one, "
                "for which an alert fired.",
                "no trainer",
                4,
                4,
            ),
            [Query(f"sum({KILLS})", "killed")],
            Look(COUNT, firing("NighttrainOutOfMemoryKill", KILLED, whole=True)),
        ),
        stat_panel(
            Frame(
                "Crashes",
                "In 15 minutes, of the trainer that crashed most often. A clean stop is none. Red: so many "
                "that an alert fires.",
                "no trainer",
                4,
                4,
            ),
            [Query(f"max({of_trainers(CRASHED)})", "crashes")],
            Look(COUNT, firing("NighttrainCrashLoop", CRASHED, whole=True)),
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
        Frame("What each was doing", "Working means: on a job, of whatever stage.", NO_TRAINER, 24, 7),
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
            9,
        ),
        [
            Query(each_trainer("max", TRAINER_MEMORY_USAGE.name), "in use"),
            Query(each_trainer("max", TRAINER_CHILD_MEMORY.name), "the job's child"),
            Query(each_trainer("max", TRAINER_CHILD_PEAK.name), "the child's peak"),
            Query(limit, "limit"),
            Query(f"{limit} * scalar(nighttrain:threshold:trainer_memory_ratio)", "alert above"),
        ],
        Look(BYTES, minimum=0),
        limits=["limit", "alert above"],
        colours={"in use": BLUE, "the job's child": GREEN, "the child's peak": PURPLE, "alert above": ORANGE},
    )
    return panel.repeat("trainer").repeat_direction("h").max_per_row(3)


def _trouble() -> list[Panel]:
    return [
        graph_panel(
            Frame(
                "Memory of the limit",
                "The share of its limit that each trainer uses. Above the red line an alert fires.",
                NO_TRAINER,
                12,
                9,
            ),
            [Query(of_trainers(SHARE), "{{trainer}}")],
            Look(RATIO, firing("NighttrainTrainerNearMemoryLimit"), minimum=0, maximum=1),
        ),
        graph_panel(
            Frame(
                "Silence",
                "Time since the coordinator last heard of a trainer. One that stops cleanly says goodbye: "
                "its line ends. Above the red line an alert fires.",
                UNKNOWN,
                12,
                9,
            ),
            [Query(of_trainers("trainer:nighttrain_silence:seconds"), "{{trainer}}")],
            Look(SECONDS, firing("NighttrainTrainerLost"), minimum=0, reach=10),
        ),
        graph_panel(
            Frame(
                "Jobs ended",
                "A minute, over 5 minutes, by outcome; lost means that the lease was lost first.",
                "No job has ended, or no trainer is scraped",
                12,
                9,
            ),
            [Query(f"{per_minute(TRAINER_JOBS, 'outcome')} > 0", "{{outcome}}")],
            Look(PER_MINUTE, decimals=1, minimum=0, reach=1),
            Drawing.STACKED,
            colours=ENDS,
        ),
        graph_panel(
            Frame(
                "Errors of talking to the coordinator",
                "Requests that failed, a minute over 5 minutes, by the error's code; `unavailable` means "
                "that it was not reached. Trainers go on and report when it is back.",
                "No request has failed, or no trainer is scraped",
                12,
                9,
            ),
            [Query(f"{per_minute(TRAINER_COORDINATOR_ERRORS, 'error')} > 0", "{{error}}")],
            Look(PER_MINUTE, decimals=1, minimum=0, reach=1),
        ),
        graph_panel(
            Frame(
                "Waits to be handed in",
                "For how long each trainer has been trying to hand in what became of its job; it keeps it "
                "and tries again. Above the red line an alert fires, if a coordinator answers.",
                NO_TRAINER,
                24,
                7,
            ),
            [Query(of_trainers(UNSENT), "{{trainer}}")],
            Look(SECONDS, firing("NighttrainTrainerUnsent", UNSENT), minimum=0, reach=10),
        ),
    ]


def _throughput() -> list[Panel]:
    return [
        graph_panel(
            Frame(
                "CPU in use",
                "Cores' worth of time that each trainer computes, over 5 minutes, and what one may use at "
                "most.",
                NO_TRAINER,
                12,
                9,
            ),
            [
                Query(of_trainers("trainer:nighttrain_cpus:rate5m"), "{{trainer}}"),
                Query(f"max({TRAINER_CPUS.name})", "may use"),
            ],
            Look(CORES, minimum=0, decimals=2, reach=1),
            limits=["may use"],
            colours={"may use": GREY},
        ),
        graph_panel(
            Frame(
                "Held back by the quota",
                "Share of the time for which a trainer wanted to compute and was not let. Some is normal at "
                "a quota of whole cores; much of it means that `cpus` in docker-compose.yml is too small.",
                NO_TRAINER,
                12,
                9,
            ),
            [Query(of_trainers("trainer:nighttrain_cpu_throttled:rate5m"), "{{trainer}}")],
            Look(RATIO, minimum=0, reach=1),
        ),
        graph_panel(
            Frame(
                "At work, and allowed",
                "How many trainers work, and how many may at once on all hosts together, which the "
                "coordinator decides every few seconds; its page says why.",
                NO_TRAINER,
                12,
                7,
            ),
            [
                Query(f"max({every(TRAINERS, state=TrainerState.WORKING)})", "at work"),
                Query(f"sum({once(TRAINERS_LIMIT.name)})", "may work"),
            ],
            Look(COUNT, minimum=0, reach=1),
            limits=["may work"],
            colours={"may work": GREY},
        ),
        graph_panel(
            Frame("Candles", "Worked through by all trainers, over 5 minutes.", NO_TRAINER, 12, 7),
            [Query("nighttrain:trainer_candle_rows:rate5m", "candles")],
            Look(PER_SECOND, decimals=0, minimum=0, reach=100),
        ),
    ]


def _caches() -> list[Panel]:
    return [
        graph_panel(
            Frame(
                "Cache hits",
                "Share of look-ups in the hour before that found candles, features or fetched objects ready. "
                "Low at the start of a night on new candles, high after it; low all night: the cache is not "
                "shared, or too small.",
                "No look-ups in the hour before, or no trainer is scraped",
                12,
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
                12,
                8,
            ),
            [Query(f"max by (cache) ({TRAINER_CACHE_SIZE.name})", "{{cache}}")],
            Look(BYTES, minimum=0),
            Drawing.STACKED,
        ),
        graph_panel(
            Frame(
                "Fetched and dropped",
                "Candles that came from an object store, and what was dropped to keep caches within their "
                "bound, over 5 minutes. Both all night: `max_cache` is too small for the night.",
                NO_TRAINER,
                12,
                7,
            ),
            [
                Query(f"sum(rate({TRAINER_CACHE_FETCHED.name}[5m]))", "fetched"),
                Query(f"sum(rate({TRAINER_CACHE_DROPPED.name}[5m]))", "dropped"),
            ],
            Look(BYTES_PER_SECOND, minimum=0, reach=1),
        ),
        graph_panel(
            Frame(
                "Files dropped",
                "Files of candles and objects that were used longest ago, a minute, over 5 minutes.",
                NO_TRAINER,
                12,
                7,
            ),
            [Query(f"60 * sum(rate({TRAINER_CACHE_DROPPED_FILES.name}[5m]))", "files")],
            Look(PER_MINUTE, minimum=0, reach=1),
        ),
    ]
