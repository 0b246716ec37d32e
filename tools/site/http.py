"""Writes the page of the HTTP interface, from its OpenAPI document."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shotline.monitor.http.routes import document
from tools.site.words import cell, code, prose, table

Schema = Mapping[str, Any]

_INTRODUCTION: Final = """\
# HTTP interface

Every route of the monitor, written from [its OpenAPI document](../openapi.json). A running monitor
shows the same at `/api/docs`, where each can be tried. Who may ask which:
[Security](../security.md#the-page-and-the-http-interface);
what comes by itself: [WebSocket](../websocket.md).

All routes take and answer JSON. The usual answer is [CommandAnswer](#commandanswer), the same
object that `--json` writes: 200 done, 404 unknown, 409 refused (`message` says why), 422 bad input
(`fields` names each), 403 not allowed, 500 a fault of Shotline's, 503 nobody there, 504 no answer
in time.

"""
_GROUPS: Final = {
    "reading": "What changes nothing",
    "changing": "What changes something",
    "monitor": "The monitor's own",
}


def page() -> str:
    """Return the whole page."""
    api: Schema = json.loads(document())
    parts = [_INTRODUCTION]
    for tag, title in _GROUPS.items():
        parts.append(f"## {title}\n\n")
        rows = [
            (f"{code(method.upper())} {code(path)}", _takes(one), _gives(one), cell(_about(one)))
            for path, methods in api["paths"].items()
            for method, one in methods.items()
            if one["tags"] == [tag]
        ]
        parts.append(table(("route", "takes", "answers", ""), rows))
    parts.append("## What is taken and answered\n\n")
    for name, schema in sorted(api["components"]["schemas"].items()):
        parts += _object(name, schema)
    return "".join(parts)


def _about(route: Schema) -> str:
    text: str = route.get("summary") or route.get("description", "")
    return text


def _takes(route: Schema) -> str:
    asked = [
        code(f"?{one['name']}" if one["in"] == "query" else one["name"])
        for one in route.get("parameters", ())
    ]
    return ", ".join([*_bodies(route.get("requestBody", {})), *asked])


def _gives(route: Schema) -> str:
    good = [one for status, one in route["responses"].items() if status.startswith("2")]
    return ", ".join(dict.fromkeys(kind for one in good for kind in _bodies(one)))


def _bodies(holder: Schema) -> list[str]:
    return [
        _kind(body["schema"]) if "schema" in body else code(form)
        for form, body in holder.get("content", {}).items()
    ]


def _object(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}\n\n"
    if schema.get("description"):
        yield prose(" ".join(schema["description"].split())) + "\n\n"
    if "properties" not in schema:
        yield f"{_kind(schema)}\n\n"
        return
    needed = schema.get("required", ())
    rows = [
        (
            code(key),
            _kind(one),
            "required" if key in needed else _default(one),
            cell(one.get("description", "")),
        )
        for key, one in schema["properties"].items()
    ]
    yield table(("key", "value", "default", ""), rows)


def _default(schema: Schema) -> str:
    value = json.dumps(schema["default"], ensure_ascii=False) if "default" in schema else ""
    return code(value) if value and len(value) < 40 else ""


def _kind(schema: Schema) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " or ".join(dict.fromkeys(_kind(one) for one in schema[word]))
    if "enum" in schema:
        return ", ".join(code(one) for one in schema["enum"])
    kind: str = schema.get("type", "anything")
    if kind == "array":
        parts = schema.get("prefixItems") or [schema.get("items") or {}]
        return f"list of {', '.join(map(_kind, parts))}"
    inner = schema.get("additionalProperties")
    if kind == "object" and isinstance(inner, dict):
        return f"by name: {_kind(inner)}"
    return code("null") if kind == "null" else kind
