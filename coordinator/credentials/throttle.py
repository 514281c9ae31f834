"""What keeps others from guessing tokens: an address that shows wrong ones waits, twice as long each time."""

from __future__ import annotations

import ipaddress
import logging
import math
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

logger = logging.getLogger(__name__)

FREE_FAILURES = 5
"""So many wrong tokens in a row from one address cost nothing but a word."""
LONGEST_PAUSE_SECONDS = 300.0
"""Whoever has shown none for twice as long begins anew."""
KEPT_ADDRESSES = 1000
TOLD = timedelta(minutes=1)
"""How often the log speaks of wrong tokens."""


class Throttle:
    """Counts wrong tokens by the address that they come from.

    Only who shows a wrong token waits: on one host or behind a proxy who guesses has the address of all.

    Parameters
    ----------
    clock : callable
        Returns the present time, aware.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, datetime]] = OrderedDict()
        self._told: datetime | None = None
        self._untold = 0
        self._lock = Lock()

    def wait_seconds(self, address: str) -> int:
        """Return for how many whole seconds an address is not listened to; 0: it is."""
        failures, last = self._failures.get(_known_as(address), (0, self._clock()))
        if failures < FREE_FAILURES:
            return 0
        pause = min(2.0 ** (failures - FREE_FAILURES + 1), LONGEST_PAUSE_SECONDS)
        return max(0, math.ceil(pause - (self._clock() - last).total_seconds()))

    def failed(self, address: str) -> int:
        """Count a wrong token; return by how many seconds it came too early."""
        with self._lock:
            self._tell(address)
            wait = self.wait_seconds(address)
            if wait:
                return wait
            name, now = _known_as(address), self._clock()
            failures, last = self._failures.pop(name, (0, now))
            if (now - last).total_seconds() > 2 * LONGEST_PAUSE_SECONDS:
                failures = 0
            self._failures[name] = (failures + 1, now)
            while len(self._failures) > KEPT_ADDRESSES:
                self._failures.popitem(last=False)
        return 0

    def succeeded(self, address: str) -> None:
        """Forget the wrong tokens of an address whose owner has found the right one."""
        with self._lock:
            self._failures.pop(_known_as(address), None)

    def _tell(self, address: str) -> None:
        now = self._clock()
        self._untold += 1
        if self._told is not None and now - self._told < TOLD:
            return
        if self._untold == 1:
            logger.warning("a wrong token was shown from %s", _known_as(address))
        else:
            logger.warning(
                "%d wrong tokens were shown since the last such line, the last from %s",
                self._untold,
                _known_as(address),
            )
        self._told, self._untold = now, 0


def _known_as(address: str) -> str:
    """Return by what an address is counted: a host of IPv6 has a whole network of them."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "an unknown address"
    if known.version == 4:
        return str(known)
    return str(ipaddress.ip_network((known, 64), strict=False))
