"""CPU and memory from metrics-server, for clusters without Prometheus. It tells of now alone: the week before fills as
time passes.

Source: https://github.com/kubernetes/metrics/blob/master/pkg/apis/metrics/v1beta1/types.go (NodeMetricsList).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque

import msgspec

from berth.cluster import quantities
from berth.cluster.podspec import seconds
from berth.features.history import HISTORY_STEPS
from services.telemetry.live.causes import Causes
from services.telemetry.live.kube_api import KubeApi, KubeApiError
from services.telemetry.live.prometheus import Sample
from services.telemetry.live.reader import WAITING, NewestAnswer, SpanAnswer, drained
from services.telemetry.live.week import STEP_S
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.settings import PrometheusSettings

PATH = "/apis/metrics.k8s.io/v1beta1/nodes"
METRICS = ("cpu", "memory")
WEEK_S = HISTORY_STEPS * STEP_S
UNREADABLE = -1


class Named(msgspec.Struct):
    """metav1.ObjectMeta."""

    name: str = ""


class NodeMetrics(msgspec.Struct):
    """metrics.NodeMetrics: cores and bytes as quantities, over a window that ends at `timestamp`."""

    metadata: Named
    timestamp: msgspec.Raw = msgspec.Raw(b"null")
    usage: dict[str, str] = {}


class NodeMetricsList(msgspec.Struct):
    """metrics.NodeMetricsList."""

    items: list[NodeMetrics] | None = None


decoder = msgspec.json.Decoder(NodeMetricsList)


class MetricsServer:
    """As a `Reader`: `run` asks, `answers` holds what came. settings: its pace, and which readings are too old."""

    incomplete = "history fills as time passes"
    skew_s = 0.0

    def __init__(self, settings: PrometheusSettings, metrics: TelemetryMetrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.answers: deque[NewestAnswer | SpanAnswer] = deque(maxlen=WAITING)
        self.causes = Causes("metrics-server", "metrics-server", metrics)
        self.began = time.time()

    async def run(self, api: KubeApi) -> None:
        """Ask until cancelled."""
        while True:
            due = time.monotonic() + self.settings.interval_s
            await self.look(api)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def look(self, api: KubeApi) -> None:
        """Ask once for both metrics."""
        try:
            found = await asyncio.to_thread(samples_in, await api.get(PATH, {}))
        except KubeApiError as error:
            self.failed(error)
            return
        now = time.time()
        for metric, samples in found.items():
            fresh = [sample for sample in samples if sample.at >= now - self.settings.oldest_s]
            if len(fresh) < len(samples):
                self.metrics.left_out.labels(metric, "stale").inc(len(samples) - len(fresh))
            self.causes.answered(metric)
            self.answers.append(NewestAnswer(metric, fresh, now))

    def failed(self, error: KubeApiError) -> None:
        """Neither metric was told: a status, 'unreachable' or 'unreadable'."""
        words = {0: "unreachable", UNREADABLE: "unreadable"}
        for metric in METRICS:
            self.causes.failed(metric, words.get(error.status, str(error.status)))

    def taken(self) -> list[NewestAnswer | SpanAnswer]:
        """The answers that wait; they no longer do. Called from the source's thread."""
        return drained(self.answers)

    def shares(self) -> dict[str, float]:
        """Share of a week that each metric has been followed for, 0 to 1."""
        return {metric: min(1.0, (time.time() - self.began) / WEEK_S) for metric in METRICS}


def samples_in(body: bytes) -> dict[str, list[Sample]]:
    """Samples by metric, NaN for an amount that is none. Raises KubeApiError."""
    try:
        items = decoder.decode(body).items or []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise KubeApiError(UNREADABLE, f"{PATH}: unreadable") from error
    return {metric: [sample for item in items if (sample := sample_of(item, metric))] for metric in METRICS}


def sample_of(item: NodeMetrics, metric: str) -> Sample | None:
    """None where the node does not tell the metric."""
    text = item.usage.get(metric)
    if text is None:
        return None
    try:
        value = quantities.parse(text)
    except quantities.QuantityError:
        value = math.nan
    return Sample({"node": item.metadata.name}, seconds(item.timestamp), value)
