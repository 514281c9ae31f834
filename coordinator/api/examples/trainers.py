"""Examples of what trainers send and are answered: a night of the default grid, for the OpenAPI document.

Job 17 is the cell BTCUSDT_1h_H3. Of a long document one fold and two features are shown, and it says so.
"""

from __future__ import annotations

import hashlib
from typing import Any

from common.settings.night import NightSettings

Json = dict[str, Any]
"""A document as it is sent."""


def digest(text: str) -> str:
    """Return a digest that looks like one, for an example."""
    return hashlib.sha256(text.encode()).hexdigest()


GIB = 1024**3
CONFIG: Json = NightSettings().grid_config()
POLICY: Json = CONFIG["data"]
CELL = {"symbol": "BTCUSDT", "timeframe": "1h", "horizon": 3}
SPAN = {"start": "2024-03-01T00:00:00Z", "end": "2026-03-01T00:00:00Z"}
BARS = {"1m": 1_051_200, "5m": 210_240, "15m": 70_080, "1h": 17_520, "4h": 4_380, "1d": 730}
DIGESTS = {timeframe: digest(f"BTCUSDT {timeframe}") for timeframe in BARS}
PICKLE = digest("BTCUSDT_1h_H3")

# --- A trainer and its work ---------------------------------------------------------------------------------

HELLO = {
    "name": "trainer-1",
    "boot_id": "0c6f1f6e2a7d4c0f",
    "host": "e2b1c7d0",
    "limit_kind": "cgroup",
    "memory_limit_bytes": 2 * GIB,
    "version": "0.1.0",
}
WELCOME = {"lease_seconds": 30.0, "renew_seconds": 10.0, "lost_leases": 0}
CLAIM = {
    "boot_id": HELLO["boot_id"],
    "pressure": {
        "memory_total_bytes": 16 * GIB,
        "memory_available_bytes": 9 * GIB,
        "cpu_ratio": 0.42,
    },
    "last_symbol": "BTCUSDT",
}
SURVEY_SPEC = {"kind": "survey", "symbol": "BTCUSDT", "timeframes": [*BARS], "policy": POLICY}
TRAINING_SPEC = {
    "kind": "training",
    "cell": CELL,
    "n_splits": 5,
    "embargo_minutes": 30,
    "Cs": CONFIG["model"]["C"],
    "min_train_rows": 100,
    "min_test_rows": 40,
    "data_digests": {timeframe: DIGESTS[timeframe] for timeframe in ("1h", "4h", "1d")},
    "synthetic": False,
    "policy": POLICY,
}
GRANT = {
    "lease_id": "5f3c0c6f9d8e4b0fa1b2c3d4e5f60718",
    "job_id": 17,
    "run_id": 1,
    "attempt": 1,
    "spec": TRAINING_SPEC,
    "memory_limit_bytes": 2 * GIB,
    "deadline_seconds": 600.0,
    "checkpoint": None,
    "champion": None,
}
SURVEY_GRANT = GRANT | {"lease_id": "a4be92d7c61f4f0f8d0a37c5e1b26f90", "job_id": 1, "spec": SURVEY_SPEC}
PROGRESS = {
    "stage": "folds",
    "done": 4,
    "total": 11,
    "memory_bytes": 402_653_184,
    "peak_memory_bytes": 536_870_912,
}
RENEWAL = {"progress": PROGRESS}
RENEWED = {"directive": "continue", "expires_in_seconds": 30.0}
FAILURE = {
    "cause": "oom",
    "message": "the child was killed by the kernel: out of memory",
    "evidence": "oom_kill of the cgroup rose from 0 to 1; peak 2147479552 of 2147483648 bytes",
    "seconds": 12.8,
    "peak_memory_bytes": 2_147_479_552,
    "memory_limit_bytes": 2 * GIB,
}
FAILED = {"state": "queued", "retry_in_seconds": 1.7}
GIVEN_UP = {"state": "failed", "retry_in_seconds": None}
RELEASE = {"cause": "stopped", "seconds": 7.25, "peak_memory_bytes": 536_870_912}

# --- What it brings back ------------------------------------------------------------------------------------

SCORES = {
    "auc": 0.5412,
    "brier": 0.2481,
    "accuracy": 0.5297,
    "log_loss": 0.6893,
    "base_rate": 0.5074,
    "n": 14_545,
}
FOLD_SCORES = SCORES | {"auc": 0.5438, "n": 2_909}
RESULT_FOLD = {
    "index": 0,
    "train_rows": 2_912,
    "test_rows": 2_909,
    "train_span": {"start": "2024-03-03T12:00:00Z", "end": "2024-07-02T20:00:00Z"},
    "test_span": {"start": "2024-07-03T00:00:00Z", "end": "2024-11-01T05:00:00Z"},
    "last_train_label_end": "2024-07-02T23:00:00Z",
    "C": 0.0001,
    "C_chosen_from": [],
    "log_losses": [0.6927, 0.6919, 0.6903, 0.6898, 0.6907],
    "scores": FOLD_SCORES,
}
FOLD = RESULT_FOLD | {
    "means": [0.0003, 0.0142],
    "scales": [1.0021, 0.9874],
    "coefficients": [
        [-0.001, 0.0007],
        [-0.0062, 0.0041],
        [-0.0213, 0.0127],
        [-0.0321, 0.0168],
        [-0.0345, 0.0174],
    ],
    "intercepts": [0.0291, 0.0291, 0.0292, 0.0292, 0.0292],
    "iterations": 19,
}
CHECKPOINT = {"version": "nighttrain.checkpoint/1", "inputs": digest("inputs"), "folds": [FOLD]}
CERTIFICATE = {
    "checks": [
        {
            "name": "labels",
            "passed": True,
            "checked": 5,
            "detail": "training labels of 5 folds end 30 minutes or more before the test",
        }
    ]
}
MANIFEST = {
    "version": "nighttrain.manifest/1",
    "cell": CELL,
    "synthetic": False,
    "features": ["return_1", "rsi_14"],
    "feature_version": "1",
    "means": [0.0001, 0.0118],
    "scales": [1.0009, 0.9911],
    "coefficients": [-0.0297, 0.0153],
    "intercept": 0.0296,
    "C": 0.001,
    "fold_models": [
        {
            "trained_until": "2024-07-02T23:00:00Z",
            "means": [0.0003, 0.0142],
            "scales": [1.0021, 0.9874],
            "coefficients": [-0.0213, 0.0127],
            "intercept": 0.0292,
        }
    ],
    "embargo_minutes": 30,
    "trained_rows": 17_457,
    "trained_span": {"start": "2024-03-03T12:00:00Z", "end": "2026-02-28T21:00:00Z"},
    "scores": SCORES,
    "p_value": 0.0004,
    "certificate": CERTIFICATE,
    "lineage": {"candles_1h": DIGESTS["1h"], "inputs": CHECKPOINT["inputs"], "scikit-learn": "1.9.1"},
    "pickle_sha256": PICKLE,
}
TRAINING_REPORT = {
    "cell": CELL,
    "rows": 17_457,
    "span": MANIFEST["trained_span"],
    "scores": SCORES,
    "folds": [FOLD],
    "p_value": 0.0004,
    "certificate": CERTIFICATE,
    "champion": {
        "champion": digest("the champion"),
        "rows_compared": 24,
        "scores": SCORES | {"auc": 0.5311, "n": 24},
        "challenger_scores": SCORES | {"n": 24},
        "detail": "24 of 14545 out-of-fold rows, by 1 of the champion's 6 models",
    },
    "manifest": MANIFEST,
    "stage_seconds": {"features": 0.6, "labels": 0.01, "folds": 2.9, "final": 0.7, "certificate": 1.1},
    "resumed_folds": 0,
}
SURVEY_REPORT = {
    "symbol": "BTCUSDT",
    "synthetic": False,
    "files": ["BTCUSDT/BTCUSDT_1m.parquet"],
    "series": [
        {
            "timeframe": timeframe,
            "source": "native" if timeframe == "1m" else "resampled from 1m",
            "rows": rows,
            "span": SPAN,
            "digest": DIGESTS[timeframe],
            "missing": 0,
            "segments": 1,
            "quote_volume_per_day": 1_871_204_533.5,
            "refusal": "",
        }
        for timeframe, rows in BARS.items()
    ],
    "findings": [
        {
            "defect": "duplicate_equal",
            "timeframe": "1m",
            "count": 2,
            "action": "dropped",
            "first": "2024-11-03 01:00 UTC",
            "detail": "2 repeated bars with equal values were dropped, first 2024-11-03 01:00 UTC in"
            " BTCUSDT/BTCUSDT_1m.parquet.",
        }
    ],
    "quote_volume_per_day": 1_871_204_533.5,
    "cache_hit": False,
}
FINISH = {
    "result": TRAINING_REPORT,
    "artifact_sha256": PICKLE,
    "seconds": 5.9,
    "peak_memory_bytes": 612_368_384,
}
SURVEY_FINISH = {
    "result": SURVEY_REPORT,
    "artifact_sha256": "",
    "seconds": 21.4,
    "peak_memory_bytes": 904_921_088,
}
