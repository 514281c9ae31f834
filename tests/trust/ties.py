"""Bars that do not move: whoever predicts whether a bar moves must not seem to predict where."""

from __future__ import annotations

from collections.abc import Iterator

from tests.trust.nights import Night, night
from tests.trust.outcome import Outcome, Setup, most
from tests.trust.walks import idle_walk, tick_walk, write

KINDS = {"TICK": tick_walk, "IDLE": idle_walk}
LUCK = 0.001
"""The p-value that at most one night of a thousand reaches by luck, divided by its cells."""


def ties(setup: Setup) -> Iterator[Outcome]:
    """Walks whose direction nobody can know, and whose movement shows by the hour."""
    hours, copies, horizons = (3000, 1, (1, 3)) if setup.small else (8000, 3, (1, 3, 5))
    symbols = [f"{kind}{copy}USDT" for kind in KINDS for copy in range(copies)]
    for symbol in symbols:
        columns = KINDS[symbol[:4]](setup.draw(symbol), hours)
        write(setup.folder / "candles", symbol, "1h", columns)
    setup.say(f"a night of {len(symbols) * len(horizons)} cells")
    found = night(setup.folder, symbols, ("1h",), horizons)
    for kind, words in (("TICK", "one-tick steps, mostly by day"), ("IDLE", "idle bars, mostly by night")):
        yield _outcome(found, kind, words)


def _outcome(found: Night, kind: str, words: str) -> Outcome:
    cells = [cell for cell in found.results.jobs if cell.symbol.startswith(kind)]
    trained = [cell for cell in cells if cell.scores and cell.ties]
    aucs = [cell.scores.auc for cell in trained]
    shares = [cell.ties.share for cell in trained]
    promoted = sum(cell.promoted for cell in cells)
    rare = sum(cell.p_value <= LUCK / len(cells) for cell in trained)
    return Outcome(
        f"ties: {words}",
        "none promoted",
        f"{promoted} promoted, AUC {min(aucs):.3f}-{max(aucs):.3f}, {min(shares):.0%}-{max(shares):.0%} ties",
        f"{len(cells)} cells",
        # One false discovery in ten nights is what the rate allows; all of a night's cells are not.
        len(trained) == len(cells) and rare == 0 and promoted <= most(len(cells), 0.1),
    )
