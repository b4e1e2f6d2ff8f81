"""What a model reads and answers, as its metadata tells callers (docs/architecture.md, Model services)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from berth.features.registry import digest
from services.serving.contract import TensorModel
from services.serving.errors import StartError

NODES = "nodes"
POD = "pod"
PLATFORM = "berth"


@dataclass(frozen=True)
class Signature:
    """Names of a model's columns in order, and the digest that a request has to name."""

    name: str
    version: str
    node_features: tuple[str, ...]
    pod_features: tuple[str, ...]
    output: str
    columns: tuple[str, ...]
    digest: str

    @classmethod
    def of(cls, model: TensorModel) -> Signature:
        """The signature of a loaded model. Raises StartError where names are missing or ambiguous."""
        names = (*model.node_features, *model.pod_features)
        for group in (names, model.columns):
            if len(set(group)) != len(group) or any(not name or "," in name for name in group):
                raise StartError(f"{model.name}: column names must be unique, not empty, without commas")
        if not (model.name and model.version and model.output and model.node_features and model.columns):
            raise StartError(f"{model.name or 'model'}: name, version, output and columns must be given")
        return cls(
            name=model.name,
            version=model.version,
            node_features=tuple(model.node_features),
            pod_features=tuple(model.pod_features),
            output=model.output,
            columns=tuple(model.columns),
            digest=digest(names),
        )

    def inputs(self) -> list[dict[str, Any]]:
        """Input tensors as Open Inference Protocol metadata; -1 is any number of rows."""
        tensors = [{"name": NODES, "datatype": "FP32", "shape": [-1, len(self.node_features)]}]
        if self.pod_features:
            tensors.append({"name": POD, "datatype": "FP32", "shape": [1, len(self.pod_features)]})
        return tensors

    def outputs(self) -> list[dict[str, Any]]:
        """The output tensor as Open Inference Protocol metadata."""
        return [{"name": self.output, "datatype": "FP32", "shape": [-1, len(self.columns)]}]

    def properties(self) -> dict[str, str]:
        """Properties of the metadata: strings, lists comma separated."""
        return {
            "node_features": ",".join(self.node_features),
            "pod_features": ",".join(self.pod_features),
            "outputs": ",".join(self.columns),
            "features_digest": self.digest,
            "model_version": self.version,
        }

    def metadata(self) -> dict[str, Any]:
        """ModelMetadata, the same in gRPC and REST."""
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": PLATFORM,
            "inputs": self.inputs(),
            "outputs": self.outputs(),
            "properties": self.properties(),
        }
