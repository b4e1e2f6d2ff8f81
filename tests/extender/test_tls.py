"""TLS settings: what is refused, by name, before anything listens."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from berth.settings import InvalidSettings
from berth.tls import Tls, load_tls
from cli.processes import ROOT
from extender.background import needs_restart
from extender.settings import ExtenderSettings, Server


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, cert.pem with key.pem, other-key.pem, locked-key.pem with a password, text.pem."""
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name in ("", "other-"):
        made = authority.issue_cert("127.0.0.1")
        made.private_key_pem.write_to_path(folder / f"{name}key.pem")
        made.cert_chain_pems[0].write_to_path(folder / f"{name}cert.pem")
    key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    form, locked = serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    (folder / "locked-key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))
    (folder / "text.pem").write_text("nothing of the kind\n", "utf-8")
    return folder


def server(files: Path, cert: str = "cert.pem", key: str = "key.pem", client_ca: str = "ca.pem") -> Server:
    """Settings that name these files; '' leaves a field empty."""
    paths = {"tls_cert": cert, "tls_key": key, "tls_client_ca": client_ca}
    return Server.model_validate({name: str(files / file) for name, file in paths.items() if file})


def loaded(files: Path, client_ca: str = "ca.pem") -> Tls:
    """TLS that is on."""
    tls = load_tls(server(files, client_ca=client_ca), "extender.server")
    assert tls is not None
    return tls


def test_without_a_certificate_nothing_changes() -> None:
    assert load_tls(Server(), "extender.server") is None


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"tls_cert": "a.pem"}, "tls_key must be set with tls_cert"),
        ({"tls_key": "a.pem"}, "tls_cert must be set with tls_key"),
        ({"tls_client_ca": "a.pem"}, "tls_cert must be set with tls_client_ca"),
    ],
)
def test_half_of_tls_is_refused(given: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"BERTH_EXTENDER__SERVER__{name.upper()}", value)
    with pytest.raises(InvalidSettings) as refused:
        ExtenderSettings.load(None)
    (problem,) = refused.value.problems
    assert problem.startswith("extender.server: ")
    assert problem.endswith(named)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"cert": "none.pem"}, "extender.server.tls_cert: none.pem cannot be read"),
        ({"key": "none.pem"}, "extender.server.tls_key: none.pem cannot be read"),
        ({"client_ca": "none.pem"}, "extender.server.tls_client_ca: none.pem cannot be read"),
        ({"key": "."}, "extender.server.tls_key: "),
        ({"cert": "text.pem"}, "extender.server.tls_cert: no PEM certificate"),
        ({"key": "text.pem"}, "extender.server.tls_cert: no PEM certificate with the unencrypted key"),
        ({"key": "other-key.pem"}, "extender.server.tls_cert: no PEM certificate with the unencrypted key"),
        ({"key": "locked-key.pem"}, "extender.server.tls_cert: no PEM certificate with the unencrypted key"),
        ({"client_ca": "text.pem"}, "extender.server.tls_client_ca: no PEM certificates"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_field(files: Path, wrong: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        load_tls(server(files, **wrong), "extender.server")
    (problem,) = refused.value.problems
    assert problem.startswith(named)
    assert str(files) not in problem


@pytest.mark.process
def test_the_process_ends_with_code_2_and_names_the_field(tmp_path: Path) -> None:
    given = {"TLS_CERT": str(tmp_path / "none.pem"), "TLS_KEY": str(tmp_path / "none.pem")}
    environment = {**os.environ, **{f"BERTH_EXTENDER__SERVER__{name}": path for name, path in given.items()}}
    command = [sys.executable, "-m", "extender"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30.0)
    assert done.returncode == 2
    assert "refused: extender.server.tls_cert: none.pem cannot be read" in done.stderr


@pytest.mark.parametrize(("client_ca", "needed"), [("ca.pem", ssl.CERT_REQUIRED), ("", ssl.CERT_NONE)])
def test_http_speaks_tls_1_2_or_newer_and_asks_for_certificates_where_told(
    files: Path, client_ca: str, needed: ssl.VerifyMode
) -> None:
    context = loaded(files, client_ca).context
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == needed


def test_files_of_another_name_count_at_the_next_start(files: Path) -> None:
    changed = ExtenderSettings(server=server(files))
    assert needs_restart(ExtenderSettings(), changed) == [
        "extender.server.tls_cert",
        "extender.server.tls_key",
        "extender.server.tls_client_ca",
    ]
