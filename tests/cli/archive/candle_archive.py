"""A local archive of candles, laid out as Binance's, that also serves what goes wrong."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MICROSECONDS_FROM = date(2025, 1, 1)
"""Since then the archive's spot candles count microseconds."""


def zipped(symbol: str, period: str, first: date, last: date) -> bytes:
    """Hourly candles from the first day to the last, as the archive has them."""
    unit = 1_000_000 if first >= MICROSECONDS_FROM else 1000
    rows = []
    moment = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    while moment < end:
        opened = int(moment.timestamp()) * unit
        price = 100 + (opened // unit // 3600 % 97) / 10
        values = (price, price + 1, price - 1, price + 0.5, 10 + price % 3)
        shown = ",".join(f"{value:.2f}" for value in values)
        rows.append(f"{opened},{shown},{opened + 3600 * unit - 1},{10 * price:.2f},5,4.0,400.0,0")
        moment += timedelta(hours=1)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(f"{symbol}-1h-{period}.csv", (2020, 1, 1, 0, 0, 0))
        archive.writestr(entry, "\n".join(rows) + "\n")
    return packed.getvalue()


class CandleArchive:
    """`faults` are by the end of a path: how it is served wrongly, and how often."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, tuple[str, int]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.served = Counter[str]()
        self.url = ""
        self.release = threading.Event()

    def add_month(self, symbol: str, year: int, month: int, folder: str = "spot") -> None:
        first = date(year, month, 1)
        last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        period = f"{first:%Y-%m}"
        self._add(
            f"{folder}/monthly/klines/{symbol}/1h/{symbol}-1h-{period}.zip", symbol, period, first, last
        )

    def add_day(self, symbol: str, day: date, folder: str = "spot") -> None:
        period = day.isoformat()
        self._add(f"{folder}/daily/klines/{symbol}/1h/{symbol}-1h-{period}.zip", symbol, period, day, day)

    def _add(self, path: str, symbol: str, period: str, first: date, last: date) -> None:
        content = zipped(symbol, period, first, last)
        self.files[path] = content
        digest = hashlib.sha256(content).hexdigest()
        self.files[f"{path}.CHECKSUM"] = f"{digest}  {path.rsplit('/', 1)[1]}\n".encode()

    def asked_for(self, ending: str) -> int:
        """How often a path was got."""
        return sum(method == "GET" and path.endswith(ending) for method, path, _ in self.asked)

    def loaded(self) -> list[str]:
        """The periods of the files that were got, without their checksums."""
        names = [path for method, path, _ in self.asked if method == "GET" and path.endswith(".zip")]
        return sorted({name.split("-1h-")[1].removesuffix(".zip") for name in names})

    def fault(self, path: str) -> str:
        for ending, (kind, times) in self.faults.items():
            if path.endswith(ending) and self.served[ending] < times:
                self.served[ending] += 1
                return kind
        return ""


@contextmanager
def serving(archive: CandleArchive) -> Iterator[CandleArchive]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            given = self.headers.get("Range", "")
            archive.asked.append((self.command, path, given))
            content = archive.files.get(path)
            fault = archive.fault(path)
            if content is None or fault == "missing":
                return self._answer(404, b"", {})
            if fault == "broken":
                return self._answer(503, b"", {})
            if fault == "wrong":
                content = content[:-5] + b"wrong"
            if fault == "slow":
                archive.release.wait(20)
            start = int(given.removeprefix("bytes=").rstrip("-")) if given else 0
            if start >= len(content) and given:
                return self._answer(416, b"", {})
            headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if given else {}
            body = content[start:]
            if fault == "cut":
                return self._answer(206 if given else 200, body, headers, only=len(body) // 2)
            if fault == "drip":
                return self._drip(body)
            return self._answer(206 if given else 200, body, headers)

        def _answer(self, status: int, body: bytes, headers: dict[str, str], only: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body if only is None else body[:only])
            if only is not None:
                self.wfile.flush()
                self.close_connection = True

        def _drip(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                for place in range(len(body)):
                    self.wfile.write(body[place : place + 1])
                    self.wfile.flush()
                    if archive.release.wait(0.05):
                        break
            except OSError:
                pass
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    archive.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield archive
    finally:
        archive.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
