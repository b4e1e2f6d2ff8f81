"""Calls that wait for a model which does not answer, against a real server that never does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest

from extender.errors import ModelFailure
from extender.models import PLACEMENT_SCORER, Contract, ModelClient
from extender.settings import ModelEndpoint, Models


class Silent(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Takes every call and answers none."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """The same for every method."""

        async def wait(_: bytes, __: object) -> bytes:
            await asyncio.sleep(30.0)
            return b""

        return grpc.unary_unary_rpc_method_handler(wait)


@pytest.fixture
async def client() -> AsyncIterator[ModelClient]:
    """Of a silent model."""
    server = grpc.aio.server(handlers=(Silent(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    made = ModelClient(PLACEMENT_SCORER, ModelEndpoint(target=f"127.0.0.1:{port}"), Models())
    made.connect()
    yield made
    await made.close()
    await server.stop(None)


async def test_giving_a_model_up_lets_waiting_calls_go(client: ModelClient) -> None:
    started = time.monotonic()
    waiting = [asyncio.create_task(client.read_contract(20.0)) for _ in range(3)]
    await asyncio.sleep(0.2)
    client.give_up()
    for result in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(result, ModelFailure)
    assert time.monotonic() - started < 5.0
    assert client.breaker.open


async def test_a_call_whose_deadline_has_just_passed_is_no_obstacle(client: ModelClient) -> None:
    """On a busy loop a deadline runs out and the model is given up in one turn, before the waiting call is told."""
    waiting = asyncio.create_task(client.read_contract(0.05))
    await asyncio.sleep(0.01)
    failed: list[RuntimeError] = []

    def give_up() -> None:
        try:
            client.give_up()
        except RuntimeError as error:
            failed.append(error)

    asyncio.get_running_loop().call_later(0.1, give_up)
    time.sleep(0.3)  # noqa: ASYNC251 - the busy loop
    with pytest.raises(ModelFailure):
        await waiting
    await asyncio.sleep(0.05)
    assert failed == []


async def test_while_a_failure_is_looked_into_pods_wait_for_less(client: ModelClient) -> None:
    client.contract = Contract("1", ("cpu_used",), (), ("value",), "digest")
    whole = client.patience_s
    assert whole == client.timeout_s
    with pytest.raises(ModelFailure):
        await client.ask(np.zeros((3, 1), dtype=np.float32), None, whole)
    assert client.suspected.is_set()
    assert client.patience_s < 0.5 * whole
    client.suspected.clear()
    assert client.patience_s == whole
