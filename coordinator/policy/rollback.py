"""What the champion of a cell was before: each rollback goes one step further back."""

from __future__ import annotations

from collections.abc import Iterable


def champion_before(history: Iterable[int | None]) -> int | None:
    """Return the model that was champion before the present one came up.

    A change to a model that stood before undoes all that came in between, and counts for nothing itself. So
    the second of two rollbacks goes on where the first has led, and does not undo it. From a cell without a
    champion it leads to the last one.

    Parameters
    ----------
    history : iterable of (int or None)
        The champion after each change, the oldest first; None: the cell had none.

    Returns
    -------
    int or None
        The model, or None if there was none.
    """
    stood: list[int | None] = [None]
    for champion in history:
        if champion is not None and champion in stood:
            del stood[stood.index(champion) + 1 :]
        elif champion != stood[-1]:
            stood.append(champion)
    return stood[-2] if len(stood) > 1 else None
