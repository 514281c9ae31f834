"""Which candles a night was begun on, so that none continues on others without a word."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from common.errors import ConflictError
from common.frozen import Frozen
from common.objects.address import Place
from common.out_folder import OutFolder
from common.whole_file import write_whole


class Origin(Frozen):
    """The folder of candles of a run."""

    run: int
    data: str


def assert_same_candles(out: OutFolder, run: int, made: bool, data: Place) -> None:
    """Record on which candles a run was begun; one that resumes must go on with the same.

    Cells that are surveyed already would be trained on the candles of before, whatever the command names now.

    Parameters
    ----------
    out : OutFolder
        Where it is recorded.
    run : int
        The run.
    made : bool
        Whether it was begun now.
    data : Path or str
        The folder or address of candles that the command names.

    Raises
    ------
    ConflictError
        The run was begun on candles of another folder.
    """
    here = str(data.resolve()) if isinstance(data, Path) else data
    if made:
        write_whole(out.origin, Origin(run=run, data=here).model_dump_json().encode())
        return
    origin = _recorded(out)
    # An earlier version recorded nothing.
    if origin is not None and origin.run == run and origin.data != here:
        raise ConflictError(
            f"night {run} is unfinished and was begun on the candles in {origin.data}, "
            f"not on those in {here}",
            f"continue it with --data {origin.data}, or start over with nighttrain run --fresh",
        )


def candles_of(out: OutFolder) -> str | None:
    """Return where the candles of the last night are; None where it was on a sample, or nobody knows."""
    origin = _recorded(out)
    # An out folder may have been moved, with its sample.
    return None if origin is None or Path(origin.data).name == out.sample.name else origin.data


def is_recorded(out: OutFolder, run: int) -> bool:
    """Return whether it is recorded on which candles a run was begun."""
    origin = _recorded(out)
    return origin is not None and origin.run == run


def _recorded(out: OutFolder) -> Origin | None:
    try:
        return Origin.model_validate_json(out.origin.read_bytes())
    except (OSError, ValidationError):
        return None
