"""What the declaration of a metric is, and the exporters that are made of it.

Two ways lead to a scrape. What a process counts in its own memory is an instrument of `prometheus_client`,
made by `counter`, `gauge` or `histogram`. What is read at the scrape (the database, the machine) is put into
`Readings` by a collector, afresh each time, so that nothing stale remains. Both take only what is declared,
and both begin a series at zero where its labels are known beforehand: so the first event is an increase.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import prometheus_client
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily
UNITS = ("seconds", "bytes", "ratio")


class Kind(StrEnum):
    """What Prometheus makes of a metric; an INFO is a gauge that is always 1 and tells by its labels."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


class Exporter(StrEnum):
    """Which process exports a metric; the value names its scrape job in `prometheus/prometheus.yml`."""

    COORDINATOR = "coordinator"
    TRAINER = "trainer"


class Source(StrEnum):
    """Where a value comes from at a scrape.

    The database, what coordinators share besides its rows (its size, the out folder, the page's address), the
    machine, or the process' own memory.
    """

    DATABASE = "database"
    SHARED = "shared"
    HOST = "host"
    PROCESS = "process"


@dataclass(frozen=True)
class Label:
    """A label and what bounds it: the list of its `values`, or `bound` in words where the night decides."""

    name: str
    values: tuple[str, ...] = ()
    bound: str = ""


@dataclass(frozen=True)
class Metric:
    """A declaration; by Prometheus' conventions for names, the name also says kind and unit.

    `name` is as queries write it, without the suffixes of a histogram's series. `buckets` make a histogram:
    upper bounds in the metric's unit, ascending, without infinity.
    """

    name: str
    help: str
    labels: tuple[Label, ...] = ()
    source: Source = Source.PROCESS
    exporters: tuple[Exporter, ...] = (Exporter.COORDINATOR,)
    buckets: tuple[float, ...] = ()

    @property
    def kind(self) -> Kind:
        """A histogram has buckets, a counter ends in ``_total``, an info in ``_info``; else it is a gauge."""
        if self.buckets:
            return Kind.HISTOGRAM
        suffixes = {"total": Kind.COUNTER, "info": Kind.INFO}
        return suffixes.get(self.name.rpartition("_")[2], Kind.GAUGE)

    @property
    def unit(self) -> str:
        """The base unit that the name ends in (before ``_total``), or "" for what is counted in things."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return last if last in UNITS else ""

    @property
    def is_shared(self) -> bool:
        """Whether each of several coordinators reports the same, so that only one of them may count."""
        return self.source in (Source.DATABASE, Source.SHARED)

    @property
    def series(self) -> tuple[str, ...]:
        """The names that its series have in Prometheus."""
        suffixes = ("_bucket", "_sum", "_count") if self.buckets else ("",)
        return tuple(self.name + suffix for suffix in suffixes)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of its labels, in order."""
        return tuple(label.name for label in self.labels)


def process_registry() -> CollectorRegistry:
    """Return a fresh registry with what each process reports about itself: ``process_*`` and ``python_info``.

    From now on counters and histograms of this process come without ``_created`` series, which nobody
    declared and nothing asks for.
    """
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def counter(metric: Metric, registry: CollectorRegistry) -> prometheus_client.Counter:
    """Make the counter that `metric` declares, and register it."""
    _must_be(metric, Kind.COUNTER)
    made = prometheus_client.Counter(metric.name, metric.help, metric.label_names, registry=registry)
    for values in _known_labels(metric):
        made.labels(*values)
    return made


def gauge(metric: Metric, registry: CollectorRegistry) -> prometheus_client.Gauge:
    """Make the gauge that `metric` declares, and register it."""
    _must_be(metric, Kind.GAUGE)
    made = prometheus_client.Gauge(metric.name, metric.help, metric.label_names, registry=registry)
    for values in _known_labels(metric):
        made.labels(*values)
    return made


def histogram(metric: Metric, registry: CollectorRegistry) -> prometheus_client.Histogram:
    """Make the histogram that `metric` declares, and register it."""
    _must_be(metric, Kind.HISTOGRAM)
    made = prometheus_client.Histogram(
        metric.name, metric.help, metric.label_names, registry=registry, buckets=metric.buckets
    )
    for values in _known_labels(metric):
        made.labels(*values)
    return made


class Readings:
    """What one scrape has read, for a collector's ``collect`` to yield.

    Every method raises ValueError for a label, or a label's value, that is not declared, for a metric of
    another kind, and for a series that was read already: Prometheus would drop or refuse it without a word.

    Parameters
    ----------
    **constant : str
        Labels that all of this process' series bear, where their metric declares them.
    """

    def __init__(self, **constant: str) -> None:
        self._constant = constant
        self._families: dict[str, Family] = {}
        self._seen: set[tuple[str, tuple[str, ...]]] = set()

    def put(self, metric: Metric, value: float, **labels: str) -> None:
        """Read one series of a gauge or counter."""
        _must_be(metric, Kind.GAUGE, Kind.COUNTER)
        self._add(metric, labels, value)

    def info(self, metric: Metric, **labels: str) -> None:
        """Read an info: its labels are what it tells."""
        _must_be(metric, Kind.INFO)
        self._add(metric, labels, 1.0)

    def state(self, metric: Metric, current: str, **labels: str) -> None:
        """Read a set of states: 1 for the value `current` of the metric's last label, 0 for the others."""
        _must_be(metric, Kind.GAUGE)
        states = metric.labels[-1]
        if current not in states.values:
            raise ValueError(f"{metric.name}: {states.name} cannot be {current!r}")
        for value in states.values:
            self._add(metric, {**labels, states.name: value}, float(value == current))

    def counts(self, metric: Metric, counts: Mapping[tuple[str, ...], float], **known: Iterable[str]) -> None:
        """Read counts by the values of all labels but the constant ones, in order; what is missing is 0.

        `known` gives the values of labels whose declaration does not list them, such as the run's symbols.
        """
        _must_be(metric, Kind.GAUGE, Kind.COUNTER)
        counted = [label for label in metric.labels if label.name not in self._constant]
        axes = [label.values or tuple(known[label.name]) for label in counted]
        names = [label.name for label in counted]
        for values, count in (dict.fromkeys(itertools.product(*axes), 0.0) | dict(counts)).items():
            self._add(metric, dict(zip(names, values, strict=True)), count)

    def observations(self, metric: Metric, observed: Iterable[float], **labels: str) -> None:
        """Read a histogram of `observed` values, each in the metric's unit."""
        _must_be(metric, Kind.HISTOGRAM)
        family, values = self._family(metric, labels)
        assert isinstance(family, HistogramMetricFamily)
        ordered = sorted(observed)
        buckets = [
            (str(float(bound)), float(bisect.bisect_right(ordered, bound))) for bound in metric.buckets
        ]
        family.add_metric(values, [*buckets, ("+Inf", float(len(ordered)))], sum(ordered))

    def families(self) -> Iterator[Family]:
        """Yield what was read, metric by metric."""
        yield from self._families.values()

    def _add(self, metric: Metric, labels: Mapping[str, str], value: float) -> None:
        family, values = self._family(metric, labels)
        assert not isinstance(family, HistogramMetricFamily)
        family.add_metric(values, value)

    def _family(self, metric: Metric, labels: Mapping[str, str]) -> tuple[Family, tuple[str, ...]]:
        constant = {name: value for name, value in self._constant.items() if name in metric.label_names}
        labels = {**constant, **labels}
        if set(labels) != set(metric.label_names):
            raise ValueError(f"{metric.name} has the labels {metric.label_names}, not {tuple(labels)}")
        for label in metric.labels:
            # An empty value is the label's absence: a survey has no timeframe.
            if label.values and labels[label.name] not in (*label.values, ""):
                raise ValueError(f"{metric.name}: {label.name} cannot be {labels[label.name]!r}")
        values = tuple(str(labels[name]) for name in metric.label_names)
        if (metric.name, values) in self._seen:
            raise ValueError(f"{metric.name}: {values} was read already")
        self._seen.add((metric.name, values))
        if metric.name not in self._families:
            self._families[metric.name] = _FAMILIES[metric.kind](
                metric.name, metric.help, labels=metric.label_names
            )
        return self._families[metric.name], values


_FAMILIES: dict[Kind, type[Family]] = {
    Kind.COUNTER: CounterMetricFamily,
    Kind.GAUGE: GaugeMetricFamily,
    Kind.INFO: GaugeMetricFamily,
    Kind.HISTOGRAM: HistogramMetricFamily,
}


def _known_labels(metric: Metric) -> Iterator[tuple[str, ...]]:
    # Without labels there is nothing to begin: prometheus_client does so by itself.
    if metric.labels and all(label.values for label in metric.labels):
        yield from itertools.product(*(label.values for label in metric.labels))


def _must_be(metric: Metric, *kinds: Kind) -> None:
    if metric.kind not in kinds:
        raise ValueError(f"{metric.name} is a {metric.kind}")
