"""gRPC over TLS: what the extender's door shows, and how it talks to the models."""

from __future__ import annotations

import grpc

from berth.rotation import Certificates
from berth.tls import Tls, read
from extender.settings import Models

MODELS = "extender.models"
"""Where the settings of these files are."""


def shown(certificates: Certificates) -> grpc.ServerCredentials:
    """Credentials of a gRPC server, which asks for the newest certificates at each handshake."""
    needed = certificates.tls.client_ca is not None
    return grpc.dynamic_ssl_server_credentials(
        configured(certificates.tls), lambda: configured(certificates.tls), needed
    )


def configured(tls: Tls) -> grpc.ServerCertificateConfiguration:
    """As gRPC takes it; TLS 1.2 is its floor."""
    return grpc.ssl_server_certificate_configuration([(tls.key, tls.cert)], tls.client_ca)


def held(models: Models) -> tuple[bytes, ...]:
    """What the files for calls to the models hold now; () for plain gRPC. Raises InvalidSettings."""
    fields = ("tls_ca", "tls_cert", "tls_key") if models.tls_cert else ("tls_ca",)
    return tuple(read(getattr(models, name), f"{MODELS}.{name}") for name in fields) if models.tls_ca else ()


def credentials(files: tuple[bytes, ...]) -> grpc.ChannelCredentials | None:
    """Of a channel to a model, from what `held` says."""
    if not files:
        return None
    authority, cert, key = files if len(files) == 3 else (files[0], None, None)
    return grpc.ssl_channel_credentials(authority, key, cert)
