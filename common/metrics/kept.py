"""Families of thousands of series whose text is kept from scrape to scrape, part by part, and compressed.

A scrape of a large night writes tens of thousands of lines, of which few have changed since the last. Here a
part of a family (in the coordinator, a symbol's series) is written anew only when it has changed, and so is
its compressed form: pieces of a deflate stream that end on a whole byte and refer to nothing before them can
be put together, and are one stream with the checksum of all (RFC 1951, 1952).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.openmetrics.exposition import DOTS
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from common.metrics.exposition import Kind, Metric

GZIP_LEVEL = 1
"""A scrape is read once, on the same machine: little work counts for more than the last percent."""

_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
_LAST_BLOCK = b"\x03\x00"
_END = b"# EOF\n"

Series = Mapping[tuple[str, ...], float]
"""Values by the values of all labels, in order."""


class Part:
    """Some lines of a scrape, and their compressed form once somebody asked for it."""

    __slots__ = ("_deflated", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._deflated: bytes | None = None

    @property
    def deflated(self) -> bytes:
        """A piece of a deflate stream that does not end it."""
        if self._deflated is None:
            packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            self._deflated = packer.compress(self.text) + packer.flush(zlib.Z_FULL_FLUSH)
        return self._deflated


@dataclass(frozen=True)
class WrittenFamily:
    """A family of gauges with its text in parts; to `prometheus_client` it is a family like any other."""

    metric: Metric
    kept: tuple[Part, ...]

    type = "gauge"
    unit = ""

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.metric.name

    @property
    def documentation(self) -> str:
        """What it means."""
        return self.metric.help

    @property
    def samples(self) -> list[Sample]:
        """All series one by one, for a format that is not written here: read from the text that is kept."""
        lines = b"".join(part.text for part in self.kept).decode()
        return [sample for family in text_string_to_metric_families(lines) for sample in family.samples]

    def parts(self, openmetrics: bool) -> Iterator[Part]:
        """Yield its text; nothing where it has no series."""
        lines = [part for part in self.kept if part.text]
        if lines:
            yield _head(self.metric, openmetrics)
            yield from lines


class KeptFamily:
    """Writes a family of gauges in parts, each known by a name, and anew only when its key is another one.

    Parameters
    ----------
    metric : Metric
        Declares a gauge.

    Raises
    ------
    ValueError
        The metric is no gauge.
    """

    def __init__(self, metric: Metric) -> None:
        if metric.kind is not Kind.GAUGE:
            raise ValueError(f"{metric.name} is a {metric.kind}")
        self.metric = metric
        self._parts: dict[str, tuple[object, Part]] = {}

    def keep(self, name: str, key: object, read: Callable[[], Series]) -> None:
        """Have a part in the family; it is read only where its key is not the one that it had.

        Raises
        ------
        ValueError
            A label has a value that is not declared.
        """
        known, part = self._parts.get(name, (None, None))
        if part is None or known != key:
            text = _lines(self.metric, read())
            # What is compressed already need not be compressed again.
            self._parts[name] = key, part if part is not None and part.text == text else Part(text)

    def written(self) -> WrittenFamily:
        """Return the family as it is now."""
        return WrittenFamily(self.metric, tuple(part for _, part in self._parts.values()))


def scrape(registry: CollectorRegistry, accept: str, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
    """Return what a registry reports in the format that is accepted, and the headers that tell of it.

    Parameters
    ----------
    registry : CollectorRegistry
        What is collected.
    accept, accept_encoding : str
        Headers of the request.
    """
    generate, content_type = choose_encoder(accept)
    found: list[Any] = list(registry.collect())
    kept = [one for one in found if isinstance(one, WrittenFamily)]
    if content_type.endswith(f"escaping={DOTS}"):
        # It writes all names otherwise.
        parts = [Part(generate(_Collected(found)))]
    else:
        rest = generate(_Collected([one for one in found if not isinstance(one, WrittenFamily)]))
        openmetrics = rest.endswith(_END)
        lines = [part for family in kept for part in family.parts(openmetrics)]
        parts = [Part(rest.removesuffix(_END)), *lines, *[Part(_END)] * openmetrics]
    headers = {"content-type": content_type, "vary": "Accept, Accept-Encoding"}
    text = b"".join(part.text for part in parts)
    if not gzip_accepted(accept_encoding):
        return text, headers
    return _gzipped(parts, text), {**headers, "content-encoding": "gzip"}


@dataclass(frozen=True)
class _Collected:
    """What was collected, to be written."""

    families: list[Any]

    def collect(self) -> list[Any]:
        return self.families


def _gzipped(parts: Iterable[Part], text: bytes) -> bytes:
    end = struct.pack("<II", zlib.crc32(text), len(text) & 0xFFFFFFFF)
    return b"".join((_GZIP_HEAD, *(part.deflated for part in parts), _LAST_BLOCK, end))


@lru_cache
def _head(metric: Metric, openmetrics: bool) -> Part:
    words = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        words = words.replace('"', r"\"")
    return Part(f"# HELP {metric.name} {words}\n# TYPE {metric.name} gauge\n".encode())


def _lines(metric: Metric, series: Series) -> bytes:
    written = [
        f"{_name(metric, values)} {floatToGoString(value)}\n"  # type: ignore[no-untyped-call]  # the library's
        for values, value in series.items()
    ]
    return "".join(written).encode()


def _name(metric: Metric, values: tuple[str, ...]) -> str:
    written = []
    for label, value in sorted(zip(metric.labels, values, strict=True), key=lambda one: one[0].name):
        if label.values and value not in label.values:
            raise ValueError(f"{metric.name}: {label.name} cannot be {value!r}")
        escaped = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
        written.append(f'{label.name}="{escaped}"')
    return f"{metric.name}{{{','.join(written)}}}"
