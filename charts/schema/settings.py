"""A process's settings as a part of a chart's values: every field may be left out, and none may be a secret."""

from __future__ import annotations

from typing import Any

from berth.settings import ProcessSettings

Schema = dict[str, Any]


def as_part(settings: type[ProcessSettings]) -> tuple[Schema, dict[str, Schema]]:
    """The schema of a section, and what it refers to, by names of its own."""
    schema = settings.model_json_schema(ref_template="#/$defs/settings.{model}")
    inner = schema.pop("$defs", {})
    return without_secrets(schema), {f"settings.{name}": without_secrets(one) for name, one in inner.items()}


def without_secrets(group: Schema) -> Schema:
    """A group of fields, none required. A field that is a secret is none of them: a ConfigMap is no place for it."""
    made = {key: value for key, value in group.items() if key not in ("required", "title")}
    if "properties" in made:
        made["properties"] = {
            name: described(field) for name, field in made["properties"].items() if not field.get("writeOnly")
        }
    return made


def described(field: Schema) -> Schema:
    """Without what says nothing, or something of the machine that wrote it: defaults that are paths or groups."""
    path = field.get("format") == "path" or isinstance(field.get("default"), dict)
    made = {key: value for key, value in field.items() if key != "title" and not (path and key == "default")}
    if "off" in made.get("enum", ()):
        made["enum"], made["type"] = [False, *made["enum"]], ["boolean", "string"]  # YAML's unquoted `off`
    return made
