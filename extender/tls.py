"""TLS of both doors: one certificate, and callers who must show one of theirs where `server.tls_client_ca` is set.

What cannot be used is refused before anything listens: a door that quietly speaks plain HTTP is worse than none.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from berth.settings import InvalidSettings
from extender.settings import Server


@dataclass(frozen=True)
class Tls:
    """PEM files and what they held at the start. client_ca: None where callers need no certificate."""

    server: Server
    cert: bytes
    key: bytes
    client_ca: bytes | None

    def for_http(self) -> dict[str, Any]:
        """Arguments of uvicorn. TLS 1.2 is the floor of Python's server contexts."""
        return {
            "ssl_certfile": self.server.tls_cert,
            "ssl_keyfile": self.server.tls_key,
            "ssl_ca_certs": self.server.tls_client_ca or None,
            "ssl_cert_reqs": ssl.CERT_REQUIRED if self.client_ca else ssl.CERT_NONE,
        }

    def for_grpc(self) -> grpc.ServerCredentials:
        """Credentials of a gRPC server; TLS 1.2 is its floor too."""
        return grpc.ssl_server_credentials(
            [(self.key, self.cert)], root_certificates=self.client_ca, require_client_auth=self.client_ca is not None
        )


def load_tls(server: Server) -> Tls | None:
    """TLS as the settings want it, None for plain HTTP. Raises InvalidSettings, which names the field."""
    if not server.tls_cert:
        return None
    cert, key = read(server, "tls_cert"), read(server, "tls_key")
    client_ca = read(server, "tls_client_ca") if server.tls_client_ca else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(server.tls_cert, server.tls_key, password=no_password)
    except (ssl.SSLError, ValueError) as error:
        raise refused("tls_cert", "no PEM certificate with the unencrypted key in tls_key") from error
    try:
        if client_ca is not None:
            context.load_verify_locations(server.tls_client_ca)
    except ssl.SSLError as error:
        raise refused("tls_client_ca", "no PEM certificates") from error
    return Tls(server, cert, key, client_ca)


def read(server: Server, field: str) -> bytes:
    """A file that a field names. Raises InvalidSettings; folders are not told."""
    path = Path(getattr(server, field))
    try:
        return path.read_bytes()
    except OSError as error:
        raise refused(field, f"{path.name} cannot be read: {error.strerror}") from error


def refused(field: str, why: str) -> InvalidSettings:
    """One problem of the server's settings."""
    return InvalidSettings([f"extender.server.{field}: {why}"])


def no_password() -> str:
    """Instead of a question on the terminal, which nobody answers."""
    return ""
