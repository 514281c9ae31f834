"""What can be trusted, measured: ``python -m tests.trust`` prints one table.

Each line says what is promised and what was measured on inputs made with ``--seed``, by the code that a night
runs, whole small nights by the real command among them. The exit code is 1 if a line is not as promised.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

# One thread, as a trainer has: what is measured is what it computes.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from tests.trust.forgeries import certificates
from tests.trust.futures import scrambled_futures
from tests.trust.gaps import gaps
from tests.trust.luck import with_direction, without_direction
from tests.trust.outcome import Outcome, Setup
from tests.trust.planted import planted
from tests.trust.sources import sources
from tests.trust.table import as_json, markdown, verdict
from tests.trust.ties import ties
from tests.trust.weeks import weeks

CHECKS: dict[str, Callable[[Setup], Iterator[Outcome]]] = {
    "futures": scrambled_futures,
    "nulls": without_direction,
    "power": with_direction,
    "forgeries": certificates,
    "ties": ties,
    "sources": sources,
    "gaps": gaps,
    "planted": planted,
    "weeks": weeks,
}


def measure(names: list[str], seed: int, small: bool) -> list[Outcome]:
    """Run checks one after the other; one that breaks is a line that failed."""
    outcomes: list[Outcome] = []
    for name in names:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"trust-{name}-") as folder:
            setup = Setup(seed, small, Path(folder), lambda words, name=name: _say(f"{name}: {words}"))
            try:
                outcomes += CHECKS[name](setup)
            except Exception as error:
                traceback.print_exc()
                outcomes.append(Outcome(name, "an answer", f"{type(error).__name__}", "", False))
        _say(f"{name}: {time.monotonic() - started:.0f} s\n")
    return outcomes


def _say(words: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{words}")
        sys.stderr.flush()
    elif words.endswith("\n"):
        sys.stderr.write(words)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.trust", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a small part, as the tests run it")
    parser.add_argument("--json", action="store_true", help="print a document instead of a table")
    parser.add_argument("--only", nargs="+", choices=CHECKS, metavar="NAME", help=", ".join(CHECKS))
    parser.add_argument("--seed", type=int, default=1, help="of all inputs (1)")
    options = parser.parse_args(arguments)
    outcomes = measure(options.only or list(CHECKS), options.seed, options.small)
    if options.json:
        sys.stdout.write(as_json(outcomes, options.seed, options.small))
    else:
        sys.stdout.write(f"{markdown(outcomes)}\n{verdict(outcomes)} (seed {options.seed})\n")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
