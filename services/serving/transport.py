"""TLS of the gRPC door. REST and health stay plain: a kubelet asks there, and network policies let in nobody else but
Prometheus."""

from __future__ import annotations

import grpc
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

from berth.rotation import Certificates
from berth.tls import Tls, load_tls
from services.serving.settings import ModelServiceSettings


def certificates_of(settings: ModelServiceSettings, registry: CollectorRegistry = REGISTRY) -> Certificates | None:
    """What is shown and asked for, None without TLS. Raises InvalidSettings, which names the field."""
    tls = load_tls(settings, settings.section)
    if tls is None:
        return None
    reloads = Counter("berth_certificate_reloads", "changes of the certificates' files", ["result"], registry=registry)
    expires = Gauge("berth_certificate_expires_timestamp_seconds", "end of the certificate", registry=registry)
    return Certificates(settings, settings.section, tls, reloads, expires)


def shown(certificates: Certificates) -> grpc.ServerCredentials:
    """Credentials of a gRPC server, which asks for the newest certificates at each handshake."""
    needed = certificates.tls.client_ca is not None
    return grpc.dynamic_ssl_server_credentials(
        configured(certificates.tls), lambda: configured(certificates.tls), needed
    )


def configured(tls: Tls) -> grpc.ServerCertificateConfiguration:
    """As gRPC takes it; TLS 1.2 is its floor."""
    return grpc.ssl_server_certificate_configuration([(tls.key, tls.cert)], tls.client_ca)
