"""A pod as the placement scorer sees it: one float32 row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from berth.cluster.pods import OWNER_KINDS, PodRequest

POD_FEATURES = (
    "pod_cpu",  # cores
    "pod_memory",  # GiB
    "pod_gpus",  # devices it touches
    "pod_gpu_share",  # devices it takes: 0.25 is a quarter of one
    "pod_gpu_model_bound",  # 1 when it accepts only some models
    "pod_priority_band",  # 0 to 3
    "pod_guaranteed",
    "pod_best_effort",
    *(f"pod_owner_{kind.lower()}" for kind in OWNER_KINDS),
)


def pod_row(pod: PodRequest) -> NDArray[np.float32]:
    """float32 [len(POD_FEATURES)], no NaN."""
    owner = [float(pod.owner_kind == kind) for kind in OWNER_KINDS]
    qos = [float(pod.qos == "Guaranteed"), float(pod.qos == "BestEffort")]
    asks = [pod.cpu, pod.memory, float(pod.gpus), pod.gpu_share, float(bool(pod.gpu_models))]
    return np.array([*asks, float(pod.priority_band), *qos, *owner], dtype=np.float32)
