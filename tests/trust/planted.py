"""A night of noise beside one market that can be known: the whole product's size and power."""

from __future__ import annotations

from collections.abc import Iterator

from tests.trust.nights import night
from tests.trust.outcome import Outcome, Setup, most
from tests.trust.walks import HOUR, walk, write


def planted(setup: Setup) -> Iterator[Outcome]:
    """Random walks, and one whose returns remember a little."""
    hours, noises = (5000, 2) if setup.small else (8000, 6)
    symbols = [f"NOISE{number}USDT" for number in range(noises)]
    for symbol in symbols:
        write(setup.folder / "candles", symbol, "1h", walk(setup.draw(symbol), hours, HOUR))
    write(setup.folder / "candles", "SIGNALUSDT", "1h", walk(setup.draw("SIGNALUSDT"), hours, HOUR, 0.2))
    setup.say(f"a night of {3 * noises + 3} cells")
    found = night(setup.folder, ["SIGNALUSDT", *symbols], ("1h",), (1, 3, 5))
    (signal,) = [cell for cell in found.cells("SIGNALUSDT") if cell.horizon == 1]
    yield Outcome(
        "planted: returns that remember a fifth",
        "promoted",
        f"{'promoted' if signal.promoted else 'not promoted'}, AUC {signal.scores.auc:.3f}",
        "1 cell, H1",
        signal.promoted,
    )
    noise = [cell for cell in found.results.jobs if cell.symbol != "SIGNALUSDT"]
    promoted = sum(cell.promoted for cell in noise)
    aucs = [cell.scores.auc for cell in noise]
    yield Outcome(
        "planted: noise beside it",
        "a tenth of the promoted at most, on average",
        f"{promoted} promoted, AUC {min(aucs):.3f}-{max(aucs):.3f}",
        f"{len(noise)} cells",
        promoted <= most(len(noise), 0.1),
    )
