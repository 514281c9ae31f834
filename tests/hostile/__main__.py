"""Hostile and broken input, tried: ``python -m tests.hostile`` prints one table of attack, tries and result.

Each attack makes its inputs from ``--seed`` and sends them to the code that a night runs. What broke is
printed below the table, one line each. The exit code is 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.hostile.damage import damage
from tests.hostile.files import files
from tests.hostile.leaves import leaves
from tests.hostile.outcome import Outcome, Setup, as_json, markdown, verdict
from tests.hostile.roles import roles
from tests.hostile.rows import rows
from tests.hostile.schema import schema

ATTACKS: dict[str, Callable[[Setup], Iterator[Outcome]]] = {
    "schema": schema,
    "roles": roles,
    "files": files,
    "damage": damage,
    "leaves": leaves,
    "rows": rows,
}


def attack(names: list[str], seed: int, small: bool) -> list[Outcome]:
    """Run attacks one after the other; one that breaks down itself is a line that did not hold."""
    outcomes: list[Outcome] = []
    for name in names:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"hostile-{name}-") as folder:
            setup = Setup(seed, small, Path(folder), lambda words, name=name: _say(f"{name}: {words}"))
            try:
                outcomes += ATTACKS[name](setup)
            except Exception as error:
                traceback.print_exc()
                outcomes.append(
                    Outcome(name, 0, "the attack broke down", (f"{type(error).__name__}: {error}",))
                )
        _say(f"{name}: {time.monotonic() - started:.0f} s\n")
    return outcomes


def _say(words: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{words}")
        sys.stderr.flush()
    elif words.endswith("\n"):
        sys.stderr.write(words)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a small part, as the tests run it")
    parser.add_argument("--json", action="store_true", help="print a document instead of a table")
    parser.add_argument("--only", nargs="+", choices=ATTACKS, metavar="NAME", help=", ".join(ATTACKS))
    parser.add_argument("--seed", type=int, default=1, help="of all inputs (1)")
    options = parser.parse_args(arguments)
    outcomes = attack(options.only or list(ATTACKS), options.seed, options.small)
    if options.json:
        sys.stdout.write(as_json(outcomes, options.seed, options.small))
    else:
        sys.stdout.write(f"{markdown(outcomes)}\n{verdict(outcomes)} (seed {options.seed})\n")
        for outcome in outcomes:
            sys.stdout.writelines(f"{outcome.attack}: {words}\n" for words in outcome.broken)
    return 0 if all(outcome.held for outcome in outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
