"""The queue against a model of a few dozen lines, on every backend."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import (
    run_state_machine_as_test,
)

from tests.coordinator.queue.histories import Histories
from tests.coordinator.specimens import Night
from tests.postgres import execute, of_database


def test_the_queue_is_as_its_model_on_sqlite(migrated: Path) -> None:
    class OnSqlite(Histories):
        def _open(self) -> Night:
            if not (self.folder / "nighttrain.db").exists():
                shutil.copy(migrated, self.folder / "nighttrain.db")
            return super()._open()

    run_state_machine_as_test(
        OnSqlite,
        settings=hypothesis_settings(
            max_examples=15,
            stateful_step_count=60,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_queue_is_as_its_model_on_postgresql(postgres: str, postgres_template: str) -> None:
    made: list[str] = []

    class OnPostgres(Histories):
        def _url(self) -> str:
            if not hasattr(self, "address"):
                name = f"machine_{uuid.uuid4().hex}"
                execute(postgres, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
                made.append(name)
                self.address = of_database(postgres, name)
            return self.address

    run_state_machine_as_test(
        OnPostgres,
        settings=hypothesis_settings(
            max_examples=5,
            stateful_step_count=60,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    for name in made:
        execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")
