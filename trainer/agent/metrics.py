"""GET /metrics and /healthz of a trainer: what it does, what its job takes, and what it may take at most."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from prometheus_client import make_wsgi_app, start_http_server
from prometheus_client.registry import Collector

from common.errors import ConfigurationError
from common.host import ControlGroup, usable_cores
from common.metrics import declarations as metrics
from common.metrics.exposition import Family, Readings, process_registry
from common.protocol.jobs import SurveySpec
from common.protocol.trainers import Grant, LimitKind, TrainerHello
from trainer.agent.stop_request import StopRequest
from trainer.agent.vitals import Phase, Vitals

STUCK_SECONDS = 90.0
"""An agent that waits for its next claim or an answer is heard of more often than that."""

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class TrainerCollector(Collector):
    """Reads the trainer as it is at each scrape.

    Parameters
    ----------
    vitals : Vitals
        What the agent says of itself.
    hello : TrainerHello
        Who it is, and what a job may take.
    group : ControlGroup
        Its control group.
    cache_dir : Path
        The folder of its caches.
    stop : StopRequest
        Whether it was asked to stop.
    """

    def __init__(
        self, vitals: Vitals, hello: TrainerHello, group: ControlGroup, cache_dir: Path, stop: StopRequest
    ) -> None:
        self.vitals = vitals
        self.hello = hello
        self.group = group
        self.cache_dir = cache_dir
        self.stop = stop
        self._by_kernel = hello.limit_kind is LimitKind.CGROUP
        self._cpu_seconds = 0.0

    def collect(self) -> Iterator[Family]:
        """Yield what is true now."""
        readings = Readings(trainer=self.hello.name)
        hello = self.hello
        readings.info(metrics.BUILD_INFO, version=hello.version, python=platform.python_version())
        readings.info(metrics.TRAINER_INFO, limit_kind=hello.limit_kind)
        self._read_work(readings)
        self._read_memory(readings)
        self._read_processors(readings)
        self._read_caches(readings)
        yield from readings.families()

    def _read_work(self, readings: Readings) -> None:
        vitals = self.vitals
        phase = Phase.STOPPING if self.stop.is_made else vitals.phase
        grant, progress = vitals.grant, vitals.progress
        readings.state(metrics.TRAINER_STATE, phase)
        if grant is not None:
            readings.info(metrics.TRAINER_JOB_INFO, **_job_labels(grant), stage=progress.stage)
        readings.put(metrics.TRAINER_JOB_STEPS, float(progress.total))
        readings.put(metrics.TRAINER_JOB_STEPS_DONE, float(progress.done))
        readings.put(metrics.TRAINER_CHILD_MEMORY, float(progress.memory_bytes))
        readings.put(metrics.TRAINER_CHILD_PEAK, float(progress.peak_memory_bytes))
        readings.put(metrics.TRAINER_ROWS, float(vitals.rows))
        readings.counts(metrics.TRAINER_JOBS, vitals.jobs.copy())
        readings.put(metrics.TRAINER_UNSENT, vitals.unsent_seconds)
        readings.counts(metrics.TRAINER_COORDINATOR_ERRORS, vitals.errors.copy())

    def _read_memory(self, readings: Readings) -> None:
        grant, group = self.vitals.grant, self.group
        limit = grant.memory_limit_bytes if grant is not None else self.hello.memory_limit_bytes
        usage = self.vitals.progress.memory_bytes
        kills = self.vitals.memory_kills
        if self._by_kernel:
            limit = group.memory_limit_bytes() or limit
            usage = max(0, (group.memory_usage_bytes() or 0) - group.reclaimable_bytes())
            kills += group.oom_kills() or 0
        readings.put(metrics.TRAINER_MEMORY_LIMIT, float(limit))
        readings.put(metrics.TRAINER_MEMORY_USAGE, float(usage))
        readings.put(metrics.TRAINER_OOM_KILLS, float(kills))

    def _read_processors(self, readings: Readings) -> None:
        used = self.group.cpu_seconds() if self._by_kernel else None
        # A child that is buried between two looks would take its time with it for a moment.
        self._cpu_seconds = max(self._cpu_seconds, _family_seconds() if used is None else used)
        readings.put(metrics.TRAINER_CPU, self._cpu_seconds)
        readings.put(metrics.TRAINER_CPU_THROTTLED, self.group.cpu_throttled_seconds())
        readings.put(metrics.TRAINER_CPUS, usable_cores(self.group))

    def _read_caches(self, readings: Readings) -> None:
        readings.counts(metrics.TRAINER_CACHE_REQUESTS, self.vitals.lookups.copy())
        counts = self.vitals.counts
        readings.put(metrics.TRAINER_CACHE_FETCHED, float(counts["fetched_bytes"]))
        readings.put(metrics.TRAINER_CACHE_DROPPED_FILES, float(counts["dropped_files"]))
        readings.put(metrics.TRAINER_CACHE_DROPPED, float(counts["dropped_bytes"]))
        # A disk that does not answer holds up a scrape and nothing else; its trainer says so itself.
        with suppress(OSError):
            disk = shutil.disk_usage(self.cache_dir)
            readings.put(metrics.TRAINER_CACHE_DISK_SIZE, float(disk.total))
            readings.put(metrics.TRAINER_CACHE_DISK_FREE, float(disk.free))
        for cache, size in _cache_bytes(self.cache_dir).items():
            readings.put(metrics.TRAINER_CACHE_SIZE, float(size), cache=cache)


def serve(collector: TrainerCollector, host: str, port: int) -> None:
    """Serve /metrics and /healthz from a thread of their own, until the process ends.

    Raises
    ------
    ConfigurationError
        The port is taken, or the address is none of this machine.
    """
    registry = process_registry()
    registry.register(collector)
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        problem = f"metrics cannot be served at {host} port {port}: {error.strerror or error}"
        raise ConfigurationError(problem, "name another by --metrics-port and --metrics-host") from error
    server.set_app(_application(make_wsgi_app(registry), collector.vitals))


def _application(metrics_page: Application, vitals: Vitals) -> Application:
    def answer(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            return metrics_page(environ, start_response)
        if path != "/healthz":
            return _say("404 Not Found", "there are /metrics and /healthz", start_response)
        silence = vitals.silence_seconds
        if silence > STUCK_SECONDS:
            return _say("503 Service Unavailable", f"stuck for {silence:.0f} s", start_response)
        return _say("200 OK", vitals.phase, start_response)

    return answer


def _say(status: str, text: str, start_response: StartResponse) -> list[bytes]:
    content = f"{text}\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(content)))]
    start_response(status, headers)
    return [content]


def _job_labels(grant: Grant) -> dict[str, str]:
    spec = grant.spec
    if isinstance(spec, SurveySpec):
        return {"kind": spec.kind, "symbol": spec.symbol, "timeframe": "", "horizon": ""}
    cell = spec.cell
    return {
        "kind": spec.kind,
        "symbol": cell.symbol,
        "timeframe": cell.timeframe,
        "horizon": str(cell.horizon),
    }


def _family_seconds() -> float:
    """Return the CPU time of this process and of all that descend from it, the dead ones included."""
    seconds = 0.0
    me = psutil.Process()
    # Parents first: a child that is buried meanwhile is not counted twice.
    for process in (me, *me.children(recursive=True)):
        try:
            seconds += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return seconds


def _cache_bytes(cache_dir: Path) -> dict[str, int]:
    """Return the size of candles and objects, which have folders of their own, and of the features."""
    sizes = {"candles": 0, "features": 0, "objects": 0}
    for folder, _, names in os.walk(cache_dir):
        own = Path(folder).relative_to(cache_dir).parts
        cache = "features" if not own else "objects" if own[0] == "objects" else "candles"
        for name in names:
            # Another trainer may drop what is out of use.
            with suppress(OSError):
                sizes[cache] += Path(folder, name).lstat().st_size
    return sizes
