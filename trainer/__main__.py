"""``python -m trainer``: one trainer, from its options to its exit code.

Exit codes: 0 after a stop, 2 for what the user can correct (options, folders, the token), 1 for all else.
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from common.lean_import import uncollected

with uncollected():
    from common import logs
    from common.bounds import MOST_NAME_CHARACTERS
    from common.client.trainers import TrainerClient
    from common.errors import ConfigurationError, NighttrainError, UnauthorizedError
    from common.host import ControlGroup, control_group
    from common.objects.address import Place, place_of
    from common.objects.store import open_objects
    from common.quoted import quoted
    from common.settings.sections import GIBIBYTE
    from trainer.agent.agent import Agent, Workplace
    from trainer.agent.identity import introduce
    from trainer.agent.stop_request import StopRequest
    from trainer.agent.vitals import Vitals
    from trainer.compiled.library import opened
    from trainer.process.fork_server import TRAINING, WORKER, ForkServer

LOG = logging.getLogger("trainer")

STANDARD_INPUT = "-"
TOKEN_SECONDS = 0.5
DEFAULT_LIMIT_GIB = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a trainer and return its exit code."""
    options = _options(arguments)
    stop = StopRequest()
    server = ForkServer(WORKER, TRAINING, options.fork_server)

    def leave_at_once(number: int) -> None:
        server.kill_child()
        os._exit(128 + number)

    stop.on_signals(leave_at_once)
    try:
        log = options.logs / f"{options.name}.log" if options.logs else None
        logs.configure(log, options.debug, options.name)
        _check_folders(options.data, options.cache)
        # Each job would die of it, and none could say why.
        opened()
        server.start()
        url = _first_line(stop) if options.coordinator == STANDARD_INPUT else options.coordinator
        if options.exit_with_parent:
            stop.on_end_of_input()
        if not stop.is_made:
            _run(options, url, server, stop)
    except NighttrainError as error:
        LOG.error("%s", error, exc_info=options.debug)
        usage = isinstance(error, ConfigurationError | UnauthorizedError)
        return 2 if usage else error.kind.exit_code
    except Exception:
        LOG.exception("a defect in the trainer")
        return 1
    finally:
        server.close()
    LOG.info("stopped %.1f s after the request", stop.age_seconds)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m trainer", description="A trainer: pulls jobs from a coordinator."
    )
    add = parser.add_argument
    add(
        "--coordinator",
        required=True,
        metavar="URL",
        help="where it listens, e.g. http://127.0.0.1:5000; - reads it from the first line of standard input",
    )
    add("--token-file", required=True, type=Path, metavar="FILE", help="the trainers' bearer token")
    add(
        "--name",
        type=_name,
        default=socket.gethostname(),
        help="unique among trainers, the same after a restart",
    )
    add(
        "--data",
        required=True,
        type=_place,
        metavar="DIR|URL",
        help="the folder with the candles, or s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX; "
        "credentials are those of the environment",
    )
    add("--cache", required=True, type=Path, metavar="DIR", help="where candles and features are cached")
    add(
        "--cache-limit-gb",
        type=_gibibytes,
        metavar="GIB",
        help="what candles may take in the cache (default: half of what its disk has left for it)",
    )
    add(
        "--memory-limit-gb",
        type=_gibibytes,
        metavar="GIB",
        help=f"what a job may take (default: the control group's limit, else {DEFAULT_LIMIT_GIB} GiB)",
    )
    add(
        "--metrics-port",
        type=_port,
        default=0,
        metavar="PORT",
        help="serve /metrics and /healthz there (default 0: nowhere)",
    )
    add("--metrics-host", default="127.0.0.1", metavar="HOST", help="at this address (default 127.0.0.1)")
    add(
        "--fork-server",
        default="",
        metavar="ADDRESS",
        help="the socket of a fork server that it shares with other trainers of this host: a path, or @ and "
        "a name that is no file (default: one of its own, as where nobody answers)",
    )
    add("--logs", type=Path, metavar="DIR", help="where to keep NAME.log besides stderr")
    add("--exit-with-parent", action="store_true", help="stop at the end of standard input")
    add("--debug", action="store_true", help="log more, and tracebacks")
    return parser.parse_args(arguments)


def _name(text: str) -> str:
    if not 0 < len(text) <= MOST_NAME_CHARACTERS or not text.isprintable():
        raise argparse.ArgumentTypeError(
            f"'{quoted(text)}' is not a name; give plain text, at most {MOST_NAME_CHARACTERS} characters"
        )
    return text


def _place(text: str) -> Place:
    try:
        return place_of(text)
    except ValueError as error:
        # Without the value, which may hold a password.
        raise argparse.ArgumentTypeError(f"the address {error}") from None


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a number from 0 to 65535")
    return int(text)


def _gibibytes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a limit; give GiB, at least 0.1")
    return value


def _check_folders(data: Place, cache: Path) -> None:
    if isinstance(data, str):
        # Each job asks the store anew; that its client is there is known now.
        open_objects(data)
    elif not data.is_dir():
        raise ConfigurationError(
            f"the data folder {data} does not exist", "name the folder with candles by --data"
        )
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            pass
    except OSError as error:
        what = f"the cache folder {cache} cannot be written: {error.strerror}"
        raise ConfigurationError(what, "name another by --cache") from error


def _first_line(stop: StopRequest) -> str:
    """Wait for a line, while the fork server imports; make the request to stop if the input ends instead."""
    source, line = sys.stdin.fileno(), b""
    while not line.endswith(b"\n"):
        select.select([source, stop.fileno()], [], [])
        part = b"" if stop.is_made else os.read(source, 1)
        if not part:
            stop.make()
            break
        line += part
    return line.decode().strip()


def _run(options: argparse.Namespace, url: str, server: ForkServer, stop: StopRequest) -> None:
    group = control_group()
    hello = introduce(options.name, _memory_limit_bytes(options, group), group)
    vitals = Vitals()
    if options.metrics_port:
        # The trainers of a launcher serve none.
        from trainer.agent.metrics import TrainerCollector, serve

        collector = TrainerCollector(vitals, hello, group, options.cache, stop)
        serve(collector, options.metrics_host, options.metrics_port)
    token: Path = options.token_file
    if not token.exists() and token.parent.is_dir():
        LOG.warning("no token file %s yet; waiting for the coordinator to make it", token)
        while not token.exists():
            vitals.beat()
            if stop.wait(TOKEN_SECONDS):
                return
    with TrainerClient(url, token) as client:
        client.report_failures(vitals.failed)
        bound = int(options.cache_limit_gb * GIBIBYTE) if options.cache_limit_gb else None
        place = Workplace(options.data, options.cache, group, bound)
        Agent(client, hello, server, place, stop, vitals).run()


def _memory_limit_bytes(options: argparse.Namespace, group: ControlGroup) -> int:
    given: float | None = options.memory_limit_gb
    if given is not None:
        return int(given * GIBIBYTE)
    return group.memory_limit_bytes() or int(DEFAULT_LIMIT_GIB * GIBIBYTE)


if __name__ == "__main__":
    CODE = main()
    logging.shutdown()
    sys.stderr.flush()
    # A thread that still waits for an answer must not hold up the exit.
    os._exit(CODE)
