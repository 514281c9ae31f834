"""A small night on real rows, for what jobs cost on this machine: some seconds, kept nowhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from cli.local.candles_at_hand import make_sample
from common.errors import DataError, InternalError
from common.objects.address import Place
from common.protocol.results import Results
from common.settings.night import NightSettings
from common.timeframes import Timeframe

SAMPLE_DAYS = 240
MOST_ROWS = 120_000
"""The larger series of the calibration has about so many rows at most."""

SIZES = (1, 4)
"""Shares of the rows of the larger series that both series of the calibration have, as divisors."""


def calibrate(
    settings: NightSettings, data: Place | None, symbol: str, days: float, check: Callable[[], None]
) -> Results:
    """Train a few cells of one symbol, and return the results of that small night.

    Parameters
    ----------
    settings : NightSettings
        Folds and values of C.
    data : Path, str or None
        The candles; None makes a small sample.
    symbol : str
        Whose candles.
    days : float
        About how long its candles are.
    check : callable
        Called while it runs; may raise to stop.

    Raises
    ------
    DataError
        The symbol cannot be trained.
    InternalError
        The small night failed.
    """
    with tempfile.TemporaryDirectory(prefix="nighttrain-calibration-") as folder:
        place = Path(folder)
        if data is None:
            data, days = place / "sample", SAMPLE_DAYS
            _quietly(lambda: make_sample(place / "sample", (symbol,), SAMPLE_DAYS, settings.data.sample.seed))
        given = settings.model_dump(mode="json") | {
            "symbols": [symbol],
            "timeframes": _timeframes(settings, days),
            "horizons": [1, 3],
            "num_workers": 1,
            "dashboard": {"enabled": False},
            "window": None,
            "database_url": "",
            "artifacts": "",
            "training": True,
        }
        config = place / "night.json"
        config.write_text(json.dumps(given), encoding="utf-8")
        command = [sys.executable, "-m", "cli", "run", "--config", str(config), "--data", str(data)]
        return _night([*command, "--out", str(place / "out"), "--json"], check)


def _timeframes(settings: NightSettings, days: float) -> list[str]:
    offered = [one for one in Timeframe if one.seconds >= min(map(_seconds, settings.timeframes))]

    def at_most(rows: float) -> Timeframe:
        return next((one for one in offered if days * 86400 / one.seconds <= rows), offered[-1])

    larger = at_most(MOST_ROWS)
    return list(dict.fromkeys([larger, at_most(days * 86400 / larger.seconds / SIZES[1])]))


def _seconds(timeframe: str) -> int:
    return Timeframe(timeframe).seconds


def _night(command: list[str], check: Callable[[], None]) -> Results:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BT_NIGHT_")}
    with subprocess.Popen(
        command, env=kept, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            while True:
                try:
                    out, err = process.communicate(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    check()
        except BaseException:
            process.send_signal(signal.SIGTERM)
            process.communicate()
            raise
    try:
        night = Results.model_validate_json(out)
    except ValidationError:
        lines = err.strip().splitlines()
        raise InternalError(f"the calibration failed: {lines[-1] if lines else 'it said nothing'}") from None
    failed = next((job.message for job in night.jobs if job.message), "")
    if night.totals.succeeded == 0:
        raise DataError(f"the calibration could train nothing: {failed}", "nighttrain data check says why")
    return night


def _quietly(work: Callable[[], None]) -> None:
    import contextlib
    import io

    with contextlib.redirect_stderr(io.StringIO()):
        work()
