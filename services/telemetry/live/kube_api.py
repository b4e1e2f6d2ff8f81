"""Raw reads of a Kubernetes API server: lists in pages and watches line by line, not turned into objects.

The official client connects (kubeconfig, exec plug-ins, service account, renewed tokens); its models are left out, as
building one of each pod would cost more than everything else here.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

CONNECT_S = 5.0
MERGE_PATCH = "application/merge-patch+json"
SILENCE_S = 120.0
"""A watch that says nothing for so long is dead: with bookmarks a living one says something every minute."""
LONGEST_LINE = 64 * 2**20
"""Bytes of one object; the API server takes none above 3 MiB."""


class KubeApiError(Exception):
    """The API server refused, or could not be reached. status: of the answer, 0 without one."""

    def __init__(self, status: int, words: str) -> None:
        self.status = status
        super().__init__(words)


class KubeApi:
    """One API server. `close` it."""

    def __init__(self, client: ApiClient) -> None:
        self.client = client

    @classmethod
    async def connect(cls, kubeconfig: Path | None) -> KubeApi:
        """By a kubeconfig file, or as the pod that this runs in where there is none. Raises KubeApiError."""
        settings = Configuration()
        try:
            if kubeconfig is not None:
                await config.load_kube_config(config_file=str(kubeconfig), client_configuration=settings)
            else:
                config.load_incluster_config(client_configuration=settings)
        except (config.ConfigException, OSError, ValueError) as error:
            where = f"kubeconfig {kubeconfig}" if kubeconfig else "no kubeconfig is given, and the service account"
            raise KubeApiError(0, f"{where} cannot be used") from error
        return cls(ApiClient(settings))

    async def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """The body of an answer. Raises KubeApiError."""
        async with self._asked("GET", path, query, aiohttp.ClientTimeout(total=60.0, connect=CONNECT_S)) as answer:
            return await answer.read()

    async def send(self, method: str, path: str, body: object) -> bytes:
        """The answer to an object that is created (POST) or changed in part (PATCH). Raises KubeApiError."""
        patience = aiohttp.ClientTimeout(total=CONNECT_S, connect=CONNECT_S)
        async with self._asked(method, path, {}, patience, body) as answer:
            return await answer.read()

    async def lines(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The lines of an answer as they come, until the server ends it. An empty one tells that the answer has begun:
        on a quiet cluster the first word comes a minute later. Raises KubeApiError."""
        patience = aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_read=SILENCE_S)
        async with self._asked("GET", path, query, patience) as answer:
            yield b""
            rest = bytearray()
            async for chunk in answer.content.iter_any():
                rest += chunk
                *whole, last = bytes(rest).split(b"\n") if b"\n" in chunk else [bytes(rest)]
                for line in whole:
                    if line:
                        yield line
                rest = bytearray(last)
                if len(rest) > LONGEST_LINE:
                    raise KubeApiError(0, "a line of a watch never ends")

    @contextlib.asynccontextmanager
    async def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        patience: aiohttp.ClientTimeout,
        body: object = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer with status 200 or 201; given back at the end."""
        method, url, headers, sent, *_ = await self.client.param_serialize(
            method, path, query_params=list(query.items()), auth_settings=["BearerToken"],
            header_params={"Content-Type": MERGE_PATCH} if method == "PATCH" else {}, body=body,
        )  # fmt: skip
        try:
            wrapped: Any = await self.client.rest_client.request(method, url, headers, sent, _request_timeout=patience)
            async with wrapped.response as answer:
                if answer.status not in (200, 201):
                    raise KubeApiError(answer.status, f"{path}: status {answer.status}")
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeApiError(0, f"{path}: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()
