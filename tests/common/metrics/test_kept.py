"""Families whose text is kept, and a whole scrape put together of them."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from common.metrics.exposition import Label, Metric, Readings
from common.metrics.kept import KeptFamily, Series, scrape

CELL = Metric(
    "night_cell_ratio", 'A share, of "one".\nOr none.', (Label("symbol"), Label("kind", ("a", "b")))
)
OTHER = Metric("night_open", "Whether it is open.")
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
FORMATS = ["", "text/plain", OPENMETRICS, f"{OPENMETRICS}; escaping=dots", "text/plain; version=1.0.0"]


class Reporter:
    """Reports one family as it is kept, and another as it is read."""

    def __init__(self, kept: KeptFamily) -> None:
        self.kept = kept

    def collect(self):  # type: ignore[no-untyped-def]
        readings = Readings()
        readings.put(OTHER, 1.0)
        yield from readings.families()
        yield self.kept.written()


def registered(kept: KeptFamily) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Reporter(kept))  # type: ignore[arg-type]
    return registry


@pytest.mark.parametrize("accept", FORMATS)
@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.text(max_size=8), st.dictionaries(st.sampled_from("ab"), st.floats(), max_size=2)),
)
def test_a_scrape_is_what_the_library_would_write(accept: str, values: dict[str, dict[str, float]]) -> None:
    kept = KeptFamily(CELL)
    for symbol, of_symbol in values.items():
        series: Series = {(symbol, kind): value for kind, value in of_symbol.items()}
        kept.keep(symbol, None, lambda series=series: series)  # type: ignore[misc]
    registry = registered(kept)
    generate, content_type = choose_encoder(accept)
    # The library names a family that has no series; nobody asks for one.
    expected = sorted(generate(registry).splitlines()) if any(values.values()) else None
    text, headers = scrape(registry, accept, "")
    assert headers["content-type"] == content_type
    assert expected is None or sorted(text.splitlines()) == expected
    assert text.endswith(b"# EOF\n") == (OPENMETRICS in accept)
    packed, headers = scrape(registry, accept, "gzip")
    assert headers["content-encoding"] == "gzip"
    # One stream: a client that stops at the end of the first one loses nothing.
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert unpacking.decompress(packed) == gzip.decompress(packed) == text
    assert unpacking.eof and not unpacking.unused_data


def test_a_part_is_read_again_only_with_another_key() -> None:
    kept, read = KeptFamily(CELL), []

    def keep(key: int, value: float) -> None:
        def series() -> Series:
            read.append(key)
            return {("BTC", "a"): value}

        kept.keep("BTC", key, series)

    for key, value in ((1, 0.5), (1, 0.5), (2, 0.75)):
        keep(key, value)
    assert read == [1, 2]
    assert b'night_cell_ratio{kind="a",symbol="BTC"} 0.75\n' in scrape(registered(kept), "", "")[0]


def test_only_what_is_declared_is_kept() -> None:
    with pytest.raises(ValueError, match="kind cannot be 'c'"):
        KeptFamily(CELL).keep("BTC", 1, lambda: {("BTC", "c"): 1.0})
    with pytest.raises(ValueError, match="is a counter"):
        KeptFamily(Metric("night_jobs_total", "Jobs."))
