"""Rules of several steps, for what seldom comes about by single ones."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from common.protocol.jobs import Cause, JobKind
from common.protocol.steering import Order
from tests.coordinator.queue.machine import QueueMachine
from tests.coordinator.queue.model import BREAKER, FAULTS, LEASE_SECONDS, TRAINERS


class Histories(QueueMachine):
    """The machine with bad luck, silence, and operators who come upon it."""

    @rule(
        name=st.sampled_from(sorted(TRAINERS)),
        causes=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=4),
        pause=st.sampled_from([0.0, 1.0, 8.0]),
    )
    def a_trainer_has_bad_luck(self, name: str, causes: list[Cause], pause: float) -> None:
        for cause in causes:
            self.a_trainer_claims(name, "")
            for lease_id in self._open_lease(trainer=name):
                self._fail(lease_id, cause)
            self.clock.advance(pause)

    @rule(name=st.sampled_from(sorted(TRAINERS)))
    def a_trainer_falls_silent(self, name: str) -> None:
        self.a_trainer_claims(name, "")
        self.clock.advance(LEASE_SECONDS + 1)
        self.leases_expire()

    def _goes_on(self) -> None:
        """See that there is something to do: the surveys are done, and the night is not paused."""
        if self.ended:
            return
        self.an_operator_resumes()
        for _ in self.failing:
            self.a_trainer_claims("b1", "")
            for lease_id in self._open_lease(trainer="b1"):
                if self.jobs[self.held[lease_id].job].kind is JobKind.SURVEY:
                    self.a_trainer_finishes(lease_id)

    @rule(
        name=st.sampled_from(sorted(TRAINERS)),
        cause=st.sampled_from([*FAULTS, Cause.DATA, Cause.DATA]),
        last=st.booleans(),
    )
    def an_operator_comes_upon_a_failure(self, name: str, cause: Cause, last: bool) -> None:
        self._goes_on()
        self.a_trainer_has_bad_luck(name, [cause] * (3 if last else 1), 8.0)
        self.an_operator_retries_what_has_failed(None)
        for other in sorted(TRAINERS):
            self.a_trainer_claims(other, "")

    @rule(name=st.sampled_from(sorted(TRAINERS)), again=st.booleans())
    def an_operator_releases_what_is_parked(self, name: str, again: bool) -> None:
        self._goes_on()
        self.a_trainer_has_bad_luck(name, [Cause.ERROR] * BREAKER.failures, 0.0)
        for symbol in sorted(self.parked):
            if not self.ended:
                self._order(
                    lambda steering, request, symbol=symbol: steering.unpark(  # type: ignore[misc]
                        self.run, symbol, Order(), request
                    ),
                    changes=True,
                )
                self.parked.pop(symbol)
                self.failing[symbol].clear()
        if again:
            self.a_trainer_has_bad_luck(name, [Cause.ERROR], 8.0)
            for other in sorted(TRAINERS):
                self.a_trainer_claims(other, "")

    @rule(name=st.sampled_from(sorted(TRAINERS)), data=st.data())
    def an_operator_cancels_what_is_worked_on_and_has_it_tried_again(
        self, name: str, data: st.DataObject
    ) -> None:
        self.a_trainer_claims(name, "")
        for lease_id in self._open_lease(trainer=name):
            if self.ended:
                return
            job_id = self.held[lease_id].job
            self._cancel(job_id)
            self._retry_one(job_id)
            self.a_trainer_claims(data.draw(st.sampled_from(sorted(TRAINERS))), "")
