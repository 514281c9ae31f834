"""The same cells under what people schedule with: `python -m tests.bench.peers joblib --data DIR`.

Each has what its documentation advises for work of this kind: one process a core, one thread in each, no
dashboard; and features that several horizons share are computed once where the tool can say so (dask's graph,
ray's object store, joblib's memory on disk). The pool of processes is what a script has without any.
Prints one line of JSON: seconds from the first line of the program on, cells trained, and their mean AUC.
"""

from __future__ import annotations

import time

BEGAN = time.perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable, Iterable  # noqa: E402
from concurrent.futures import ProcessPoolExecutor  # noqa: E402
from itertools import product  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import fmean  # noqa: E402

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_threads] = "1"

from tests.bench.peers.cell import Matrix, fit, matrix, train  # noqa: E402

Cell = tuple[str, str, int]
Scores = list[float | None]


def pool(folder: Path, cells: list[Cell], workers: int) -> Scores:
    with ProcessPoolExecutor(workers) as processes:
        return [one.result() for one in [processes.submit(train, folder, *cell) for cell in cells]]


def joblib(folder: Path, cells: list[Cell], workers: int) -> Scores:
    from joblib import Memory, Parallel, delayed, parallel_config

    with tempfile.TemporaryDirectory(prefix="joblib-memory-") as kept:
        # Read back as a memory map, as its documentation has it for arrays that processes share.
        remembered = Memory(kept, mmap_mode="r", verbose=0).cache(_matrix)
        with parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
            # One horizon first, so that what the others share is there and not computed three times at once.
            firsts = {cell[:2]: cell for cell in reversed(cells)}
            Parallel()(delayed(remembered)(folder, *of) for of in firsts)
            return list(Parallel()(delayed(_fit_remembered)(remembered, folder, *cell) for cell in cells))


def dask(folder: Path, cells: list[Cell], workers: int) -> Scores:
    from dask import compute, delayed
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.ERROR
    )
    with cluster, Client(cluster):
        shared = {cell[:2]: delayed(_matrix)(folder, *cell[:2]) for cell in cells}
        return list(compute(*(delayed(_fit)(shared[cell[:2]], cell[2]) for cell in cells)))


def ray(folder: Path, cells: list[Cell], workers: int) -> Scores:
    import ray as library

    library.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        of, then = library.remote(_matrix), library.remote(_fit)
        shared = {cell[:2]: of.remote(folder, *cell[:2]) for cell in cells}
        return list(library.get([then.remote(shared[cell[:2]], cell[2]) for cell in cells]))
    finally:
        library.shutdown()


PEERS: dict[str, Callable[[Path, list[Cell], int], Scores]] = {
    "pool": pool,
    "joblib": joblib,
    "dask": dask,
    "ray": ray,
}


def _matrix(folder: Path, symbol: str, timeframe: str) -> Matrix | None:
    try:
        return matrix(folder, symbol, timeframe)
    except LookupError:
        return None


def _fit(of: Matrix | None, horizon: int) -> float | None:
    return None if of is None else fit(of, horizon)


def _fit_remembered(
    remembered: Callable[..., Matrix | None], folder: Path, symbol: str, timeframe: str, horizon: int
) -> float | None:
    return _fit(remembered(folder, symbol, timeframe), horizon)


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m tests.bench.peers", description=__doc__)
    parser.add_argument("peer", choices=sorted(PEERS))
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with candles")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--symbols", nargs="+", required=True)
    parser.add_argument("--timeframes", nargs="+", required=True)
    parser.add_argument("--horizons", nargs="+", type=int, required=True)
    asked = parser.parse_args(None if arguments is None else list(arguments))
    cells = list(product(asked.symbols, asked.timeframes, asked.horizons))
    trained = [score for score in PEERS[asked.peer](asked.data, cells, asked.workers) if score is not None]
    took = time.perf_counter() - BEGAN
    print(json.dumps({"seconds": took, "trained": len(trained), "auc": fmean(trained) if trained else None}))


if __name__ == "__main__":
    main()
