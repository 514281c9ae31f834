"""The coordinator as a process: how it starts or refuses to, how it ends, and that killing it is free."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from common.client.client import OperatorClient
from common.client.trainers import TrainerClient
from common.errors import UnavailableError
from common.protocol.job_views import Outcome
from common.protocol.jobs import SurveySpec
from common.protocol.results import Results
from common.protocol.runs import RunRequest, RunState
from common.protocol.trainers import Grant
from coordinator.store.database import Database, sqlite_url
from coordinator.store.tables import attempts
from coordinator.views.results import read_results
from tests.coordinator.process import CONFIG, PATIENCE_SECONDS, ROOT, Answer, Process, eventually
from tests.coordinator.specimens import (
    Clock,
    Night,
    checkpoint,
    claim,
    finish,
    grid,
    hello,
    renewal,
    settings,
    survey_report,
    training_report,
)

KILLS = 3


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def begin(*options: object, **changes: object) -> Process:
        process = Process(changes.pop("out", tmp_path / "out"), *options, **changes)  # type: ignore[arg-type]
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("key", ["symbols", "timeframes"])
def test_all_by_the_clock_is_refused_at_the_start_and_not_in_the_evening(
    start: Callable[..., Process], tmp_path: Path, key: str
) -> None:
    config = tmp_path / "all.yaml"
    config.write_text(f'{key}: all\nwindow: {{start: "22:00", end: "06:00"}}\n')
    code, out, err = start(config=config).ended()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "a coordinator that starts by the clock sees no candles" in err
    assert "nighttrain start --data DIR" in err
    config.write_text(f"{key}: all\n")
    process = start(config=config, out=tmp_path / "without")
    with OperatorClient(process.ready().url, tmp_path / "without" / "token") as operator:
        assert operator.status().run is None


def test_a_setting_that_only_a_launcher_obeys_is_no_silent_promise(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    config = tmp_path / "night.yaml"
    config.write_text("data: {update_before_night: true}\n")
    with OperatorClient(start(config=config).ready().url, tmp_path / "out" / "token") as operator:
        [warning] = [one for one in operator.status().warnings if "update_before_night" in one]
        assert "does nothing here" in warning and "nighttrain data download --update" in warning
        config.write_text("data: {update_before_night: false}\n")
        eventually(lambda: not any("update_before_night" in one for one in operator.status().warnings))


# --- Beginning and end --------------------------------------------------------------------------------------


def test_it_says_where_it_listens_does_its_work_and_stops_cleanly(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    process = start()
    address = process.ready()
    with OperatorClient(address.url, tmp_path / "out" / "token") as operator:
        assert operator.health().status == "ok"
        assert operator.ready().detail.startswith("database at schema")
        run, _ = operator.create_run(RunRequest(config=grid()))
        assert operator.status().run == run
        code, out, err = start().ended()
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert f"is in use by process {address.pid} at {address.url}" in err
        token = (tmp_path / "out" / "token").read_text().strip()
        process.process.send_signal(signal.SIGTERM)
        code, out, err = process.ended()
    assert (code, out) == (0, "")
    assert "listening on" in err and err.strip().endswith("stopped")
    log = (tmp_path / "out" / "logs" / "batch_train_night.log").read_text()
    assert "run 1: 8 cells of 2 symbols" in log and token not in log + err
    assert not (tmp_path / "out" / "coordinator.json").exists()
    progress = json.loads((tmp_path / "out" / "logs" / "night_training_checkpoint.json").read_text())
    assert progress["run"]["id"] == 1


def test_it_stops_with_its_parent(start: Callable[..., Process]) -> None:
    process = start("--exit-with-parent")
    process.ready()
    assert process.process.stdin is not None
    process.process.stdin.close()
    process.process.stdin = None
    assert process.ended()[0] == 0


@pytest.mark.parametrize("by", ["signal", "parent"])
def test_a_wish_to_stop_waits_for_no_tick_of_the_server(tmp_path: Path, by: str) -> None:
    code = (
        "import sys, coordinator.__main__ as program; program.TICK_SECONDS = 3600.0; sys.exit(program.main())"
    )
    command = [sys.executable, "-c", code, "--config", str(CONFIG), "--out", str(tmp_path / "out")]
    with subprocess.Popen(
        [*command, "--port", "0", "--exit-with-parent"], cwd=ROOT, stdin=subprocess.PIPE
    ) as process:
        address = tmp_path / "out" / "coordinator.json"
        eventually(lambda: address.exists() or None)
        assert process.stdin is not None
        if by == "signal":
            process.send_signal(signal.SIGTERM)
        else:
            process.stdin.close()
        assert process.wait(PATIENCE_SECONDS) == 0


def test_a_request_that_has_begun_is_answered_before_the_end(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    process = start()
    host, port = process.ready().url.removeprefix("http://").split(":")
    body = RunRequest(config=grid()).model_dump_json().encode()
    token = (tmp_path / "out" / "token").read_text().strip()
    header = (
        f"POST /api/runs HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()

    def refused() -> bool | None:
        try:
            socket.create_connection((host, int(port)), timeout=5.0).close()
        except ConnectionRefusedError:
            return True
        return None

    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(header + body[:10])
        with OperatorClient(f"http://{host}:{port}", tmp_path / "out" / "token") as operator:
            # What is answered later came later, so the server has seen the header.
            assert operator.health().status == "ok"
        process.process.send_signal(signal.SIGTERM)
        eventually(refused)
        connection.sendall(body[10:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 201")
    assert process.ended()[0] == 0


def test_it_touches_nothing_until_it_is_told_its_options(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    told, dropped = start("--options-from-input"), start("--options-from-input")
    for process in (told, dropped):
        assert process.process.stdin is not None
        process.process.stdin.write("--host 127.0.0.1" + "\n" * (process is told))
        process.process.stdin.flush()
    assert dropped.ended() == (0, "", ""), "its starter has ended"
    address = told.ready()
    assert dropped.process.pid != address.pid == told.process.pid
    with OperatorClient(address.url, tmp_path / "out" / "token") as operator:
        assert operator.health().status == "ok"


# --- Refusals -----------------------------------------------------------------------------------------------


def test_a_start_that_cannot_be_is_one_line_and_exit_code_2(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    bad = tmp_path / "bad.yaml"
    bad.write_text("embargo_minutes: -1\n")
    database = tmp_path / "database.yaml"
    database.write_text("database_url: sqlite:////proc/nowhere/x.db\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        holder = f"port {port} of 127.0.0.1 is taken by process {os.getpid()}"
        refused = {
            "cannot be written": start(out=tmp_path / "file" / "out"),
            "embargo_minutes": start(config=bad),
            "sqlite:////proc/nowhere/x.db cannot be used": start(config=database, out=tmp_path / "second"),
            holder: start(port=port, out=tmp_path / "third"),
            "'70000' is not a port": start(port=70000, out=tmp_path / "fourth"),
            "'alertmanager:9093' is no address": start(
                "--alertmanager", "alertmanager:9093", out=tmp_path / "fifth"
            ),
        }
        for words, process in refused.items():
            code, out, err = process.ended()
            assert (code, out) == (2, ""), err
            assert words in err and "Traceback" not in err
            assert err.strip().splitlines()[-1].startswith(("coordinator: ", "python -m coordinator: error:"))


# --- Being killed -------------------------------------------------------------------------------------------


def test_a_night_whose_coordinator_is_killed_again_and_again_ends_like_any_other(
    start: Callable[..., Process], migrated: Path, tmp_path: Path
) -> None:
    out, port, random = tmp_path / "out", free_port(), Random(7)
    process = start(out=out, port=port)
    url = process.ready().url
    with OperatorClient(url, out / "token") as operator, TrainerClient(url, out / "trainer_token") as trainer:
        run, _ = operator.create_run(RunRequest(config=grid()))
        night = threading.Thread(target=_train, args=(trainer,))
        night.start()
        for _ in range(KILLS):
            time.sleep(random.uniform(0.05, 0.4))
            assert night.is_alive()
            process.kill()
            process = start(out=out, port=port)
            process.ready()
        night.join(PATIENCE_SECONDS)
        assert not night.is_alive()
        eventually(lambda: operator.run(run.id).state is RunState.DONE or None)
        results = operator.results(run.id)
    process.process.send_signal(signal.SIGTERM)
    assert process.ended()[0] == 0

    undisturbed = _undisturbed(migrated, tmp_path / "undisturbed")
    assert results.totals.succeeded == undisturbed.totals.succeeded == 8
    for one, other in zip(results.jobs, undisturbed.jobs, strict=True):
        assert (one.scores, one.p_value, one.folds) == (other.scores, other.p_value, other.folds)
        assert one.promoted and other.promoted
        # Being killed is free: no attempt is lost, and none is made twice.
        assert len(one.attempts) == 1
    models = [
        sorted((path.name, path.read_bytes()) for path in (folder / "artifacts" / "direction").glob("*_*"))
        for folder in (out, tmp_path / "undisturbed")
    ]
    assert models[0] == models[1] and len(models[0]) == 16


def test_whatever_was_answered_under_load_is_there_after_a_kill(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start(out=out)
    url, taken = process.ready().url, Acknowledged()
    symbols = tuple(f"S{number:02d}USDT" for number in range(12))
    with OperatorClient(url, out / "token") as operator:
        operator.create_run(RunRequest(config=grid(symbols=symbols, horizons=(1, 2, 3, 4, 5))))
    workers = [
        threading.Thread(target=taken.work, args=(url, out / "trainer_token", f"t{number}"))
        for number in range(8)
    ]
    for worker in workers:
        worker.start()
    eventually(lambda: len(taken.finished) >= 40 or None)
    process.kill()
    for worker in workers:
        worker.join(PATIENCE_SECONDS)
    database = Database(sqlite_url(out / "nighttrain.db"))
    with database.read() as tx:
        outcomes = {row.lease_id: row.outcome for row in tx.connection.execute(select(attempts))}
    database.close()
    assert {outcomes[lease] for lease in taken.finished} == {Outcome.SUCCEEDED}
    assert taken.granted <= set(outcomes)
    assert len(outcomes) < len(symbols) * 11, "it was killed in the middle"


class Acknowledged:
    """What a coordinator has answered to several trainers, until it answered no more."""

    def __init__(self) -> None:
        self.granted: set[str] = set()
        self.finished: set[str] = set()

    def work(self, url: str, token: Path, name: str) -> None:
        with TrainerClient(url, token) as client, suppress(UnavailableError):
            boot = hello(name, f"{name}-boot")
            client.register(boot)
            while True:
                grant = client.claim(claim(boot.boot_id))
                if isinstance(grant, Grant):
                    self.granted.add(grant.lease_id)
                    _hand_in(client, grant)
                    self.finished.add(grant.lease_id)


def _hand_in(client: TrainerClient, grant: Grant) -> None:
    if isinstance(grant.spec, SurveySpec):
        client.finish(grant.lease_id, finish(survey_report(grant.spec)))
        return
    report, content = training_report(grant.spec)
    sha256 = report.manifest.pickle_sha256
    client.upload_artifact(grant.lease_id, content, sha256)
    client.finish(grant.lease_id, finish(report, sha256))


def _undisturbed(migrated: Path, out: Path) -> Results:
    out.mkdir()
    shutil.copy(migrated, out / "nighttrain.db")
    night = Night(Database(sqlite_url(out / "nighttrain.db"), Clock()), settings(), out)
    run = night.begin()
    night.survey_all(night.register())
    night.finish_all("t1-boot")
    night.housekeeping.tick()
    results = read_results(night.database, run)
    night.database.close()
    return results


def _train(trainer: TrainerClient) -> None:
    """One faithful trainer that says everything until it is heard."""
    insist(trainer.register, hello())
    while isinstance(grant := insist(trainer.claim, claim("t1-boot")), Grant):
        # A job takes its time, so that the night lasts long enough to be disturbed.
        time.sleep(0.2)
        insist(trainer.renew, grant.lease_id, renewal())
        if isinstance(grant.spec, SurveySpec):
            insist(trainer.finish, grant.lease_id, finish(survey_report(grant.spec)))
            continue
        report, content = training_report(grant.spec)
        sha256 = report.manifest.pickle_sha256
        insist(trainer.save_checkpoint, grant.lease_id, checkpoint())
        insist(trainer.upload_artifact, grant.lease_id, content, sha256)
        insist(trainer.finish, grant.lease_id, finish(report, sha256))


def insist(call: Callable[..., Answer], *arguments: object) -> Answer:
    def said() -> tuple[Answer] | None:
        try:
            return (call(*arguments),)
        except UnavailableError:
            return None

    return eventually(said)[0]


def test_a_changed_file_is_taken_up_without_a_restart_and_a_broken_one_is_said(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    config = tmp_path / "night.yaml"
    config.write_text("n_splits: 4\n")
    address = start(config=config).ready()
    with OperatorClient(address.url, tmp_path / "out" / "token") as operator:
        assert operator.status().night.closes is None
        config.write_text('n_splits: 4\nwindow: {start: "01:00", end: "00:59"}\ntraining: false\n')
        eventually(lambda: operator.status().night.closes or operator.status().night.opens)
        config.write_text("n_splits: none\n")
        [warning] = eventually(
            lambda: [one for one in operator.status().warnings if "n_splits" in one] or None
        )
        assert warning.endswith("the configuration of before stays in force")
        assert operator.status().night.closes or operator.status().night.opens
        [entry] = operator.audit().entries
    assert "window" in entry.words and "training" in entry.words
    assert entry.words in (tmp_path / "out" / "logs" / "batch_train_night.log").read_text()
