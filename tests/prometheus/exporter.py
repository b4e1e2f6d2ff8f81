"""node-exporter's and cAdvisor's metrics of many nodes from one process: `/metrics/NODE`, counters that grow as a
recording says.

`python -m tests.prometheus.exporter --port N` reads one JSON object a line from its input, each a change:
{"node", "cores", "memory_total", "cpu", "memory", "disk", "network"} (cores and bytes, rates a second; null: gone),
and, told by a node that has been told of them, "cpu_pressure", "memory_pressure", "io_pressure", "throttling" (shares).
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PERIODS = 10.0
"""Of the kernel's CPU quota, a second."""
SHARES = {
    "cpu_pressure": "node_pressure_cpu_waiting_seconds_total",
    "memory_pressure": "node_pressure_memory_waiting_seconds_total",
    "io_pressure": "node_pressure_io_waiting_seconds_total",
    "throttling": 'container_cpu_cfs_throttled_periods_total{container="c"}',
}


@dataclass
class Machine:
    """What a node does now, and what its counters have come to. cpu: cores in use; memory: bytes in use."""

    cores: int
    memory_total: float
    cpu: float = 0.0
    memory: float = 0.0
    disk: float = 0.0
    network: float = 0.0
    busy_s: float = 0.0
    idle_s: float = 0.0
    disk_bytes: float = 0.0
    network_bytes: float = 0.0
    at: float = 0.0
    shares: dict[str, float] = field(default_factory=dict)
    counters: dict[str, float] = field(default_factory=dict)

    def go_on(self, now: float) -> None:
        """Counters grow since the last look."""
        passed = now - self.at if self.at else 0.0
        self.busy_s += passed * self.cpu
        self.idle_s += passed * max(self.cores - self.cpu, 0.0)
        self.disk_bytes += passed * self.disk
        self.network_bytes += passed * self.network
        grown = self.shares | ({"periods": 1.0} if "throttling" in self.shares else {})
        for name, share in grown.items():
            a_second = PERIODS if name in ("periods", "throttling") else 1.0
            self.counters[name] = self.counters.get(name, 0.0) + passed * share * a_second
        self.at = now

    def text(self) -> str:
        """The exposition."""
        lines = [
            f'node_cpu_seconds_total{{cpu="0",mode="user"}} {self.busy_s!r}',
            f'node_cpu_seconds_total{{cpu="0",mode="idle"}} {self.idle_s!r}',
            f'node_cpu_seconds_total{{cpu="0",mode="iowait"}} {self.idle_s / 100.0!r}',
            f"node_memory_MemTotal_bytes {self.memory_total!r}",
            f"node_memory_MemAvailable_bytes {self.memory_total - self.memory!r}",
            f'node_disk_read_bytes_total{{device="sda"}} {self.disk_bytes * 0.4!r}',
            f'node_disk_written_bytes_total{{device="sda"}} {self.disk_bytes * 0.6!r}',
            f'node_network_receive_bytes_total{{device="eth0"}} {self.network_bytes * 0.5!r}',
            f'node_network_transmit_bytes_total{{device="eth0"}} {self.network_bytes * 0.5!r}',
            f'node_network_receive_bytes_total{{device="lo"}} {self.network_bytes * 9.0!r}',
            f'node_network_transmit_bytes_total{{device="lo"}} {self.network_bytes * 9.0!r}',
        ]
        lines += [f"{SHARES[name]} {self.counters[name]!r}" for name in self.shares]
        if "throttling" in self.shares:
            lines.append(f'container_cpu_cfs_periods_total{{container="c"}} {self.counters["periods"]!r}')
            lines.append('container_cpu_cfs_periods_total{container=""} 1e9')  # the pod's own group is no container
        return "\n".join(lines) + "\n"


class Machines:
    """All nodes, by name."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_name: dict[str, Machine] = {}

    def change(self, told: dict[str, Any]) -> None:
        """A node is there, does something else, or is gone."""
        name = told.pop("node")
        with self.lock:
            if told.get("cores") is None:
                self.by_name.pop(name, None)
                return
            machine = self.by_name.setdefault(name, Machine(told["cores"], told["memory_total"]))
            machine.go_on(time.time())
            for name, value in told.items():
                if name in SHARES:
                    machine.shares[name] = value
                else:
                    setattr(machine, name, value)

    def text(self, name: str) -> str | None:
        """A node's metrics, None where it is gone."""
        with self.lock:
            machine = self.by_name.get(name)
            if machine is None:
                return None
            machine.go_on(time.time())
            return machine.text()


def serve(machines: Machines, port: int) -> None:
    """Answer scrapes until the process ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """A scrape."""
            text = machines.text(self.path.removeprefix("/metrics/"))
            body = (text or "").encode()
            self.send_response(200 if text is not None else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def main() -> int:
    """Serve, and take changes until the input ends."""
    parser = argparse.ArgumentParser(prog="python -m tests.prometheus.exporter", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    machines = Machines()
    threading.Thread(target=serve, args=(machines, parser.parse_args().port), daemon=True).start()
    for line in sys.stdin:
        machines.change(json.loads(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
