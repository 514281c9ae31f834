"""A changed configuration is taken up while the coordinator runs."""

from __future__ import annotations

import logging
from typing import Protocol

from common.protocol.steering import Action, Order
from common.settings.changes import sentence
from common.settings.night import NightSettings
from coordinator.audit import Effect, Request, record
from coordinator.configuration import Configuration, Proposal
from coordinator.housekeeping.duty import Duty, Turn
from coordinator.store.database import Database
from coordinator.store.rows import running_run

logger = logging.getLogger(__name__)

BY = "the configuration"


class Reader(Protocol):
    """A part that acts by the settings; it looks them up each time that it does."""

    settings: NightSettings


class Reload(Duty):
    """Looks at the configuration, records what has changed in it, and gives it to all who act by it.

    Parameters
    ----------
    database : Database
        Where it is recorded, and whether a night is running.
    configuration : Configuration
        The settings in force.
    instance : str
        What this coordinator is called among several; each has a configuration of its own.
    """

    name = "the configuration"
    interval_seconds = 1.0
    everywhere = True

    def __init__(self, database: Database, configuration: Configuration, instance: str = "") -> None:
        self.database = database
        self.configuration = configuration
        self.origin = f"coordinator {instance}".strip()
        self.readers: list[Reader] = []
        self._warned: tuple[str, ...] = ()

    def run(self, turn: Turn) -> None:
        """Take up what has changed."""
        del turn
        with self.database.read() as tx:
            night_is_running = running_run(tx) is not None
        proposal = self.configuration.look(night_is_running)
        self._warn(self.configuration.warnings)
        if proposal is not None:
            self._take_up(proposal)

    def _warn(self, warnings: tuple[str, ...]) -> None:
        for warning in warnings:
            if warning not in self._warned:
                logger.warning("%s", warning)
        self._warned = warnings

    def _take_up(self, proposal: Proposal) -> None:
        if proposal.said:
            words = f"the configuration has changed; {sentence(proposal.said)}"
            with self.database.write() as tx:
                record(tx, Action.CONFIGURE, Effect(words), Order(by=BY), Request(self.origin))
            logger.warning("%s", words)
        self.configuration.accept(proposal)
        for reader in self.readers:
            reader.settings = proposal.settings
        late = [change.words for change in proposal.taken if change not in proposal.said]
        if late:
            logger.info("in force now: %s", ", ".join(late))
