"""What a node has, what is requested of it, and what it uses now."""

from __future__ import annotations

from berth.features.feature import Feature

GPU_SLOTS = 8
"""Devices a snapshot row describes; openb's largest nodes have 8. Further devices count in the sums only."""


def capacity(name: str, unit: str, description: str) -> Feature:
    """A column of this family that the API server tells."""
    return Feature(name, "capacity", unit, "now", description, "nodes and pods")


def used(name: str, unit: str, description: str) -> Feature:
    """A column of this family that is measured."""
    return Feature(name, "capacity", unit, "now", description, "usage")


FEATURES: tuple[Feature, ...] = (
    capacity("cpu_allocatable", "cores", "CPU that pods may request"),
    capacity("memory_allocatable", "GiB", "memory that pods may request"),
    capacity("pods_allocatable", "pods", "pods that the node may run"),
    capacity("gpu_allocatable", "devices", "GPU devices; 0 without GPU"),
    capacity("gpu_model", "index", "index into the snapshot's list of GPU models"),
    capacity("cpu_requested", "cores", "sum of CPU requests of bound pods"),
    capacity("memory_requested", "GiB", "sum of memory requests of bound pods"),
    capacity("pods_requested", "pods", "bound pods"),
    capacity("gpu_requested", "devices", "sum of GPU shares of bound pods"),
    *(capacity(f"gpu{i}_free", "share", f"free share of device {i}") for i in range(GPU_SLOTS)),
    used("cpu_used", "share of allocatable", "CPU in use, newest 5-minute mean"),
    used("memory_used", "share of allocatable", "memory in use, newest 5-minute mean"),
    used("disk_rate", "log1p KB/s", "disk read and write, newest 5-minute mean"),
    used("network_rate", "log1p KB/s", "network in and out, newest 5-minute mean"),
)
