"""Certificates of two authorities, and calls with them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import trustme

from protos.berth.v1 import placement_pb2, placement_pb2_grpc


@dataclass(frozen=True)
class Certificates:
    """PEM files: two authorities, and of each a server's and a client's certificate with its key."""

    folder: Path

    def make(self) -> Certificates:
        """Write them."""
        for name in ("ours", "theirs"):
            authority = trustme.CA()
            authority.cert_pem.write_to_path(self.of(name, "ca"))
            for role, identity in (("server", "127.0.0.1"), ("client", "kube-scheduler")):
                made = authority.issue_cert(identity)
                made.cert_chain_pems[0].write_to_path(self.of(name, role))
                made.private_key_pem.write_to_path(self.of(name, f"{role}-key"))
        return self

    def of(self, authority: str, what: str) -> Path:
        """A file."""
        return self.folder / f"{authority}-{what}.pem"

    def context(self, authority: str = "ours") -> ssl.SSLContext:
        """Of a caller of an authority, who trusts it."""
        made = ssl.create_default_context(cafile=str(self.of(authority, "ca")))
        made.load_cert_chain(self.of(authority, "client"), self.of(authority, "client-key"))
        return made

    def credentials(self, authority: str, client: str) -> grpc.ChannelCredentials:
        """The same for gRPC: trusting an authority, with a client certificate of one or ''."""
        root = self.of(authority, "ca").read_bytes()
        if not client:
            return grpc.ssl_channel_credentials(root)
        key, chain = (self.of(client, what).read_bytes() for what in ("client-key", "client"))
        return grpc.ssl_channel_credentials(root, key, chain)


def score(grpc_port: int, credentials: grpc.ChannelCredentials | None, names: list[str]) -> Any:
    """ScoreNodes over a channel of its own; None for one without TLS."""
    address = f"127.0.0.1:{grpc_port}"
    request = placement_pb2.ScoreNodesRequest(
        pod=placement_pb2.PodRequest(uid="tls-rpc", scheduler_name="berth", cpu_cores=1.0), nodes=names
    )
    made = grpc.secure_channel(address, credentials) if credentials else grpc.insecure_channel(address)
    with made as channel:
        return placement_pb2_grpc.PlacementStub(channel).ScoreNodes(request, timeout=5.0)  # type: ignore[no-untyped-call]
