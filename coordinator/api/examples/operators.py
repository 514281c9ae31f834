"""Examples of what operators send and are answered: the night of `examples.trainers`, at 22:20."""

from __future__ import annotations

from coordinator.api.examples.trainers import (
    CELL,
    CONFIG,
    GIB,
    HELLO,
    MANIFEST,
    PROGRESS,
    RESULT_FOLD,
    SCORES,
    SURVEY_REPORT,
    TRAINING_REPORT,
    TRAINING_SPEC,
    Json,
)

BEGAN = "2026-03-02T22:00:00Z"

# --- Runs ---------------------------------------------------------------------------------------------------

RUN_REQUEST = {"config": CONFIG, "fresh": False}
NO_JOBS = {"queued": 0, "leased": 0, "succeeded": 0, "failed": 0, "cancelled": 0}
RUN: Json = {
    "id": 1,
    "state": "running",
    "config": CONFIG,
    "synthetic": False,
    "created": BEGAN,
    "finished": None,
    "surveys": NO_JOBS | {"succeeded": 6},
    "training": NO_JOBS | {"queued": 80, "leased": 1, "succeeded": 26, "failed": 1},
    "progress_ratio": 0.25,
    "promoted": 0,
    "results_path": "",
}
BEGUN: Json = RUN | {
    "surveys": NO_JOBS | {"queued": 6},
    "training": NO_JOBS | {"queued": 108},
    "progress_ratio": 0.0,
}
CANCELLED: Json = RUN | {
    "state": "cancelled",
    "finished": "2026-03-02T22:20:00Z",
    "training": NO_JOBS | {"succeeded": 26, "failed": 1, "cancelled": 81},
    "progress_ratio": 1.0,
}
RUN_PAGE: Json = {"total": 1, "limit": 20, "offset": 0, "runs": [RUN]}

# --- Jobs ---------------------------------------------------------------------------------------------------

ATTEMPT: Json = {
    "number": 1,
    "trainer": HELLO["name"],
    "host": HELLO["host"],
    "outcome": "succeeded",
    "cause": None,
    "charged": True,
    "message": "",
    "evidence": "",
    "started": "2026-03-02T22:14:00Z",
    "ended": "2026-03-02T22:14:06Z",
    "seconds": 5.9,
    "peak_memory_bytes": 612_368_384,
    "memory_limit_bytes": 2 * GIB,
}
JOB: Json = {
    **CELL,
    "id": 17,
    "run_id": 1,
    "kind": "training",
    "state": "succeeded",
    "cause": None,
    "message": "",
    "waits": "",
    "rows": 17_520,
    "attempts": 1,
    "trainer": ATTEMPT["trainer"],
    "progress": None,
    "created": BEGAN,
    "started": ATTEMPT["started"],
    "finished": ATTEMPT["ended"],
    "seconds": ATTEMPT["seconds"],
    "peak_memory_bytes": ATTEMPT["peak_memory_bytes"],
    "scores": SCORES,
    "p_value": MANIFEST["p_value"],
    "promoted": None,
    "refused_by": [],
    "reasons": [],
}
UNTRIED: Json = {
    "attempts": 0,
    "trainer": "",
    "started": None,
    "finished": None,
    "seconds": None,
    "peak_memory_bytes": None,
    "scores": None,
    "p_value": None,
}
QUEUED: Json = (
    JOB
    | UNTRIED
    | {
        "id": 20,
        "timeframe": "4h",
        "state": "queued",
        "waits": "it waits for a free trainer; 3 jobs are ahead of it",
        "rows": 4_380,
    }
)
JOB_PAGE: Json = {"total": 108, "limit": 2, "offset": 10, "jobs": [JOB, QUEUED]}
JOB_DETAIL: Json = JOB | {
    "spec": TRAINING_SPEC,
    "history": [ATTEMPT],
    "checkpoint": None,
    "survey": None,
    "report": TRAINING_REPORT,
}

# --- Results ------------------------------------------------------------------------------------------------

RESULTS: Json = {
    "schema": "nighttrain.results/1",
    "run": 1,
    "config": CONFIG,
    "synthetic": False,
    "started": BEGAN,
    "finished": "2026-03-02T23:31:10Z",
    "totals": {
        "jobs": 108,
        "succeeded": 107,
        "failed": 1,
        "cancelled": 0,
        "promoted": 9,
        "attempts": 116,
        "wall_seconds": 5470.0,
        "job_seconds": 5218.4,
        "peak_memory_bytes": 1_610_612_736,
    },
    "jobs": [
        {
            **CELL,
            "state": "succeeded",
            "cause": None,
            "message": "",
            "rows": TRAINING_REPORT["rows"],
            "span": TRAINING_REPORT["span"],
            "scores": SCORES,
            "folds": [RESULT_FOLD],
            "p_value": MANIFEST["p_value"],
            "promoted": True,
            "refused_by": [],
            "reasons": [],
            "seconds": ATTEMPT["seconds"],
            "peak_memory_bytes": ATTEMPT["peak_memory_bytes"],
            "attempts": [ATTEMPT],
        }
    ],
    "surveys": [
        {
            "symbol": "BTCUSDT",
            "state": "succeeded",
            "cause": None,
            "message": "",
            "report": SURVEY_REPORT,
            "seconds": 21.4,
            "peak_memory_bytes": 904_921_088,
            "attempts": [
                ATTEMPT
                | {
                    "started": "2026-03-02T22:00:01Z",
                    "ended": "2026-03-02T22:00:22Z",
                    "seconds": 21.4,
                    "peak_memory_bytes": 904_921_088,
                }
            ],
        }
    ],
}

# --- Alerts and the status ----------------------------------------------------------------------------------

LABELS = {"alertname": "TrainerLost", "component": "trainer", "severity": "warning", "trainer": "trainer-2"}
NOTIFICATION: Json = {
    "version": "4",
    "groupKey": '{}:{component="trainer"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "night",
    "groupLabels": {"component": "trainer"},
    "commonLabels": LABELS,
    "commonAnnotations": {},
    "externalURL": "http://alertmanager:9093",
    "alerts": [
        {
            "status": "firing",
            "labels": LABELS,
            "annotations": {
                "summary": "Trainer trainer-2 is lost",
                "description": "It fell silent while it held a job; another trainer goes on with it.",
                "runbook_url": "deploy/runbook.md#trainerlost",
            },
            "startsAt": "2026-03-02T22:12:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus:9090/graph",
            "fingerprint": "9b1c0f2a7d3e4c55",
        }
    ],
}
ALERT: Json = {
    "id": 1,
    "name": "TrainerLost",
    "severity": "warning",
    "firing": True,
    "labels": LABELS,
    "summary": "Trainer trainer-2 is lost",
    "description": "It fell silent while it held a job; another trainer goes on with it.",
    "runbook": "deploy/runbook.md#trainerlost",
    "starts": "2026-03-02T22:12:00Z",
    "ends": None,
    "received": "2026-03-02T22:12:30Z",
}
ALERT_PAGE: Json = {"total": 1, "limit": 100, "offset": 0, "alerts": [ALERT]}
SCORE: Json = {
    **CELL,
    "job_id": 17,
    "scores": SCORES,
    "p_value": MANIFEST["p_value"],
    "finished": ATTEMPT["ended"],
}
TRAINER: Json = {
    "name": HELLO["name"],
    "host": HELLO["host"],
    "state": "working",
    "job_id": 18,
    "job": "BTCUSDT_1h_H5",
    "progress": PROGRESS,
    "note": "",
    "blocked_since": None,
    "limit_kind": HELLO["limit_kind"],
    "memory_limit_bytes": HELLO["memory_limit_bytes"],
    "jobs_finished": 32,
    "last_seen": "2026-03-02T22:19:58Z",
}
STATUS: Json = {
    "time": "2026-03-02T22:20:00Z",
    "version": HELLO["version"],
    "system": {
        "cpu_count": 8,
        "cpu_ratio": 0.42,
        "memory_total_bytes": 16 * GIB,
        "memory_available_bytes": 12 * GIB,
        "memory_ratio": 0.25,
        "disk_total_bytes": 512 * GIB,
        "disk_free_bytes": 201 * GIB,
    },
    "night": {"open": True, "opens": None, "closes": "2026-03-03T06:00:00Z"},
    "run": RUN,
    "eta": {"p50": "2026-03-02T23:28:00Z", "p90": "2026-03-02T23:41:00Z"},
    "speed": {"jobs_per_hour": 82.5, "rows_per_second": 3160.0},
    "best": SCORE,
    "last": SCORE,
    "trainers": [TRAINER],
    "recent_jobs": [JOB],
    "alerts": [ALERT],
    "warnings": ["trainer trainer-2 fell silent 480 s ago while it held a job"],
}
UP = {"status": "ok", "detail": "up"}
READY = {"status": "ok", "detail": "database at schema 0003"}
METRICS = """\
# HELP nighttrain_run_jobs Jobs of the current run, by kind and state.
# TYPE nighttrain_run_jobs gauge
nighttrain_run_jobs{kind="training",state="queued"} 80.0
"""
