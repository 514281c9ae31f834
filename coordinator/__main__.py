"""Start the coordinator: ``python -m coordinator --config FILE --out DIR``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import SystemRandom
from types import FrameType

from common.lean_import import collect_seldom, uncollected

with uncollected():
    # A tenth of what a start takes.
    import uvicorn

    from common import logs
    from common.errors import ConfigurationError, NighttrainError
    from common.out_folder import OutFolder, held_by_coordinator
    from common.protocol.address import Address
    from common.settings.given import Given, from_yaml, read_given
    from common.token_file import Role
    from common.whole_file import write_whole
    from coordinator.app import make_app
    from coordinator.assembly import assemble
    from coordinator.configuration import Configuration, Source
    from coordinator.connections import Connection, raise_descriptor_limit
    from coordinator.credentials.tokens import open_tokens
    from coordinator.listener import BACKLOG, is_loopback, listen, url_of
    from coordinator.store.database import Database, sqlite_url
    from coordinator.store.seats import SOLE, refuse_strangers, seat_in

logger = logging.getLogger("coordinator")

EXAMPLES = """\
examples:
  python -m coordinator --config deploy/night_training.yaml --out night
  python -m coordinator --config deploy/night_training.yaml --out night --port 5001 --debug
  BT_NIGHT_DATABASE_URL=postgresql+psycopg://user:password@host/nighttrain python -m coordinator ...
  BT_NIGHT_DATABASE_URL=... python -m coordinator --config FILE --out /shared/night --instance b

Below --out it keeps nighttrain.db, artifacts/, logs/ and, unless they are given, the bearer tokens, readable
by you only: token (the operator's), trainer_token, alerts_token, reader_token. A token whose file changes is
taken up without a restart. Where the settings have a window, it begins a night at each opening. A
changed configuration is taken up while it runs, where that is safe.
Several coordinators may share a PostgreSQL database: they share the folder too, at the same path, and each
has a name by --instance, which its log, lock and address bear; one leads, and does the housekeeping.
Once it listens, coordinator.json there (coordinator-NAME.json) holds its address. Ctrl-C or SIGTERM ends it;
nothing is lost.
"""
AWAITED = "--options-from-input"
NOTHING_UPDATES = (
    "data.update_before_night does nothing here: candles are fetched by nighttrain up; otherwise by "
    "nighttrain data download --update where they are"
)
GRACE_SECONDS = 5
KEEP_ALIVE_SECONDS = 60
TICK_SECONDS = 1.0
"""How often the server renews the time that is in its answers."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the coordinator until it is told to stop, and return its exit code.

    Returns
    -------
    int
        0 after a clean stop, 2 for a mistake in options, configuration, folder, port or database.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if AWAITED in given:
        line = _first_line()
        if not line:
            return 0
        given = [*given, *shlex.split(line)]
    options = _parser().parse_args(given)
    try:
        source = _source(options)
        configuration = Configuration(source.read(source.path), source)
        with held_by_coordinator(options.out, options.instance or "") as out:
            logs.configure(out.coordinator_log, options.debug, "coordinator")
            _quiet_libraries(options.debug)
            collect_seldom()
            _serve(options, configuration, out)
    except NighttrainError as error:
        if options.debug:
            logger.exception("cannot start")
        print(f"coordinator: {error}", file=sys.stderr)  # noqa: T201 (for whoever started it)
        return error.kind.exit_code
    except KeyboardInterrupt:
        return 0
    return 0


def _first_line() -> str:
    """Return the first line of standard input, empty if it ends before; what follows stays unread."""
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(sys.stdin.fileno(), 1)
        if not part:
            return ""
        line += part
    return line.decode().strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m coordinator",
        description="Hands out the jobs of a night of training over HTTP, and keeps what they bring.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration as YAML; BT_NIGHT_* overrides it"
    )
    source.add_argument(
        "--settings-json", type=Path, metavar="FILE", help="finished settings as JSON; nothing overrides them"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for all that is kept")
    parser.add_argument(
        "--instance",
        type=_instance,
        metavar="NAME",
        help="its name among several that share a PostgreSQL database and the out folder (default: none)",
    )
    parser.add_argument("--host", metavar="HOST", help="address to listen on (default: dashboard.host)")
    parser.add_argument(
        "--port", type=_port, metavar="PORT", help="0 takes any free one (default: dashboard.port)"
    )
    for role in Role:
        parser.add_argument(
            f"--{_option(role).replace('_', '-')}",
            type=Path,
            metavar="FILE",
            help=f"{role.owner} bearer token, if it is given (default: its own)",
        )
    parser.add_argument(
        "--trusted-host",
        action="append",
        default=[],
        metavar="NAME",
        help="its name on a network that is trusted like loopback: reading needs no token (may be repeated)",
    )
    parser.add_argument(
        "--expect-scrapes",
        action="store_true",
        help="Prometheus watches it: warn when it does not scrape (default: after its first scrape)",
    )
    parser.add_argument(
        "--alertmanager",
        type=_address,
        metavar="URL",
        help="hand it each night in ten lines when the night ends, for the receivers of alerts",
    )
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when standard input ends")
    parser.add_argument(
        AWAITED,
        action="store_true",
        help="read further options from the first line of standard input, when all is imported",
    )
    parser.add_argument("--debug", action="store_true", help="log more, and show tracebacks")
    return parser


def _address(text: str) -> str:
    if re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write it as http://HOST:PORT")
    return text


def _instance(text: str) -> str:
    if re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no name; use up to 63 of a-z, 0-9 and -")
    return text


def _option(role: Role) -> str:
    return "token_file" if role is Role.OPERATOR else f"{role}_token_file"


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a number from 0 to 65535")
    return int(text)


def _source(options: argparse.Namespace) -> Source:
    if options.config is not None:
        return Source(options.config, _named)
    return Source(options.settings_json, read_given)


def _named(path: Path) -> Given:
    given = from_yaml(path)
    settings = given.settings
    if settings.training and settings.window and (settings.all_symbols or settings.all_timeframes):
        # Found out here and not at ten in the evening.
        raise ConfigurationError(
            "symbols or timeframes are all, and a coordinator that starts by the clock sees no candles",
            "name the symbols and timeframes, or leave window out and use nighttrain start --data DIR",
        )
    if settings.data.update_before_night:
        return replace(given, warnings=(*given.warnings, NOTHING_UPDATES))
    return given


def _serve(options: argparse.Namespace, configuration: Configuration, out: OutFolder) -> None:
    settings = configuration.settings
    if out.instance and not settings.database_url.startswith("postgresql"):
        raise ConfigurationError(
            f"--instance {out.instance}: several coordinators need PostgreSQL, and the database is SQLite",
            "set database_url to postgresql+psycopg://user:password@host/name, or leave --instance out",
        )
    dashboard = settings.dashboard
    host = options.host or (dashboard.host if dashboard.enabled else "127.0.0.1")
    port = options.port if options.port is not None else (dashboard.port if dashboard.enabled else 0)
    listener = listen(host, port)
    raise_descriptor_limit()
    with listener:
        database = Database(settings.database_url or sqlite_url(out.database))
        database.upgrade()
        seat = SOLE if database.is_sqlite else seat_in(out)
        with database.write() as tx:
            refuse_strangers(tx, seat)
        given = {role: path for role in Role if (path := getattr(options, _option(role))) is not None}
        trusted = tuple(options.trusted_host)
        parts = assemble(
            database,
            settings,
            out.root,
            open_tokens(out, given),
            is_loopback(host),
            SystemRandom(),
            trusted,
            options.expect_scrapes,
            configuration,
            options.alertmanager or "",
            seat,
        )
        app = make_app(parts)
        config = uvicorn.Config(
            app,
            http=Connection,
            backlog=BACKLOG,
            log_config=None,
            access_log=False,
            lifespan="on",
            ws="none",
            server_header=False,
            # Its own default believes whoever is on this machine; whom to believe is a setting here.
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        server = _Server(config, lambda: _announce(out, url_of(listener)))
        app.state.stopping = lambda: server.should_exit
        _stop_on_signals(server)
        if options.exit_with_parent:
            threading.Thread(target=_stop_with_parent, args=(server,), daemon=True).start()
        server.run(sockets=[listener])
        database.close()
    logger.info("stopped")


class _Server(uvicorn.Server):
    """The library's server, which looks ten times a second whether to stop and then waits for nothing."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._turning: asyncio.AbstractEventLoop | None = None
        self._asked = asyncio.Event()

    def stop(self) -> None:
        """Have the server stop; any thread and any signal may say so."""
        self.should_exit = True
        if self._turning is not None:
            # It is closed when the server has stopped already.
            with suppress(RuntimeError):
                self._turning.call_soon_threadsafe(self._asked.set)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self.stop()

    async def main_loop(self) -> None:
        self._turning = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        state = self.server_state
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(state.connections):
            connection.shutdown()
        # Those that are idle are closed in the next turn, and forgotten in the one after it.
        for _ in range(2):
            await asyncio.sleep(0)
        if state.connections or state.tasks:
            await super().shutdown(sockets)
        else:
            await self.lifespan.shutdown()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _announce(out: OutFolder, url: str) -> None:
    address = Address(url=url, pid=os.getpid())
    write_whole(out.address, (address.model_dump_json() + "\n").encode())
    logger.info("listening on %s, keeping %s", url, out.root)


def _stop_on_signals(server: _Server) -> None:
    # The server raises a signal that stopped it once more when it is done; here that must not end in a death.
    def stop(number: int, frame: object) -> None:
        del number, frame
        server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def _stop_with_parent(server: _Server) -> None:
    with suppress(OSError):
        while os.read(sys.stdin.fileno(), 4096):
            pass
    server.stop()


def _quiet_libraries(debug: bool) -> None:
    for name in ("uvicorn", "uvicorn.error", "alembic"):
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.WARNING)


if __name__ == "__main__":
    CODE = main()
    logging.shutdown()
    sys.stderr.flush()
    # All is closed and durable: taking a thousand modules apart would but hold up who waits for the end.
    os._exit(CODE)
