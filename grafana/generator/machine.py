"""Section of the board *Coordinator*: the host's memory, processors and disks."""

from __future__ import annotations

from common.metrics.declarations import (
    COORDINATOR_MEMORY_LIMIT,
    COORDINATOR_MEMORY_USAGE,
    HOST_CPU,
    HOST_CPUS,
    HOST_DISK_FREE,
    HOST_DISK_SIZE,
    HOST_MEMORY_AVAILABLE,
    HOST_MEMORY_SIZE,
    TRAINER_CACHE_DISK_FREE,
)
from grafana.generator.alerts import firing
from grafana.generator.panels import Drawing, graph_panel, stat_panel
from grafana.generator.queries import Query
from grafana.generator.style import BYTES, CORES, RATIO, Frame, Look, Panel

DOWN = "The coordinator, which measures its host, does not answer"
UNKNOWN = "unknown"


def machine() -> list[Panel]:
    """Return the panels."""
    return [
        graph_panel(
            Frame(
                "Memory in use",
                "Of the host, and of what the coordinator itself may take. Above the line an alert fires; no "
                "job is handed out from `memory_threshold` of the host on.",
                DOWN,
                12,
                9,
            ),
            [
                Query("nighttrain:host_memory_used:ratio", "host"),
                Query("nighttrain:coordinator_memory_used:ratio", "coordinator"),
            ],
            Look(RATIO, firing("NighttrainHostMemoryHigh"), minimum=0, maximum=1),
        ),
        graph_panel(
            Frame(
                "CPU in use",
                "Over 2 minutes; waiting for a disk is not counted. Above the line an alert fires.",
                DOWN,
                12,
                9,
            ),
            [Query("nighttrain:host_cpu_used:ratio", "host")],
            Look(RATIO, firing("NighttrainHostCpuHigh"), minimum=0, maximum=1),
        ),
        graph_panel(
            Frame(
                "Disks in use",
                "Of the file systems with the night's files and with the trainers' caches, which may be one. "
                "Above the line an alert fires.",
                DOWN,
                12,
                9,
            ),
            [
                Query("nighttrain:host_disk_used:ratio", "night's files"),
                Query("nighttrain:cache_disk_used:ratio", "caches"),
            ],
            Look(RATIO, firing("NighttrainHostDiskFull"), minimum=0, maximum=1),
        ),
        graph_panel(
            Frame("CPU by mode", "Cores' worth of the host's time, over 2 minutes.", DOWN, 12, 9),
            [Query(f"avg by (mode) (rate({HOST_CPU.name}[2m]))", "{{mode}}")],
            Look(CORES, decimals=1, minimum=0, reach=1),
            Drawing.STACKED,
        ),
        stat_panel(
            Frame("Cores", "Logical CPUs of the host.", UNKNOWN, 4, 4),
            [Query(f"max({HOST_CPUS.name})", "cores")],
            Look(CORES),
        ),
        stat_panel(
            Frame("Host memory", "In all, and what can be had without swapping.", UNKNOWN, 4, 4),
            [
                Query(f"max({HOST_MEMORY_SIZE.name})", "in all"),
                Query(f"max({HOST_MEMORY_AVAILABLE.name})", "available"),
            ],
            Look(BYTES, decimals=0),
        ),
        stat_panel(
            Frame(
                "Own memory",
                "Memory that the coordinator may take, and what it takes. Without a limit of its own it may "
                "take all that the host has.",
                UNKNOWN,
                4,
                4,
            ),
            [
                Query(f"max({COORDINATOR_MEMORY_LIMIT.name})", "may take"),
                Query(f"max({COORDINATOR_MEMORY_USAGE.name})", "takes"),
            ],
            Look(BYTES, decimals=0),
        ),
        stat_panel(
            Frame("Disk", "Of the file system with the night's files: in all, and free.", UNKNOWN, 4, 4),
            [
                Query(f"max({HOST_DISK_SIZE.name})", "in all"),
                Query(f"min({HOST_DISK_FREE.name})", "free"),
            ],
            Look(BYTES, decimals=0),
        ),
        stat_panel(
            Frame("Caches' disk", "Free space on the file system with the trainers' caches.", UNKNOWN, 4, 4),
            [Query(f"min({TRAINER_CACHE_DISK_FREE.name})", "free")],
            Look(BYTES, decimals=0),
        ),
        stat_panel(
            Frame(
                "Disk at end",
                "Free space when the night ends, if it goes on shrinking as in the last 2 hours. Red, "
                "below zero: an alert fires. The night's end: the closing of the window, or else of the run.",
                "no run",
                4,
                4,
            ),
            [
                Query("nighttrain:host_disk_free_at_night_end:bytes", "free"),
            ],
            Look(BYTES, firing("NighttrainHostDiskWillFill"), decimals=0),
        ),
    ]
