"""The queue against a model of a few dozen lines, on every backend."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import (
    run_state_machine_as_test,
)
from sqlalchemy import create_engine, make_url, text

from coordinator.store.database import Database
from tests.coordinator.conftest import POSTGRES
from tests.coordinator.queue.histories import Histories
from tests.coordinator.specimens import (
    Night,
)


def test_the_queue_is_as_its_model_on_sqlite(migrated: Path) -> None:
    class OnSqlite(Histories):
        def _open(self) -> Night:
            if not (self.folder / "nighttrain.db").exists():
                shutil.copy(migrated, self.folder / "nighttrain.db")
            return super()._open()

    run_state_machine_as_test(
        OnSqlite,
        settings=hypothesis_settings(
            max_examples=30, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.skipif(not POSTGRES, reason="NIGHTTRAIN_TEST_POSTGRES names no database")
def test_the_queue_is_as_its_model_on_postgresql() -> None:
    schema = "queue_machine"
    address = make_url(POSTGRES).update_query_dict({"options": f"-csearch_path={schema}"})

    class OnPostgres(Histories):
        url = address.render_as_string(hide_password=False)

        def begin_schema(self) -> None:
            engine = create_engine(POSTGRES)
            with engine.begin() as connection:
                connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
                connection.execute(text(f"CREATE SCHEMA {schema}"))
            engine.dispose()
            database = Database(self.url)
            database.upgrade()
            database.close()
            self.prepared = True

        def _open(self) -> Night:
            if not hasattr(self, "prepared"):
                self.begin_schema()
            return super()._open()

    run_state_machine_as_test(
        OnPostgres,
        settings=hypothesis_settings(
            max_examples=10, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
