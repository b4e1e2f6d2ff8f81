"""A TensorModel as a KServe model: what a call means, for every protocol that KServe's server speaks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from kserve import InferRequest, Model
from kserve.errors import InvalidInput

from services.serving import answers, inputs
from services.serving.contract import Floats, TensorModel
from services.serving.errors import ModelFailedError
from services.serving.inputs import Inputs
from services.serving.metrics import ModelMetrics
from services.serving.signature import Signature
from services.serving.worker import Worker

MAX_EXPLAINED_ROWS = 100
EXPLAINED_AT_ONCE = 10
"""Rows explained before waiting predictions get their turn."""

log = logging.getLogger(__name__)


class ServedModel(Model):
    """Answers v1 (dict) and v2 (InferRequest) calls; the numbers are computed in the worker's thread.

    ready: cleared while the server drains; calls that still arrive are answered.
    """

    def __init__(self, model: TensorModel, max_queue: int) -> None:
        self.signature = Signature.of(model)
        super().__init__(model.name)
        self.worker = Worker(max_queue)
        self.metrics = ModelMetrics(self.signature, lambda: self.worker.waiting)
        self._model = model
        self.ready = True

    def load(self) -> bool:
        """KServe calls this for a model that is not ready; a draining one must not become ready again."""
        return bool(self.ready)

    async def predict(self, payload: object, headers: object = None, response_headers: object = None) -> Any:
        """Raises InvalidInput, OverloadedError, DeadlinePassedError, ModelFailedError."""
        with self.metrics.call():
            if not isinstance(payload, InferRequest):
                output = await self._outputs(inputs.from_instances(payload, self.signature))
                return answers.v1_answer(self.signature, output)
            output = await self._outputs(inputs.from_infer_request(payload, self.signature))
            form = answers.grpc_answer if payload.from_grpc else answers.rest_answer
            return form(self.signature, payload, output)

    async def explain(self, payload: object, headers: object = None) -> dict[str, Any]:
        """v1 `:explain`, at most MAX_EXPLAINED_ROWS rows. Raises as `predict` does."""
        with self.metrics.call():
            given = inputs.from_instances(payload, self.signature)
            if len(given.nodes) > MAX_EXPLAINED_ROWS:
                raise InvalidInput(f"{len(given.nodes)} rows, :explain takes {MAX_EXPLAINED_ROWS}")
            rows: list[dict[str, float]] = []
            for start in range(0, len(given.nodes), EXPLAINED_AT_ONCE):
                part = Inputs(given.nodes[start : start + EXPLAINED_AT_ONCE], given.pod)
                rows += await self.worker.run(partial(self._explain, part))
            return answers.v1_explanations(self.signature, rows)

    async def _outputs(self, given: Inputs) -> Floats:
        if len(given.nodes) == 0:
            return np.empty((0, len(self.signature.columns)), dtype=np.float32)
        output = await self.worker.run(partial(self._predict, given))
        self.metrics.rows.inc(len(output))
        return output

    def _predict(self, given: Inputs) -> Floats:
        """In the worker's thread: float32 [N, columns]. Raises ModelFailedError."""
        with self._failing_closed(), self.metrics.compute.time():
            output = np.asarray(self._model.predict(given.nodes, given.pod), dtype=np.float32)
            expected = (len(given.nodes), len(self.signature.columns))
            if output.shape != expected:
                raise ValueError(f"shape {output.shape}, {expected} was promised")
            return output

    def _explain(self, given: Inputs) -> list[dict[str, float]]:
        """In the worker's thread: contributions of each row. Raises ModelFailedError."""
        with self._failing_closed():
            return self._model.explain(given.nodes, given.pod)

    @contextmanager
    def _failing_closed(self) -> Iterator[None]:
        """The edge to a model's libraries, each with errors of its own: the log has the reason, callers do
        not."""
        try:
            yield
        except Exception as error:
            log.exception("%s failed", self.name)
            raise ModelFailedError from error
