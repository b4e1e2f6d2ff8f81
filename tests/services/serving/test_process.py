"""The process around the model: sockets, start that is refused, graceful end."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import grpc
import numpy as np
import psutil
import pytest

from cli.ports import free_ports
from services.serving.artifact import verify, verify_version
from services.serving.errors import StartError
from tests.services.serving.conftest import TINY
from tests.services.serving.running import (
    ROOT,
    Service,
    command,
    infer_request,
    output,
    running,
)

pytestmark = pytest.mark.process


def refused(artifact: Path, **fields: object) -> str:
    """What a service that does not start says on stderr."""
    ports = dict(zip(("http_port", "grpc_port"), free_ports(2), strict=True))
    arguments = command(TINY, "tiny", **(ports | {"artifact": artifact} | fields))
    ended = subprocess.run(**arguments, stderr=subprocess.PIPE, timeout=60, check=False)
    assert ended.returncode == 2
    said: str = ended.stderr
    assert said.count("\n") == 1, said
    return said


def test_listens_on_loopback_alone(tiny: Service) -> None:
    mine = [c for c in psutil.net_connections("inet") if c.pid == tiny.process.pid and c.status == "LISTEN"]
    # gRPC opens an IPv6 socket for an IPv4 address and binds ::ffff:127.0.0.1, which IPv4 loopback alone reaches
    bound = sorted(f"{':'.join(map(str, c.laddr))}".removeprefix("::ffff:") for c in mine)
    assert bound == sorted(f"127.0.0.1:{port}" for port in (tiny.http_port, tiny.grpc_port))


def test_says_one_line_at_start_and_drains_on_sigterm(artifact: Path) -> None:
    with running(TINY, "tiny", "tiny", artifact=artifact, drain_seconds=0.4) as service:
        metadata = service.metadata()
        ones = np.ones((1, 60), np.float32)
        slow = service.infer(infer_request(metadata, ones, np.array([0.9, 0.0], np.float32)))
        time.sleep(0.1)
        start = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.15)
        assert service.http.get("/readyz").status_code == 503
        assert service.http.get("/healthz").status_code == 200
        still = service.infer(infer_request(metadata, ones, np.zeros(2, np.float32)))
        assert output(slow.result()).tolist() == output(still.result()).tolist() == [[1.0, 60.0]]
        assert service.process.wait(10) == 0
        assert time.monotonic() - start < 10
        said = service.said()
    assert len(said) == 3, said
    assert f"tiny v1: REST 127.0.0.1:{service.http_port}, gRPC 127.0.0.1:{service.grpc_port}" in said[0]
    assert [line.partition("services.serving ")[2] for line in said[1:]] == ["tiny drains", "tiny has ended"]


def test_ends_within_ten_seconds_though_the_model_hangs(artifact: Path) -> None:
    with running(TINY, "tiny", "tiny", artifact=artifact, drain_seconds=0, grace_seconds=0.5) as service:
        pod = np.array([59.5, 0.0], np.float32)
        hung = service.infer(infer_request(service.metadata(), np.ones((1, 60), np.float32), pod), timeout=30)
        time.sleep(0.1)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(10) == 0
        assert hung.exception().code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


@pytest.mark.parametrize("taken", ["http_port", "grpc_port"])
def test_a_taken_port_is_refused(artifact: Path, taken: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        said = refused(artifact, **{taken: port})
    assert said == f"cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_bad_artifact_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "none") == f"artifact {tmp_path / 'none'}: no such folder\n"
    (tmp_path / "card.json").write_text("{}")
    (tmp_path / "broken").touch()
    assert refused(tmp_path).endswith("cannot be loaded: the weights are broken\n")


def verify_both(folder: Path) -> None:
    verify(folder)
    verify_version(folder, "v1")


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (None, "card.json: No such file or directory"),
        ("{", "not valid JSON"),
        ("[]", "a JSON object is expected"),
        ('{"files": []}', "'files' must map names to sha256"),
        ('{"version": "v2"}', "version v1, card.json describes v2"),
        ('{"files": {"other.bin": "00"}}', "other.bin: missing, card.json names it"),
        ('{"files": {"weights.bin": "00"}}', "weights.bin: sha256 "),
    ],
)
def test_files_that_are_not_the_recorded_ones_are_refused(tmp_path: Path, card: str | None, message: str) -> None:
    (tmp_path / "weights.bin").write_bytes(b"weights")
    if card is not None:
        (tmp_path / "card.json").write_text(card)
    with pytest.raises(StartError, match=re.escape(message)):
        verify_both(tmp_path)


def test_recorded_files_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "card.json").write_text(json.dumps({"files": {"weights.bin": digest}}))
    verify(tmp_path)


def test_with_a_pinned_card_no_other_model_is_served(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"weights")
    card = tmp_path / "card.json"
    card.write_text(json.dumps({"files": {"weights.bin": hashlib.sha256(b"weights").hexdigest()}}))
    pinned = hashlib.sha256(card.read_bytes()).hexdigest()
    verify(tmp_path, pinned)
    (tmp_path / "weights.bin").write_bytes(b"poison")
    card.write_text(json.dumps({"files": {"weights.bin": hashlib.sha256(b"poison").hexdigest()}}))
    verify(tmp_path)  # its card is true to itself
    assert f"artifact_digest wants {pinned[:12]}" in refused(tmp_path, artifact_digest=pinned)
    card.write_text("{}")
    assert "records no files" in refused(tmp_path, artifact_digest=pinned)


def test_bad_settings_are_refused_with_the_fields_name(artifact: Path) -> None:
    assert "tiny.max_queue" in refused(artifact, max_queue=0)
    assert "BERTH_TINY__NO_SUCH" in refused(artifact, no_such=1)


@pytest.mark.parametrize("service", ["load_predictor", "placement_scorer", "anomaly_detector"])
def test_help_answers_without_loading_anything(service: str) -> None:
    arguments = [sys.executable, "-X", "importtime", "-m", f"services.{service}", "--help"]
    ended = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert f"BERTH_{service.upper()}__FIELD" in ended.stdout
    assert "kserve" not in ended.stderr
