"""Who may talk to the lab's API server: tokens, a key for service accounts, and kubeconfigs that hold them."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ADMIN, PLAIN = "lab-admin", "lab-plain"
"""Users: who may do everything, and who may do what roles say."""


@dataclass(frozen=True)
class Credentials:
    """Files of one control plane, below its own folder."""

    folder: Path
    token: str
    plain_token: str

    @classmethod
    def make(cls, folder: Path) -> Credentials:
        """New ones; files are readable by their owner alone."""
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder, secrets.token_hex(16), secrets.token_hex(16))
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        private(made.service_accounts, pem.decode())
        private(made.tokens, f'{made.token},{ADMIN},{ADMIN},"system:masters"\n{made.plain_token},{PLAIN},{PLAIN}\n')
        return made

    @property
    def service_accounts(self) -> Path:
        """Key that signs service accounts' tokens."""
        return self.folder / "service-accounts.key"

    @property
    def tokens(self) -> Path:
        """The API server's token file."""
        return self.folder / "tokens.csv"

    @property
    def authority(self) -> Path:
        """What the API server's certificate, which it makes itself at its start, is checked against."""
        return self.folder / "apiserver.crt"

    @property
    def authority_key(self) -> Path:
        """The key of that certificate."""
        return self.folder / "apiserver.key"

    def kubeconfig(self, port: int, user: str = ADMIN) -> Path:
        """Written for the API server on this port and a user."""
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(self.authority)}
        path = self.folder / ("kubeconfig" if user == ADMIN else f"kubeconfig-{user}")
        token = self.token if user == ADMIN else self.plain_token
        named = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}],
            "current-context": "lab",
        }
        private(path, json.dumps(named, indent=1) + "\n")
        return path


def private(path: Path, text: str) -> None:
    """Write a file that only its owner reads."""
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")
