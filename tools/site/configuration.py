"""Writes the page of the configuration's keys, from their schema."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from shotline.common.settings.config import config_schema
from tools.site.words import cell, code, prose, table

Schema = Mapping[str, Any]

_INTRODUCTION: Final = """\
# Configuration

Every key of the one file that configures all daemons, written from the models by which it is read.
[etc/config.yaml](../../etc/config.yaml) has the same keys with comments, to be copied from. A key
`heartbeat_s` of the section `broker` may be set by the environment variable
`SHOTLINE_BROKER__HEARTBEAT_S`, too; options of the command line count before it, and it before
the file. `shotline check-config FILE` shows everything that is wrong at once. Names that end in
`_s` are seconds, those in `_bytes` and `_bytes_max` are bytes.

"""
_UNITS: Final = {"_s": "s", "_bytes": "bytes", "_bytes_max": "bytes", "_days": "days"}
_LIMITS: Final = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
}


def page() -> str:
    """Return the whole page."""
    schema: Schema = json.loads(config_schema())
    writer = _Writer(schema["$defs"])
    parts = [_INTRODUCTION]
    plain = {}
    for name, one in schema["properties"].items():
        if writer.sections_in(one):
            parts += writer.section(name, one)
        else:
            plain[name] = one
    parts.insert(1, writer.keys({"properties": plain}))
    return "".join([*parts, *writer.others()])


class _Writer:
    """What is written once, and what is still to be written: sections that others refer to."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._named: dict[str, str] = {}

    def section(self, name: str, schema: Schema) -> Iterator[str]:
        """Yield a section of the file; `schema` is its key's."""
        yield f"## {name}\n\n"
        if schema.get("description"):
            yield prose(" ".join(schema["description"].split())) + "\n\n"
        names = self.sections_in(schema)
        described = self._definitions[names[0]]
        if "$ref" in schema or "allOf" in schema:
            if not schema.get("description") and described.get("description"):
                yield prose(" ".join(described["description"].split())) + "\n\n"
            yield self.keys(described)
        else:
            yield f"{self._kind(schema)}\n\n"

    def others(self) -> Iterator[str]:
        """Yield what the sections refer to, each once, and what these refer to."""
        written: set[str] = set()
        while left := [name for name in self._named if name not in written]:
            for name in left:
                written.add(name)
                schema = self._definitions[name]
                yield f"## {_title(name)} {{ #{_anchor(name)} }}\n\n"
                if schema.get("description"):
                    yield prose(" ".join(schema["description"].split())) + "\n\n"
                yield self.keys(schema)

    def keys(self, schema: Schema) -> str:
        """Return the table of a section's keys."""
        needed = schema.get("required", ())
        rows = []
        for name, one in schema.get("properties", {}).items():
            default = "required" if name in needed else self._default(one)
            meaning = cell(one.get("description") or self._about(one))
            rows.append((code(name), self._kind(one, name), default, meaning))
        return table(("key", "value", "default", "meaning"), rows)

    def sections_in(self, schema: Schema) -> list[str]:
        """Return the names of the sections (objects with keys) that a key's value may hold."""
        return [name for name in _references(schema) if "properties" in self._definitions[name]]

    def _about(self, schema: Schema) -> str:
        names = _references(schema)
        about: str = self._definitions[names[0]].get("description", "") if names else ""
        return about

    def _default(self, schema: Schema) -> str:
        if "default" not in schema:
            return ""
        value = json.dumps(schema["default"], ensure_ascii=False)
        return code(value) if len(value) < 40 else "its own defaults"

    def _kind(self, schema: Schema, name: str = "") -> str:
        kind = self._words(schema)
        unit = next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")
        return f"{kind}, {unit}" if unit and "number" in kind else kind

    def _words(self, schema: Schema) -> str:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            target = self._definitions[name]
            if "properties" not in target:
                return self._words(target) if target else "anything"
            self._named.setdefault(name, name)
            return f"[{_title(name)}](#{_anchor(name)})"
        for word in ("anyOf", "oneOf", "allOf"):
            if word in schema:
                found = dict.fromkeys(self._words(one) for one in schema[word])
                return " or ".join(found)
        if "const" in schema:
            return code(schema["const"])
        if "enum" in schema:
            return ", ".join(code(one) for one in schema["enum"])
        kind = schema.get("type", "anything")
        if kind == "array":
            return f"list of {self._words(schema.get('items', {}))}"
        if kind == "object":
            inner = schema.get("additionalProperties", True)
            return f"by name: {self._words(inner)}" if isinstance(inner, dict) else "by name"
        return _plain_kind(kind, schema)


def _plain_kind(kind: str, schema: Schema) -> str:
    names = {
        "integer": "whole number",
        "boolean": "`true`, `false`",
        "string": "path" if schema.get("format") == "path" else "text",
        "null": "`null`",
    }
    if _is_told(schema, "minimum") and _is_told(schema, "maximum"):
        limits = f"{schema['minimum']:.16g} to {schema['maximum']:.16g}"
    else:
        limits = " ".join(
            f"{sign} {schema[word]:.16g}"
            for word, sign in _LIMITS.items()
            if _is_told(schema, word)
        )
    return f"{names.get(kind, kind)} {limits}".strip()


def _is_told(schema: Schema, word: str) -> bool:
    """Return whether a limit says something; what is as large as any number can be does not."""
    return word in schema and abs(schema[word]) < 2**31 - 1


def _references(schema: Schema | Sequence[Any] | object) -> list[str]:
    """Return the names of the definitions that a schema refers to, in its order."""
    if isinstance(schema, Mapping):
        own = [schema["$ref"].rpartition("/")[2]] if "$ref" in schema else []
        inner = [schema[key] for key in schema if key not in ("default", "description")]
        return own + [name for one in inner for name in _references(one)]
    if isinstance(schema, list):
        return [name for one in schema for name in _references(one)]
    return []


def _title(name: str) -> str:
    words = name.removesuffix("Section")
    return "".join(f" {one.lower()}" if one.isupper() else one for one in words).strip()


def _anchor(name: str) -> str:
    return f"of-{_title(name).replace(' ', '-')}"
