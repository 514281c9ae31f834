"""Section of the board *Coordinator*: the host's memory, processors and disk."""

from __future__ import annotations

from common.metrics.declarations import (
    HOST_CPUS,
    HOST_DISK_FREE,
    HOST_DISK_SIZE,
    HOST_MEMORY_AVAILABLE,
    HOST_MEMORY_SIZE,
)
from grafana.generator.alerts import firing
from grafana.generator.panels import graph_panel, stat_panel
from grafana.generator.queries import Query
from grafana.generator.style import BYTES, CORES, RATIO, SECONDS, Frame, Look, Panel

DOWN = "The coordinator, which measures its host, does not answer"


def machine() -> list[Panel]:
    """Return the panels."""
    return [
        _share(
            "Memory in use",
            "Above the line an alert fires; no job is handed out from `memory_threshold` on.",
            "memory",
            "NighttrainHostMemoryHigh",
        ),
        _share("CPU in use", "Above the line an alert fires.", "cpu", "NighttrainHostCpuHigh"),
        _share(
            "Disk in use",
            "Of the file system with the night's files. Above the line an alert fires.",
            "disk",
            "NighttrainHostDiskFull",
        ),
        stat_panel(
            Frame("Cores", "Logical CPUs of the host.", "unknown", 4, 4),
            [Query(f"max({HOST_CPUS.name})", "cores")],
            Look(CORES),
        ),
        stat_panel(
            Frame("Memory", "Of the host: in all, and what can be had without swapping.", "unknown", 6, 4),
            [
                Query(f"max({HOST_MEMORY_SIZE.name})", "in all"),
                Query(f"max({HOST_MEMORY_AVAILABLE.name})", "available"),
            ],
            Look(BYTES),
        ),
        stat_panel(
            Frame("Disk", "Of the file system with the night's files: in all, and free.", "unknown", 6, 4),
            [Query(f"max({HOST_DISK_SIZE.name})", "in all"), Query(f"min({HOST_DISK_FREE.name})", "free")],
            Look(BYTES),
        ),
        stat_panel(
            Frame(
                "Disk at the end of the night",
                "Free space when the night ends, if it goes on shrinking as in the last 2 hours. Red, "
                "below zero: an alert fires.",
                "no run",
                4,
                4,
            ),
            [Query("nighttrain:host_disk_free_at_night_end:bytes", "free")],
            Look(BYTES, firing("NighttrainHostDiskWillFill")),
        ),
        stat_panel(
            Frame(
                "Night left",
                "Time until the window closes, or else until the run has very likely ended.",
                "no run",
                4,
                4,
            ),
            [Query("nighttrain:night_remaining:seconds", "left")],
            Look(SECONDS, decimals=1),
        ),
    ]


def _share(title: str, description: str, what: str, alert: str) -> Panel:
    return graph_panel(
        Frame(title, description, DOWN, 8, 8),
        [Query(f"nighttrain:host_{what}_used:ratio", what)],
        Look(RATIO, firing(alert), minimum=0, maximum=1),
    )
