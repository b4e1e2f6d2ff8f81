"""KServe's data plane, where Berth's promises differ from its defaults."""

from __future__ import annotations

from typing import Any

from kserve.errors import InvalidInput, ModelNotFound
from kserve.model_repository import ModelRepository
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from services.serving.kserve_model import ServedModel


class ModelDataPlane(DataPlane):
    """One model: readiness is the model's, metadata is whole, a malformed body is the caller's fault."""

    async def ready(self) -> bool:
        """KServe says True even where no model is ready."""
        models = self.model_registry.get_models().values()
        return bool(models) and all([await model.healthy() for model in models])

    async def model_metadata(self, model_name: str) -> dict[str, Any]:
        """With versions, platform and properties, which KServe leaves out. Raises ModelNotFound."""
        return served(self, model_name).signature.metadata()

    def decode(self, *args: Any, **kwargs: Any) -> Any:
        """KServe answers 500 to a v2 binary body that lacks fields or bytes; it is a 400."""
        try:
            return super().decode(*args, **kwargs)
        except InvalidInput:
            raise
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise InvalidInput("the body is not an inference request") from error

    async def explain(self, model_name: str, request: Any, headers: dict[str, str] | None = None) -> Any:
        """KServe sends the request's own headers back; an answer carries none of them."""
        response, _ = await super().explain(model_name, request, dict(headers or {}))
        return response, {}


def served(data_plane: DataPlane, name: str) -> ServedModel:
    """The served model of that name. Raises ModelNotFound."""
    model = data_plane.model_registry.get_model(name)
    if not isinstance(model, ServedModel):
        raise ModelNotFound(name)
    return model


class FixedRepository(ModelRepositoryExtension):
    """No load and unload by request: an artifact changes with a rollout, and unloading would be final."""

    def __init__(self, repository: ModelRepository) -> None:
        super().__init__(repository)

    async def load(self, model_name: str) -> None:
        """Raises NotImplementedError: 501, UNIMPLEMENTED."""
        raise NotImplementedError("models are loaded at start")

    async def unload(self, model_name: str) -> None:
        """Raises NotImplementedError: 501, UNIMPLEMENTED."""
        raise NotImplementedError("models are unloaded when the server ends")
