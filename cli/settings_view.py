"""Settings as rows: their values with the source of each, and their schema."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from berth.settings import CONFIG_VARIABLE, read_section
from cli.sections import load_sections, settings_class

MASK = "**********"
UNITS = {"_ms": "ms", "_s": "s", "_seconds": "s", "_mib": "MiB", "_percent": "%", "port": ""}


@dataclass(frozen=True)
class Value:
    """One setting in force. source: 'default', the file's name, or the variable's."""

    name: str
    value: Any
    source: str


@dataclass(frozen=True)
class SchemaField:
    """One setting that can be made. restart: takes effect at the next start only."""

    name: str
    variable: str
    type: str
    unit: str
    range: str
    default: Any
    required: bool
    restart: bool
    description: str


def values(path: Path | None, sections: tuple[str, ...]) -> list[Value]:
    """Every setting in force. Raises InvalidSettings."""
    file = path or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    loaded = load_sections(file, sections)
    found = []
    for section in sections:
        written = read_section(file, section) if file else {}
        for name, value in flat(loaded[section]):
            found.append(Value(f"{section}.{'.'.join(name)}", value, source_of(section, name, written, file)))
    return found


def flat(group: BaseModel, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, plain value) of every field, secrets masked."""
    for name in type(group).model_fields:
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from flat(value, (*above, name))
        else:
            yield (*above, name), plain(value)


def plain(value: Any) -> Any:
    """What JSON takes."""
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def source_of(section: str, name: tuple[str, ...], written: dict[str, Any], file: Path | None) -> str:
    """Where a value comes from: the environment wins over the file, the file over the default."""
    given = {variable.upper(): variable for variable, text in os.environ.items() if text}
    for depth in range(len(name), 0, -1):  # a variable may hold a whole group as JSON
        variable = given.get(variable_of(section, name[:depth]))
        if variable:
            return variable
    inside: Any = written
    for part in name:
        if not isinstance(inside, dict) or part not in inside:
            return "default"
        inside = inside[part]
    return file.name if file else "default"


def variable_of(section: str, name: tuple[str, ...]) -> str:
    """The environment variable of a setting."""
    return f"BERTH_{section.upper()}__{'__'.join(name).upper()}"


def fields(sections: tuple[str, ...]) -> list[SchemaField]:
    """The schema of every setting."""
    return [field for section in sections for field in schema_of(settings_class(section), section, (), None)]


def schema_of(model: type[BaseModel], section: str, above: tuple[str, ...], given: Any) -> Iterator[SchemaField]:
    """Fields of a group, groups inside it opened. given: the group's own default, whose values are the defaults."""
    for name, info in model.model_fields.items():
        default = getattr(given, name) if isinstance(given, BaseModel) else info.default
        path = (*above, name)
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from schema_of(info.annotation, section, path, default)
            continue
        required = info.is_required() and not isinstance(given, BaseModel)
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        yield SchemaField(
            name=f"{section}.{'.'.join(path)}",
            variable=variable_of(section, path),
            type=type_of(info.annotation),
            unit=unit_of(name),
            range=range_of(info),
            default=None if required else plain(default),
            required=required,
            restart=bool(extra.get("restart")),
            description=info.description or "",
        )


def type_of(annotation: Any) -> str:
    """'number', 'whole number', 'text', 'yes or no', 'list of text', 'one of a, b'."""
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(str(one) for one in get_args(annotation))
    if type(None) in get_args(annotation):
        return type_of(next(one for one in get_args(annotation) if one is not type(None)))
    if get_origin(annotation) in (tuple, list):
        return f"list of {type_of(get_args(annotation)[0])}"
    names = {
        bool: "true or false",
        int: "whole number",
        float: "number",
        str: "text",
        SecretStr: "secret text",
        Path: "path",
        date: "date",
    }
    return names.get(annotation, str(annotation))


def unit_of(name: str) -> str:
    """The unit that a field's name ends with."""
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), "")


def range_of(info: FieldInfo) -> str:
    """'1 to 65535', '> 0', or ''."""
    bounds = {
        key: getattr(rule, key) for rule in info.metadata for key in ("ge", "gt", "le", "lt") if hasattr(rule, key)
    }
    low = bounds.get("ge", bounds.get("gt"))
    high = bounds.get("le", bounds.get("lt"))
    above, below = ("above " if "gt" in bounds else ""), ("below " if "lt" in bounds else "")
    if low is not None and high is not None:
        return f"{above}{low:g} to {below}{high:g}"
    if low is not None:
        return f"{above or 'from '}{low:g}"
    return "" if high is None else f"{below or 'to '}{high:g}"


HEAD = """# Settings

Made from the settings classes by `berth config --schema --markdown`; a test compares. One YAML file holds a section a
process; the environment wins over it: `extender.models.budget_ms` is `BERTH_EXTENDER__MODELS__BUDGET_MS`. Unknown keys
and bad values are refused at start. The extender watches its file: a good change takes effect at once but for fields
marked *next start*; a bad one is refused, logged and counted while the old settings stay."""


def as_markdown(sections: tuple[str, ...]) -> str:
    """The settings' page: a table a section."""
    parts = [HEAD]
    for section in sections:
        rows = [
            f"\n## {section}\n",
            "| setting | type | unit | range | default | what it is |",
            "|---|---|---|---|---|---|",
        ]
        rows += [markdown_row(field) for field in fields((section,))]
        parts.append("\n".join(rows))
    return "\n".join(parts)


def markdown_row(field: SchemaField) -> str:
    """One field as a table row. Paths inside the distribution are shown from its root."""
    root = f"{Path(__file__).parents[1]}/"
    path = field.type == "path" and field.default is not None
    shown = str(field.default).removeprefix(root) if path else field.default
    default = "required" if field.required else f"`{shown!r}`" if shown not in ("", None) else "empty"
    note = " *(next start)*" if field.restart else ""
    cells = (f"`{field.name}`", field.type, field.unit, field.range, default, field.description + note)
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
