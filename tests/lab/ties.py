"""kube-scheduler without chance: no two nodes ever have the same score, so that two runs can be compared pod by pod."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.lab.scheduler import Config, patient

COARSE = 100
"""Weight of the plugins that look at requests. Their scores are integers: two nodes differ by nothing or by at least
this, and a node's own preference (1 to 100, all different) can never make up for it nor come out even."""
HOSTNAME = "kubernetes.io/hostname"


def without_ties(config: Mapping[str, Any], nodes: Sequence[str], weight: int = 0) -> Config:
    """The configuration with at most 100 nodes, all of them looked at, each with a preference of its own. weight: of
    the extender, beside plugins that now count COARSE times as much; 0 raises it by that."""
    assert 1 <= len(nodes) <= 100
    made = patient(config)
    made["percentageOfNodesToScore"] = 100
    for profile in made["profiles"]:
        fit, balance = ({"name": f"NodeResources{name}", "weight": COARSE} for name in ("Fit", "BalancedAllocation"))
        affinity = {"name": "NodeAffinity", "weight": 1}
        named = [fit, balance, affinity]
        profile["plugins"] = {"score": {"disabled": [{"name": "*"}], "enabled": named}}
        profile["pluginConfig"] = [{"name": "NodeAffinity", "args": {"addedAffinity": preferences(nodes)}}]
    for extender in made.get("extenders", []):
        extender["weight"] = weight or extender["weight"] * COARSE
    return made


def preferences(nodes: Sequence[str]) -> Config:
    """Only these nodes, the first with weight 100, each further one with 1 less."""
    return {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [among(nodes)]},
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100 - place, "preference": among([node])} for place, node in enumerate(nodes)
        ],
    }


def among(nodes: Sequence[str]) -> Config:
    """A node selector term."""
    return {"matchExpressions": [{"key": HOSTNAME, "operator": "In", "values": list(nodes)}]}
