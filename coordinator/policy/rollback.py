"""What the champion of a cell was before: each rollback goes one step further back."""

from __future__ import annotations

from collections.abc import Iterable


def champion_before(history: Iterable[int | None]) -> int | None:
    """Return the model that was champion before the present one came up.

    A change to a model that stood before undoes all that came in between, and counts for nothing itself. So
    the second of two rollbacks goes on where the first has led, and does not undo it. A time without a
    champion that another one has ended is passed over. From a cell without a champion it leads to the last.

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
    changes = list(history)
    for champion in [one for one in changes[:-1] if one is not None] + changes[-1:]:
        if champion is not None and champion in stood:
            del stood[stood.index(champion) + 1 :]
        elif champion != stood[-1]:
            stood.append(champion)
    return stood[-2] if len(stood) > 1 else None
