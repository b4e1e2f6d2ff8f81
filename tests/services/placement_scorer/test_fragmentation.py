from __future__ import annotations

import numpy as np
import pytest

from services.placement_scorer.environment import Recordings, training_classes
from services.placement_scorer.fragmentation import PodClass, fragment, fragment_tables


def by_definition(classes: list[PodClass], cpu_free: float, gpu_free: list[float]) -> float:
    """Weng et al. 2023, equation for one node: what each class could not use of the free GPU."""
    total = 0.0
    for c in classes:
        usable = [free for free in gpu_free if c.gpus and free >= c.share]
        if cpu_free < c.cpu or len(usable) < c.gpus:
            usable = []
        total += c.weight * (sum(gpu_free) - sum(usable))
    return total


def test_tables_equal_the_definition(recordings: Recordings) -> None:
    classes = list(training_classes(recordings.pods))
    tables = fragment_tables(classes)
    source = np.random.default_rng(1)
    cpu = source.choice([0.0, 3.0, 4.0, 7.9, 8.0, 16.0, 96.0], 300).astype(np.float32)
    free = source.choice([0.0, 0.19, 0.35, 0.53, 0.77, 0.81, 1.0], (300, 8)).astype(np.float32)
    expected = [
        by_definition(classes, float(c), [round(float(f), 2) for f in row]) for c, row in zip(cpu, free, strict=True)
    ]
    np.testing.assert_allclose(fragment(tables, cpu, free), expected, rtol=1e-4, atol=1e-4)


def test_classes_cover_the_usual_pods(recordings: Recordings) -> None:
    classes = training_classes(recordings.pods)
    assert sum(c.weight for c in classes) == pytest.approx(1.0)
    assert any(c.gpus == 0 for c in classes)
    assert max(c.gpus for c in classes) >= 1


def test_a_node_without_cpu_is_all_fragment() -> None:
    tables = fragment_tables([PodClass(4.0, 1, 0.5, 0.5), PodClass(8.0, 2, 1.0, 0.5)])
    free = np.array([[1.0, 1.0, 0.25, 0, 0, 0, 0, 0]], np.float32)
    assert fragment(tables, np.array([1.0], np.float32), free)[0] == pytest.approx(2.25)
    assert fragment(tables, np.array([64.0], np.float32), free)[0] == pytest.approx(0.25)
