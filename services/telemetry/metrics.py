"""Prometheus metrics of telemetry; one registry an application, so that tests can make many."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class TelemetryMetrics:
    """All metrics of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.published = Counter(
            "berth_telemetry_snapshots_published", "Snapshots made current", registry=self.registry
        )
        self.failures = Counter(
            "berth_telemetry_publish_failures",
            "Attempts that did not make a snapshot current",
            ["reason"],
            registry=self.registry,
        )
        self.compute = Histogram(
            "berth_telemetry_compute_seconds",
            "Time to take in what happened and to compute a snapshot",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.version = Gauge("berth_telemetry_snapshot_version", "Newest version", registry=self.registry)
        self.age = Gauge(
            "berth_telemetry_snapshot_age_seconds", "Since the last publication; NaN before it", registry=self.registry
        )
        self.nodes = Gauge("berth_telemetry_nodes", "Nodes in the newest snapshot", registry=self.registry)
        self.refused = self.counter("callers_refused", "Callers that were not let in, by status", "code")
        self.source_failures = self.counter(
            "source_failures", "Questions that API server or Prometheus did not answer", "of", "reason"
        )
        self.unreadable = self.counter("unreadable_objects", "Nodes and pods that could not be read", "kind")
        self.left_out = self.counter("samples_left_out", "Newest values that were of no use", "metric", "reason")
        self.partial = self.counter("partial_answers", "Answers that Prometheus called incomplete", "metric")
        self.skew = Gauge(
            "berth_telemetry_prometheus_clock_ahead_seconds", "Prometheus's clock against ours", registry=self.registry
        )
        self.history_rows = self.counter("history_rows", "Rows written to history")
        self.history_lost = self.counter("history_rows_lost", "Rows given up as history could not be written")
        self.history_failures = self.counter("history_failures", "Attempts to write history that failed", "reason")
        self.history_age = Gauge(
            "berth_telemetry_history_age_seconds",
            "Since rows were last written to history; NaN before",
            registry=self.registry,
        )
        self.history_age.set(math.nan)
        self.bindings = self.counter("bindings", "Bound pods, by what became of their decision record", "outcome")
        self.binding_losses = self.counter("binding_losses", "What was given up as too much waited, by kind", "what")
        self.binding_failures = self.counter(
            "binding_failures", "Attempts to read decision records or to keep bindings that failed", "of", "reason"
        )
        for reason in ("store", "fenced", "not-listed", "internal"):
            self.failures.labels(reason)

    def counter(self, name: str, what: str, *labels: str) -> Counter:
        """One of this process's."""
        return Counter(f"berth_telemetry_{name}", what, labels, registry=self.registry)
