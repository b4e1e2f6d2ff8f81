"""Classes of pods that are scored alike."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from berth.cluster.pods import PodRequest, class_key, class_of, pod_class

AMOUNT = st.floats(0.0, 200.0)


@given(
    st.builds(
        PodRequest,
        uid=st.text(max_size=3),
        cpu=AMOUNT,
        memory=AMOUNT,
        gpus=st.integers(0, 8),
        gpu_milli=st.integers(0, 1000),
        gpu_models=st.lists(st.sampled_from(["T4", "V100"]), max_size=2).map(tuple),
        priority=st.integers(-10, 2_000_000_000),
        qos=st.sampled_from(["Guaranteed", "Burstable", "BestEffort"]),
        owner_kind=st.sampled_from(["", "ReplicaSet", "Job", "Other"]),
        labels=st.dictionaries(st.text(max_size=2), st.text(max_size=2), max_size=1),
    )
)
def test_the_remembered_class_is_the_pod_s_class(pod: PodRequest) -> None:
    found = class_of(pod)
    assert found.representative == pod_class(pod)
    assert found.key == class_key(pod_class(pod))
    assert class_of(pod) is found
