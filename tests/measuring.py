"""What the package measures: one reader for the whole process, as a provider can be set once."""

from functools import cache

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@cache
def metric_reader() -> InMemoryMetricReader:
    """The metrics of this process; the package was imported long before, as it is in applications."""
    deltas: dict[type, AggregationTemporality] = dict.fromkeys(
        (Counter, Histogram, ObservableCounter), AggregationTemporality.DELTA
    )
    reader = InMemoryMetricReader(preferred_temporality=deltas)
    # The provider is not shut down: it stays the global one, and a closed one warns each new application.
    metrics.set_meter_provider(MeterProvider([reader], shutdown_on_exit=False))
    return reader


@cache
def span_exporter() -> InMemorySpanExporter:
    """The spans of this process, from now on."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


def counted(name: str) -> dict[tuple[str, ...], int]:
    """How much a counter grew since the last look, by its attributes' values in the order of their names."""
    data = metric_reader().get_metrics_data()
    found: dict[tuple[str, ...], int] = {}
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name == name:
                    for point in metric.data.data_points:
                        values = tuple(str(value) for _, value in sorted((point.attributes or {}).items()))
                        found[values] = getattr(point, "value", 0)
    return {values: count for values, count in found.items() if count}
