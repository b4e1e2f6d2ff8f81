"""A small metrics-server: an aggregated API over TLS that answers for nodes, and its registration at the API server.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme

from tests.lab.api import Api

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
NAMESPACE, SERVICE = "kube-system", "metrics-server"
APIS = "/apis/apiregistration.k8s.io/v1/apiservices"
SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"


class MetricsServer:
    """usage: cores and bytes by node; age_s: of what it tells."""

    def __init__(self) -> None:
        self.usage: dict[str, tuple[str, str]] = {}
        self.age_s = 0.0
        self.authority = trustme.CA()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(f"{SERVICE}.{NAMESPACE}.svc").configure_cert(context)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def port(self) -> int:
        """Of its TLS door on loopback."""
        return int(self.server.server_address[1])

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Answers discovery and the list of nodes."""
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """A question that the API server passes on."""
                found = answer(self.path.partition("?")[0])
                body = json.dumps(found or {}).encode()
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        return Handler

    def answer(self, path: str) -> dict[str, Any] | None:
        """None for what is not there."""
        group = f"{GROUP}/{VERSION}"
        if path == f"/apis/{group}":
            kind = {"name": "nodes", "singularName": "", "namespaced": False, "kind": "NodeMetrics", "verbs": ["list"]}
            return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": [kind]}
        if path != f"/apis/{group}/nodes":
            return None
        then = datetime.fromtimestamp(datetime.now(UTC).timestamp() - self.age_s, UTC)
        items = [
            {
                "metadata": {"name": name, "creationTimestamp": then.strftime("%Y-%m-%dT%H:%M:%SZ")},
                "timestamp": then.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "window": "20.038s",
                "usage": {"cpu": cpu, "memory": memory},
            }
            for name, (cpu, memory) in self.usage.items()
        ]
        return {"kind": "NodeMetricsList", "apiVersion": group, "metadata": {}, "items": items}

    def objects(self) -> dict[str, dict[str, Any]]:
        """What registers it, by collection."""
        bundle = base64.b64encode(self.authority.cert_pem.bytes()).decode()
        service = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": self.port}]}
        registered = {
            "group": GROUP,
            "version": VERSION,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {"namespace": NAMESPACE, "name": SERVICE, "port": self.port},
            "caBundle": bundle,
        }
        return {
            SERVICES: {"apiVersion": "v1", "kind": "Service", "metadata": {"name": SERVICE}, "spec": service},
            APIS: {
                "apiVersion": "apiregistration.k8s.io/v1",
                "kind": "APIService",
                "metadata": {"name": f"{VERSION}.{GROUP}"},
                "spec": registered,
            },
        }

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def metrics_server(api: Api) -> Iterator[MetricsServer]:
    """Started and registered; both are gone at the end."""
    running, made = MetricsServer(), list[str]()
    try:
        for collection, one in running.objects().items():
            made.append(f"{collection}/{api.create(collection, one)['metadata']['name']}")
        yield running
    finally:
        for path in reversed(made):
            api.delete(path)
        running.close()
