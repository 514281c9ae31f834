"""What the champion of a cell was before: each rollback goes one step further back."""

from __future__ import annotations

from collections.abc import Iterable


def kind_refusal(job_id: int, synthetic: bool, champion_synthetic: bool | None) -> str:
    """Return why an operator may not make a job's model champion instead of the present one; empty if he may.

    Parameters
    ----------
    job_id : int
        The job.
    synthetic : bool
        Whether its model was trained on synthetic candles.
    champion_synthetic : bool or None
        Whether the champion was; None if there is none, or it cannot be read.
    """
    if not synthetic or champion_synthetic is not False:
        return ""
    return f"the model of job {job_id} was trained on synthetic candles, and the champion was not"


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
