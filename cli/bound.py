"""What became of decisions, in words: where pods were really bound, and what the nodes used afterwards."""

from __future__ import annotations

from typing import Any


def in_words(binding: dict[str, Any]) -> list[str]:
    """Two lines about one pod, as telemetry tells of it."""
    return [f"really bound to {binding['node']} at {binding['at']} ({standing(binding)})", loads(binding)]


def standing(binding: dict[str, Any]) -> str:
    """How the node stands to the decision."""
    if binding["agreed"] is None:
        return "nothing was scored"
    if binding["agreed"]:
        return "agreed"
    if binding["regret"] is None:
        return "not among the nodes that were scored"
    if binding["rank"] is None:
        return f"behind all nodes that the record keeps, regret at least {binding['regret']:.3f}"
    return f"rank {binding['rank']}, regret {binding['regret']:.3f}"


def loads(binding: dict[str, Any]) -> str:
    """What both nodes used in the hour after."""
    if binding["node_cpu"] is None and binding["node_memory"] is None:
        return "what the node used in the hour after is not known"
    said = f"in the hour after it used {used(binding, 'node')}"
    if binding["rejected_node"] is None:
        return said
    return f"{said}; the best other node, {binding['rejected_node']}, used {used(binding, 'rejected')}"


def used(binding: dict[str, Any], which: str) -> str:
    """Shares of allocatable."""
    return f"{percent(binding[f'{which}_cpu'])} of its CPU and {percent(binding[f'{which}_memory'])} of its memory"


def percent(share: float | None) -> str:
    """Whole percents, or that nobody knows."""
    return "an unknown part" if share is None else f"{share:.0%}"


def agreement_in_words(found: dict[str, Any]) -> list[str]:
    """Of many pods, as `/v1/agreement` tells."""
    if not found["scored"]:
        return [f"bound in the last {found['hours']} h: no pod of which a record with scores is kept"]
    regret = found["regret_at_least"]
    lines = [
        f"bound in the last {found['hours']} h: {found['agreement']:.1%} of {found['scored']} pods where the best "
        f"score was, mean regret {'unknown' if regret['mean'] is None else format(regret['mean'], '.3f')} or more"
    ]
    for metric, name in (("cpu", "CPU"), ("memory", "memory")):
        load = found["load"][metric]
        if load["pods"]:
            lines.append(
                f"in the hour after, {name} used: {load['node']:.1%} on the nodes chosen, {load['rejected']:.1%} on "
                f"the best others ({load['pods']} pods)"
            )
    return lines
