"""TLS of a server's doors: one certificate, and callers who must show one of theirs where `tls_client_ca` is set.

What cannot be used is refused before anything listens: a door that quietly speaks without TLS is worse than none.
Files that change are taken while the process runs (`rotation.py`).
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from berth.settings import InvalidSettings

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


class Files(Protocol):
    """Settings that name PEM files; '' for none."""

    @property
    def tls_cert(self) -> str:
        """Certificate chain."""

    @property
    def tls_key(self) -> str:
        """Its private key, unencrypted."""

    @property
    def tls_client_ca(self) -> str:
        """Authorities of callers."""


def whole(files: Files) -> None:
    """A certificate needs its key; nothing else of TLS counts without a certificate. Raises ValueError."""
    if files.tls_cert and not files.tls_key:
        raise ValueError("tls_key must be set with tls_cert")
    for name in ("tls_key", "tls_client_ca"):
        if getattr(files, name) and not files.tls_cert:
            raise ValueError(f"tls_cert must be set with {name}")


def load_tls(files: Files, section: str) -> Tls | None:
    """TLS as the settings below `section` want it, None without. Raises InvalidSettings, which names the field."""
    if not files.tls_cert:
        return None
    cert, key, client_ca = read_all(files, section)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.tls_cert, files.tls_key, password=no_password)
    except (OSError, ValueError) as error:
        raise refused(f"{section}.tls_cert", "no PEM certificate with the unencrypted key in tls_key") from error
    if client_ca is not None:
        require(context, files.tls_client_ca, section)
    return Tls(cert, key, client_ca, context)


def require(context: ssl.SSLContext, client_ca: str, section: str) -> None:
    """Callers must show a certificate of the authorities in this file. Raises InvalidSettings."""
    try:
        context.load_verify_locations(client_ca)
    except OSError as error:
        raise refused(f"{section}.tls_client_ca", "no PEM certificates") from error
    context.verify_mode = ssl.CERT_REQUIRED


def read_all(files: Files, section: str) -> Held:
    """What the files hold now. Raises InvalidSettings."""
    client_ca = read(files.tls_client_ca, f"{section}.tls_client_ca") if files.tls_client_ca else None
    return read(files.tls_cert, f"{section}.tls_cert"), read(files.tls_key, f"{section}.tls_key"), client_ca


def read(file: str, field: str) -> bytes:
    """What a file holds that a field names. Raises InvalidSettings; folders are not told."""
    path = Path(file)
    try:
        return path.read_bytes()
    except OSError as error:
        raise refused(field, f"{path.name} cannot be read: {error.strerror}") from error


def refused(field: str, why: str) -> InvalidSettings:
    """One problem of the settings."""
    return InvalidSettings([f"{field}: {why}"])


def no_password() -> str:
    """Instead of a question on the terminal, which nobody answers."""
    return ""
