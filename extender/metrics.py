"""Prometheus metrics of the extender. One object, made at start; nothing global but the registry it is given."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from extender.ladder import Step

BUCKETS_S = (
    0.0005,
    0.001,
    0.002,
    0.003,
    0.005,
    0.0075,
    0.01,
    0.015,
    0.02,
    0.03,
    0.05,
    0.075,
    0.1,
    0.2,
    0.5,
    1.0,
)


class Metrics:
    """Every metric the extender exports; names start with berth_."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.verb_seconds = Histogram(
            "berth_verb_seconds", "Time to answer a verb.", ["verb"], buckets=BUCKETS_S, registry=registry
        )
        self.answers = Counter("berth_answers", "Answers by verb and status code.", ["verb", "code"], registry=registry)
        self.pods = Counter(
            "berth_pods", "Scored or neutral calls by mode and reason.", ["mode", "reason"], registry=registry
        )
        self.fallback = Counter(
            "berth_fallback", "Answers by step of the fallback ladder.", ["step"], registry=registry
        )
        self.model_seconds = Histogram(
            "berth_model_seconds", "Time of a model call.", ["model"], buckets=BUCKETS_S, registry=registry
        )
        self.model_outcome = Counter(
            "berth_model_outcome", "Model calls by outcome.", ["model", "outcome"], registry=registry
        )
        self.cache = Counter("berth_cache", "Score look-ups by layer.", ["model", "layer"], registry=registry)
        self.redis_failures = Counter("berth_redis_failures", "Failed Redis commands.", ["kind"], registry=registry)
        self.breaker_open = Gauge("berth_breaker_open", "1 while a breaker is open.", ["model"], registry=registry)
        self.snapshot_age = Gauge("berth_snapshot_age_seconds", "Age of the snapshot in use.", registry=registry)
        self.snapshot_version = Gauge("berth_snapshot_version", "Version of the snapshot in use.", registry=registry)
        self.snapshot_refused = Counter(
            "berth_snapshot_refused", "Snapshots that could not be used.", ["reason"], registry=registry
        )
        self.unknown_nodes = Counter(
            "berth_unknown_nodes", "Nodes in calls that the snapshot does not know.", registry=registry
        )
        self.inflight = Gauge("berth_inflight_pods", "Pods placed but not yet seen by telemetry.", registry=registry)
        self.removed = Counter("berth_nodes_removed", "Nodes that filter left out.", registry=registry)
        self.records_dropped = Counter("berth_records_dropped", "Decision records lost.", ["sink"], registry=registry)
        self.defects = Counter(
            "berth_defects", "Errors nobody foresaw, survived; the log has each.", ["where"], registry=registry
        )
        self.settings_reloads = Counter(
            "berth_settings_reloads", "Changes of the settings file.", ["result"], registry=registry
        )
        self.certificate_reloads = Counter(
            "berth_certificate_reloads", "Changes of the certificates' files.", ["result"], registry=registry
        )
        self.certificate_expires = Gauge(
            "berth_certificate_expires_timestamp_seconds",
            "End of the certificate; 0: no TLS.",
            registry=registry,
        )
        self.refused = Counter("berth_refused", "Callers that were not let in, by status.", ["code"], registry=registry)
        self.mode = Gauge("berth_mode", "1 for the mode in force.", ["mode"], registry=registry)
        self.retreats = Counter(
            "berth_retreats", "Times Berth went back to shadow by itself.", ["cause"], registry=registry
        )
        for step in Step:
            self.fallback.labels(step.label)
        self.answer_of, self.pod_of = quick(self.answers), quick(self.pods)
        self.step_of, self.look_up_of = quick(self.fallback), quick(self.cache)


def quick(metric: Counter) -> Callable[..., Counter]:
    """`metric.labels`, remembered: looked up a dozen times a pod it would cost more than counting."""
    return lru_cache(maxsize=128)(metric.labels)
