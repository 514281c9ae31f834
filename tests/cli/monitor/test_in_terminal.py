"""`nighttrain monitor` as people and scripts run it: in a real terminal, in a pipe, interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.protocol.address import Address
from common.protocol.jobs import Cause
from coordinator.app import make_app
from coordinator.assembly import Parts
from tests.cli.commands.conftest import TOKEN, Ask, Call
from tests.cli.commands.test_in_terminal import Terminal
from tests.cli.conftest import ROOT, command, environment
from tests.coordinator.conftest import served
from tests.coordinator.specimens import Night, failure

ALTERNATE, NORMAL = "\x1b[?1049h", "\x1b[?1049l"
"""What turns a terminal to another page, and back to what was there before."""


@pytest.fixture
def screen(address: str, token: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def make(*words: object) -> Terminal:
        opened.append(Terminal("monitor", *words, "--url", address, "--token-file", token))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def lines(address: str) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command in a pipe."""
    opened: list[subprocess.Popen[str]] = []

    def make(*words: object, url: str = address) -> subprocess.Popen[str]:
        opened.append(
            subprocess.Popen(
                command("monitor", *words, *(("--url", url) if url else ())),
                cwd=ROOT,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                stdin=subprocess.DEVNULL,
                text=True,
            )
        )
        return opened[-1]

    yield make
    for process in opened:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("leave", "code"),
    [
        (lambda one: one.type("q"), 0),
        (lambda one: one.type("\x03"), 130),
        (lambda one: os.kill(one.process.pid, signal.SIGTERM), 130),
    ],
    ids=["q", "Ctrl-C", "SIGTERM"],
)
def test_the_screen_gives_the_terminal_back_as_it_was(
    screen: Callable[..., Terminal], work: Night, leave: Callable[[Terminal], None], code: int
) -> None:
    work.start()
    shown = screen()
    shown.reads("0 of 8 cells done")
    assert ALTERNATE in shown.shown
    leave(shown)
    assert shown.ends() == code
    assert NORMAL in shown.shown and "Traceback" not in shown.shown
    assert shown.shown.count("\x1b[?25h") >= 1


def test_a_key_in_a_real_terminal_steers_the_night(
    screen: Callable[..., Terminal], work: Night, ask: Ask
) -> None:
    work.start()
    shown = screen()
    shown.reads("0 of 8 cells done")
    shown.type("p")
    shown.reads("Paused since")
    shown.type("q")
    assert shown.ends() == 0
    assert ask("nights", "show")["paused"]["by"]


def test_without_a_terminal_there_are_lines_until_the_night_is_over(
    lines: Callable[..., subprocess.Popen[str]], work: Night
) -> None:
    boot = work.start()
    process = lines("--interval", 0.5)
    assert process.stdout is not None
    first = process.stdout.readline()
    assert "night 1: 0/8 cells, ETA not known yet, trained 0" in first and "\x1b" not in first
    work.finish_all(boot)
    work.housekeeping.tick()
    rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "night 1: 8/8 cells" in rest.splitlines()[-1]


def test_lines_in_a_terminal_end_with_ctrl_c(screen: Callable[..., Terminal], work: Night) -> None:
    work.start()
    shown = screen("--continuous", "--interval", 0.5)
    shown.reads("night 1: 0/8 cells")
    shown.type("\x03")
    assert shown.ends() == 130
    assert ALTERNATE not in shown.shown and shown.shown.rstrip().endswith("nighttrain: interrupted")


def test_lines_go_on_while_the_coordinator_is_away(
    lines: Callable[..., subprocess.Popen[str]], steered: Parts, work: Night
) -> None:
    work.start()
    with served(make_app(steered)) as url:
        port = int(url.rsplit(":", 1)[1])
        process = lines("--continuous", "--interval", 0.5, url=url)
        assert process.stdout is not None
        assert "0/8 cells" in process.stdout.readline()
    until_line(process, "the coordinator is away, last heard")
    with served(make_app(steered), port=port):
        until_line(process, "0/8 cells")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130


def until_line(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"it ended without {words!r}")


def test_health_is_a_word_and_an_exit_code(say: Call, ask: Ask, work: Night) -> None:
    assert say("monitor", "--health")[:2] == (0, "ok\n")
    boot = work.start()
    assert say("monitor", "--health")[:2] == (0, "ok\n")
    work.queue.fail(work.grant(boot).lease_id, failure(Cause.DATA, "too few rows"))
    assert say("monitor", "--health")[:2] == (0, "ok\n")
    for _ in range(work.settings.retry.error):
        work.queue.fail(work.grant(boot).lease_id, failure(Cause.ERROR, "it broke"))
        work.clock.advance(400)
        boot = work.register(boot="another")
    while not any(job.message == "it broke" for job in work.jobs(state="failed")):
        answer = work.claim(boot)
        work.queue.fail(answer.lease_id, failure(Cause.ERROR, "it broke"))  # type: ignore[union-attr]
        work.clock.advance(400)
    code, told, _ = say("monitor", "--health")
    assert (code, told.splitlines()[0]) == (3, "warning")
    assert "1 job failed (error): it broke" in told
    work.clock.advance(3600)
    code, told, _ = say("monitor", "--health")
    assert (code, told.splitlines()[0]) == (4, "critical")
    assert "no trainer is alive" in told
    say("pause")
    assert say("monitor", "--health")[0] == 3
    document = json.loads(say("monitor", "--health", "--json")[1])
    assert document["health"]["state"] == "warning" and document["answers"] is True


def test_health_of_a_coordinator_that_is_away(say: Call, capsys: pytest.CaptureFixture[str]) -> None:
    from cli.app import main

    assert main(["monitor", "--health", "--url", "http://127.0.0.1:9"]) == 1
    assert capsys.readouterr().out.startswith("away: the coordinator is away, not heard yet")
    assert main(["monitor", "--health", "--json", "--url", "http://127.0.0.1:9"]) == 1
    assert json.loads(capsys.readouterr().out)["health"]["state"] == "away"
    assert main(["monitor", "--url", "http://127.0.0.1:9"]) == 1
    assert "does not answer" in capsys.readouterr().err


def test_details_alerts_and_json_are_printed(say: Call, ask: Ask, work: Night) -> None:
    boot = work.start()
    work.succeed(work.grant(boot))
    work.queue.fail(work.grant(boot).lease_id, failure(Cause.DATA, "too few rows"))
    code, told, err = say("monitor", "--detailed", "--no-screen", "--continuous", "--alerts", "--screen")
    assert code == 2 and "goes with none of" in err
    work.finish_all(boot)
    work.housekeeping.tick()
    code, told, err = say("monitor", "--detailed", "--no-screen")
    assert (code, err) == (0, "")
    assert "Night 1 is over: 7 of 8 cells trained" in told
    assert "∅" in told and "data       1     BTCUSDT_15m_H3" in told and "t1       idle" in told
    assert say("monitor", "--alerts")[:2] == (0, "no alert fires\n")
    document = ask("monitor", "--detailed")
    assert document["status"]["run"]["id"] == 1 and len(document["jobs"]) == 10


def test_lines_end_when_a_coordinator_of_this_machine_has_stopped(
    lines: Callable[..., subprocess.Popen[str]], steered: Parts, work: Night, tmp_path: Path
) -> None:
    work.start()
    (out := tmp_path / "out").mkdir()
    (out / "token").write_text(TOKEN)
    with served(make_app(steered)) as url:
        (out / "coordinator.json").write_text(Address(url=url, pid=os.getpid()).model_dump_json())
        process = lines("--interval", 0.5, "--out", out, url="")
        assert process.stdout is not None
        assert "0/8 cells" in process.stdout.readline()
    # One that was killed leaves its address, and may come back.
    until_line(process, "the coordinator is away, last heard")
    (out / "coordinator.json").unlink()
    until_line(process, "has ended")
    process.communicate(timeout=60)
    assert process.returncode == 0
