"""Where a coordinator is found by those who share its folder."""

from __future__ import annotations

from common.frozen import Frozen


class Address(Frozen):
    """Where the coordinator listens: `coordinator.json` in the out folder, written once it is ready."""

    url: str
    """Its address."""
    pid: int
    """Its process."""
