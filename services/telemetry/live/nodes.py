"""The nodes of a cluster, asked once."""

from __future__ import annotations

from pathlib import Path

import msgspec

from berth.cluster.accounts import Accounts
from berth.cluster.nodespec import NodeSpecError, read_node
from services.telemetry.live.columns import addresses
from services.telemetry.live.kube_api import KubeApi, KubeApiError

NODES = "/api/v1/nodes"


class NodeList(msgspec.Struct):
    """core.NodeList."""

    items: list[msgspec.Raw]


async def known_names(kubeconfig: Path) -> dict[str, str]:
    """The node of each name and address. Raises KubeApiError."""
    api = await KubeApi.connect(kubeconfig)
    try:
        found = msgspec.json.decode(await api.get(NODES, {}), type=NodeList)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KubeApiError(0, f"{NODES}: the answer is not readable") from error
    finally:
        await api.close()
    accounts = Accounts()
    for item in found.items:
        try:
            accounts.put_node(read_node(item))
        except NodeSpecError:
            continue  # one odd node does not hide the others
    return addresses(accounts)
