"""Prometheus metrics of a model server, beside the latency histograms that KServe keeps itself."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kserve.errors import InvalidInput
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from services.serving.errors import DeadlinePassedError, OverloadedError
from services.serving.signature import Signature

COMPUTE_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 1.0)
OUTCOMES: dict[type[BaseException], str] = {
    InvalidInput: "refused",
    OverloadedError: "overloaded",
    DeadlinePassedError: "late",
    CancelledError: "late",  # gRPC cancels the task of a call whose caller has gone
}


class ModelMetrics:
    """Calls by outcome (answered, refused, overloaded, late, failed), rows, time in the model, queue."""

    def __init__(
        self, signature: Signature, waiting: Callable[[], float], registry: CollectorRegistry = REGISTRY
    ) -> None:
        self._calls = Counter("berth_model_calls", "calls by outcome", ["outcome"], registry=registry)
        self.rows = Counter("berth_model_rows", "rows answered", registry=registry)
        self.compute = Histogram(
            "berth_model_compute_seconds", "time in the model", buckets=COMPUTE_BUCKETS, registry=registry
        )
        queue = Gauge("berth_model_waiting_calls", "calls that wait for the model", registry=registry)
        queue.set_function(waiting)
        info = Gauge("berth_model_info", "1", ["model", "version", "features_digest"], registry=registry)
        info.labels(signature.name, signature.version, signature.digest).set(1)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Counts what becomes of one call."""
        outcome = "failed"
        try:
            yield
            outcome = "answered"
        except tuple(OUTCOMES) as error:
            outcome = OUTCOMES[type(error)]
            raise
        finally:
            self._calls.labels(outcome).inc()
