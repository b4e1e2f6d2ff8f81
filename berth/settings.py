"""Typed settings: one class a process, filled from a section of a YAML file and from the environment.

One file may hold several processes' sections (`extender:`, `telemetry:` ...); each process reads its own. The
environment wins over the file: `extender.models.timeout_ms` is `BERTH_EXTENDER__MODELS__TIMEOUT_MS`. Two
underscores after the section keep the variables that Kubernetes makes for a Service apart
(`BERTH_EXTENDER_PORT`). Unknown keys and bad values are refused with the field's name and the reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

SECTIONS = ("extender", "telemetry", "load_predictor", "placement_scorer", "anomaly_detector")
CONFIG_VARIABLE = "BERTH_CONFIG"
"""Path of the settings file, for processes started without `--config`."""


class InvalidSettings(ValueError):
    """Settings that a process refuses to start with; each problem is 'section.field: reason'."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class Group(BaseModel):
    """A named group of fields inside a process's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ProcessSettings(BaseSettings):
    """Base of each process's settings. Subclasses set `section` and
    `model_config = settings_config("section")`."""

    section: ClassVar[str]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file; the file's section arrives as keyword arguments."""
        return env_settings, init_settings

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Settings from `path` (or $BERTH_CONFIG, or defaults alone) and the environment.

        Raises InvalidSettings with every problem found, never the first alone.
        """
        source = path or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
        values = read_section(source, cls.section) if source else {}
        problems = list(unknown_variables(cls, os.environ))
        try:
            loaded = cls(**values)
        except ValidationError as error:
            raise InvalidSettings(problems + describe(error, cls.section)) from error
        except SettingsError as error:
            raise InvalidSettings([*problems, f"{cls.section}: {error}"]) from error
        if problems:
            raise InvalidSettings(problems)
        return loaded


def settings_config(section: str) -> SettingsConfigDict:
    """The pydantic-settings configuration of a process."""
    return SettingsConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        env_prefix=f"BERTH_{section.upper()}__",
        env_nested_delimiter="__",
    )


def read_section(path: Path, section: str) -> dict[str, Any]:
    """One section of a settings file. Raises InvalidSettings."""
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidSettings([f"{path.name}: cannot be read ({error.strerror})"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise InvalidSettings([f"{path.name}{line}: not valid YAML"]) from error
    return pick_section(document, path.name, section)


def pick_section(document: object, file_name: str, section: str) -> dict[str, Any]:
    """The section's mapping out of a parsed file; {} where the file has none. Raises InvalidSettings."""
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise InvalidSettings([f"{file_name}: a mapping of sections is expected ({', '.join(SECTIONS)})"])
    unknown = [str(key) for key in document if key not in SECTIONS]
    if unknown:
        raise InvalidSettings([f"{key}: unknown section; one of {', '.join(SECTIONS)}" for key in unknown])
    values = document.get(section) or {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InvalidSettings([f"{section}: a mapping of fields is expected"])
    return values


def describe(error: ValidationError, section: str) -> list[str]:
    """One line a problem, without the value where it may be a secret."""
    lines = []
    for problem in error.errors(include_url=False):
        field = ".".join((section, *(str(part) for part in problem["loc"])))
        reason = "unknown field" if problem["type"] == "extra_forbidden" else problem["msg"]
        shown = isinstance(problem.get("input"), bool | int | float) and problem["type"] != "extra_forbidden"
        lines.append(f"{field}: {reason}" + (f" (given {problem['input']})" if shown else ""))
    return lines


def unknown_variables(settings: type[ProcessSettings], environ: Mapping[str, str]) -> Iterator[str]:
    """A problem for each BERTH_<SECTION>__ variable that names no field."""
    prefix = f"BERTH_{settings.section.upper()}__"
    for name in sorted(environ):
        if name.upper().startswith(prefix):
            path = name[len(prefix) :].lower().split("__")
            if not names_field(settings, path):
                yield f"{name}: no such field ({settings.section}.{'.'.join(path)})"


def names_field(model: type[BaseModel], path: list[str]) -> bool:
    """Whether the path leads to a field of `model`; what lies inside a field that is no group is not judged."""
    field = model.model_fields.get(path[0])
    if field is None:
        return False
    inner = field.annotation
    if len(path) > 1 and isinstance(inner, type) and issubclass(inner, BaseModel):
        return names_field(inner, path[1:])
    return True
