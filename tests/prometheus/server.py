"""A Prometheus that scrapes exporters of the tests."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.lab.ports import free_port, listens
from tests.lab.process import LabProcess
from tests.prometheus.program import FetchError, prometheus


class Scraped:
    """Exporters of these nodes and a Prometheus over them; `tell` changes what a node does. label: the one that names
    the node. history: told of the data folder before the server starts."""

    def __init__(
        self,
        folder: Path,
        nodes: Sequence[str],
        label: str = "node",
        every: str = "1s",
        history: Callable[[Path], None] = lambda _: None,
    ) -> None:
        self.folder, self.nodes, self.label, self.every = folder, nodes, label, every
        history(folder / "data")
        self.port, self.exporter_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.server = self.start()
        command = [sys.executable, "-m", "tests.prometheus.exporter", "--port", str(self.exporter_port)]
        self.exporter = LabProcess(command, folder / "exporter.log", stdin=subprocess.PIPE)
        self.exporter.wait(lambda: listens(self.exporter_port), "the exporter")

    def start(self) -> LabProcess:
        """Start the server on its data."""
        config = self.folder / "prometheus.yml"
        config.write_text(yaml.safe_dump(self.config()), "utf-8")
        command = [str(prometheus()), f"--config.file={config}", f"--storage.tsdb.path={self.folder / 'data'}"]
        command += [f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]
        command += ["--storage.tsdb.retention.time=60d"]
        server = LabProcess(command, self.folder / "prometheus.log")
        server.wait(self.ready, "Prometheus")
        return server

    def config(self) -> dict[str, object]:
        """One job; each node has its own path on the exporter."""
        targets = [
            {
                "targets": [f"127.0.0.1:{self.exporter_port}"],
                "labels": {"__metrics_path__": f"/metrics/{name}", self.label: name},
            }
            for name in self.nodes
        ]
        job = {"job_name": "node-exporter", "scrape_interval": self.every, "scrape_timeout": self.every}
        return {"scrape_configs": [{**job, "static_configs": targets}]}

    def ready(self) -> bool:
        """Whether it answers."""
        with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2.0) as answer:
            return bool(answer.status == 200)

    def tell(self, node: str, **what: float | None) -> None:
        """What a node does from now on."""
        stream = self.exporter.popen.stdin
        assert stream is not None
        stream.write(json.dumps({"node": node, **what}).encode() + b"\n")
        stream.flush()

    def close(self) -> None:
        """End both."""
        self.exporter.close()
        self.server.close()


@contextmanager
def scraped(
    folder: Path,
    nodes: Sequence[str],
    label: str = "node",
    every: str = "1s",
    history: Callable[[Path], None] = lambda _: None,
) -> Iterator[Scraped]:
    """Started and ended. The test is skipped, with the reason, where Prometheus cannot be had."""
    try:
        prometheus()
    except FetchError as error:
        pytest.skip(f"no Prometheus: {error}")
    running = Scraped(folder, nodes, label, every, history)
    try:
        yield running
    finally:
        running.close()
