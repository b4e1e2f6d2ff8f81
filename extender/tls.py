"""TLS of both doors: one certificate, and callers who must show one of theirs where `server.tls_client_ca` is set.

What cannot be used is refused before anything listens: a door that quietly speaks plain HTTP is worse than none.
Files that change are taken while the process runs (`rotation.py`).
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from berth.settings import InvalidSettings
from extender.settings import Server

Held = tuple[bytes, bytes, bytes | None]
"""Certificate chain, key, authorities of callers (None: they need no certificate)."""


@dataclass(frozen=True)
class Tls:
    """What the PEM files held. context: of HTTP; TLS 1.2 is the floor of Python's server contexts."""

    cert: bytes
    key: bytes
    client_ca: bytes | None
    context: ssl.SSLContext

    @property
    def expires(self) -> float:
        """When the certificate ends, unix seconds; NaN where its date cannot be read."""
        from cryptography import x509  # 40 ms and 6 MB, for those who speak TLS alone

        try:
            return x509.load_pem_x509_certificate(self.cert).not_valid_after_utc.timestamp()
        except ValueError:
            return float("nan")

    @property
    def held(self) -> Held:
        """What the files held."""
        return self.cert, self.key, self.client_ca

    def for_grpc(self) -> grpc.ServerCertificateConfiguration:
        """Of a gRPC server; TLS 1.2 is its floor too."""
        return grpc.ssl_server_certificate_configuration([(self.key, self.cert)], self.client_ca)


def load_tls(server: Server) -> Tls | None:
    """TLS as the settings want it, None for plain HTTP. Raises InvalidSettings, which names the field."""
    if not server.tls_cert:
        return None
    cert, key, client_ca = read_all(server)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(server.tls_cert, server.tls_key, password=no_password)
    except (OSError, ValueError) as error:
        raise refused("tls_cert", "no PEM certificate with the unencrypted key in tls_key") from error
    if client_ca is not None:
        require(context, server.tls_client_ca)
    return Tls(cert, key, client_ca, context)


def require(context: ssl.SSLContext, client_ca: str) -> None:
    """Callers must show a certificate of the authorities in this file. Raises InvalidSettings."""
    try:
        context.load_verify_locations(client_ca)
    except OSError as error:
        raise refused("tls_client_ca", "no PEM certificates") from error
    context.verify_mode = ssl.CERT_REQUIRED


def read_all(server: Server) -> Held:
    """What the files hold now. Raises InvalidSettings."""
    client_ca = read(server, "tls_client_ca") if server.tls_client_ca else None
    return read(server, "tls_cert"), read(server, "tls_key"), client_ca


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
