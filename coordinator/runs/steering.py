"""What operators change while a night runs: one method an action, one transaction each.

Every action can be asked for again: what is done already stays as it is, and the answer says so. A change is
recorded in the transaction that makes it (`coordinator.audit`), so that neither is ever without the other. A
preview does all of it and rolls it back, so that it tells exactly what would be done.
"""

from __future__ import annotations

from collections.abc import Callable

from common.protocol.jobs import Cell
from common.protocol.steering import Action, Order, PauseOrder, ReasonedOrder, RetryOrder, Steered
from coordinator.audit import Effect, Request, Target, answered, log, record
from coordinator.runs import job_orders, model_orders, night_orders
from coordinator.store.database import Database, Transaction


class Steering:
    """Does what operators order; each method raises what its function in the modules of orders raises.

    Parameters
    ----------
    database : Database
        Where everything is kept; this object holds no state.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def pause(self, run_id: int, order: PauseOrder, request: Request) -> Steered:
        """Hand out no more jobs of a run until it is resumed."""
        return self._steer(
            Action.PAUSE, Target(run=run_id), order, request, lambda tx: night_orders.pause(tx, run_id, order)
        )

    def resume(self, run_id: int, order: Order, request: Request) -> Steered:
        """Hand out the jobs of a paused run again."""
        return self._steer(
            Action.RESUME, Target(run=run_id), order, request, lambda tx: night_orders.resume(tx, run_id)
        )

    def end(self, run_id: int, order: Order, request: Request) -> Steered:
        """End a run with what is done; running jobs save their folds first."""
        return self._steer(
            Action.END, Target(run=run_id), order, request, lambda tx: night_orders.end(tx, run_id, order)
        )

    def cancel(self, run_id: int, order: Order, request: Request) -> Steered:
        """Cancel a run with all its jobs that are not over."""
        return self._steer(
            Action.CANCEL,
            Target(run=run_id),
            order,
            request,
            lambda tx: night_orders.cancel(tx, run_id, order),
        )

    def retry(self, run_id: int, order: RetryOrder, request: Request) -> Steered:
        """Try the failed jobs of a run again, all of them or a group."""
        return self._steer(
            Action.RETRY,
            Target(run=run_id),
            order,
            request,
            lambda tx: job_orders.retry_failed(tx, run_id, order),
        )

    def retry_job(self, job_id: int, order: Order, request: Request) -> Steered:
        """Try one job again that has failed or was cancelled."""
        return self._steer(
            Action.RETRY, Target(job=job_id), order, request, lambda tx: job_orders.retry(tx, job_id)
        )

    def cancel_job(self, job_id: int, order: Order, request: Request) -> Steered:
        """Cancel one job that is not over."""
        return self._steer(
            Action.CANCEL_JOB,
            Target(job=job_id),
            order,
            request,
            lambda tx: job_orders.cancel(tx, job_id, order),
        )

    def run_next(self, job_id: int, order: Order, request: Request) -> Steered:
        """Hand a job that waits out before all others."""
        return self._steer(
            Action.NEXT, Target(job=job_id), order, request, lambda tx: job_orders.run_next(tx, job_id)
        )

    def unpark(self, run_id: int, symbol: str, order: Order, request: Request) -> Steered:
        """Hand the jobs of a parked symbol out again."""
        return self._steer(
            Action.UNPARK,
            Target(run=run_id),
            order,
            request,
            lambda tx: job_orders.unpark(tx, run_id, symbol),
        )

    def promote(self, job_id: int, order: ReasonedOrder, request: Request) -> Steered:
        """Make the model of a job champion of its cell."""
        return self._steer(
            Action.PROMOTE,
            Target(job=job_id),
            order,
            request,
            lambda tx: model_orders.promote(tx, job_id, order),
        )

    def roll_back(self, cell: Cell, order: ReasonedOrder, request: Request) -> Steered:
        """Make the model champion of a cell again that was before the present one."""
        return self._steer(
            Action.ROLLBACK, Target(), order, request, lambda tx: model_orders.roll_back(tx, cell, order)
        )

    def _steer(
        self,
        action: Action,
        about: Target,
        order: Order,
        request: Request,
        act: Callable[[Transaction], Effect],
    ) -> Steered:
        try:
            with self.database.write() as tx:
                before = answered(tx, action, about, request)
                if before is not None:
                    return before
                effect = act(tx)
                if order.preview:
                    raise _PreviewError(effect)
                if effect.changed:
                    record(tx, action, effect, order, request)
        except _PreviewError as preview:
            effect = preview.effect
        else:
            if effect.changed:
                log(action, effect, order, request)
        return Steered.of(effect, action=action, preview=order.preview)


class _PreviewError(Exception):
    """Rolls back what was done to see its effect."""

    def __init__(self, effect: Effect) -> None:
        super().__init__(effect.words)
        self.effect = effect
