"""The OpenAPI 3.1 document of the HTTP interface, made from its routes and their models. Pure.

`docs/openapi.json` is this document; a test compares the two.
"""

import json
import re
from collections.abc import Sequence
from typing import Final

import msgspec
from pydantic import JsonValue
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from shotline.common.base import Struct, Value
from shotline.common.command import Command
from shotline.common.scopes import Scope
from shotline.monitor.http.route import Route
from shotline.monitor.models import CommandAnswer

Schema = dict[str, JsonValue]

_TAKEN: Final[JsonSchemaMode] = "validation"
_REF: Final = "#/components/schemas/"
_REFUSALS: Final = {
    "403": "Refused: wrong Origin, Host, token or role.",
    "404": "What the command names is unknown.",
    "409": "Refused, or it could not be done; `message` says why.",
    "422": "Bad input; `fields` names each field.",
    "500": "A fault of ours.",
    "503": "No broker, or no dispatcher, is there.",
    "504": "No answer in time; the command may have been carried out.",
}
_RULES: Final = re.compile(r" \((?:[DI]\d+(?:(?:, | to | and )[DI]\d+)*|DESIGN [^)]*)\)")


class _Download(Value):
    """A file: what it is asked for with, as this command and some more, and what is in it."""

    name: str
    command: str
    what: str
    types: tuple[str, ...]
    more: tuple[JsonValue, ...] = ()


def _choice(name: str, *words: str) -> JsonValue:
    schema: Schema = {"type": "string", "enum": list(words), "default": words[0]}
    return {"name": name, "in": "query", "required": False, "schema": schema}


_DOWNLOADS: Final = {
    "logs.txt": _Download("download_logs", "Logs", "The output.", ("text/plain",)),
    "queue_history.txt": _Download(
        "download_queue_history",
        "QueueHistory",
        "A line for each plan, run or action.",
        ("application/jsonl", "text/csv"),
        (_choice("form", "jsonl", "csv"), _choice("by", "plan", "run", "action")),
    ),
    "shot_file": _Download(
        "download_shot",
        "Export",
        "The shot.",
        ("application/gzip", "text/csv", "text/html"),
        (_choice("form", "shot", "csv", "report"),),
    ),
}


def document(version: str, routes: Sequence[Route]) -> Schema:
    """Return the whole document, in words that need no other one."""
    made = _without_rules(_document(version, routes))
    assert isinstance(made, dict)
    return made


def _document(version: str, routes: Sequence[Route]) -> Schema:
    schemas = _schemas(routes)
    paths: dict[str, JsonValue] = {}
    for route in routes:
        if route.command is not None:
            paths[route.path] = _command_path(route, route.command, schemas)
        elif route.answer is not None:
            (method,) = route.needs
            paths[route.path] = {method.lower(): _route(route, route.answer)}
        elif route.summary:
            paths[route.path] = {"get": _download(route, schemas)}
    return {
        "openapi": "3.1.0",
        # Relative to the document: a proxy may have put both below a prefix.
        "servers": [{"url": ".."}],
        "info": {
            "title": "Shotline",
            "version": version,
            "summary": "Runs the actions of a fusion pulse, live and without losing one.",
            "description": "Every command of `shotline` under its name. Changes from a browser "
            "must carry the cookie `_xsrf` in the header `X-XSRFToken`.",
        },
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def text(version: str, routes: Sequence[Route]) -> str:
    """Return the document as it is committed."""
    return json.dumps(document(version, routes), indent=1, ensure_ascii=False) + "\n"


def _without_rules(value: JsonValue) -> JsonValue:
    """Return a part of the document without the numbers of the design's rules."""
    if isinstance(value, str):
        return _RULES.sub("", value)
    if isinstance(value, list):
        return [_without_rules(one) for one in value]
    if isinstance(value, dict):
        return {name: _without_rules(one) for name, one in value.items()}
    return value


def _schemas(routes: Sequence[Route]) -> Schema:
    commands = [route.command for route in routes if route.command is not None]
    answers = [route.answer for route in routes if route.answer is not None]
    _, found = msgspec.json.schema_components(
        [*commands, CommandAnswer, *answers], ref_template=_REF + "{name}"
    )
    read = [(route.request, _TAKEN) for route in routes if route.request is not None]
    _, definitions = models_json_schema(read, ref_template=_REF + "{model}")
    found |= definitions["$defs"]
    for kind in commands:
        schema = found[kind.__name__]
        schema["properties"].pop("verb")  # it stands in the path
        schema["required"].remove("verb")
    return found


def _command_path(route: Route, kind: type[Command], schemas: Schema) -> Schema:
    summary = (kind.__doc__ or "").strip().splitlines()[0]
    schema = schemas[kind.__name__]
    described: Schema = {"summary": summary, "responses": _responses(CommandAnswer, _REFUSALS)}
    is_reading = route.needs["POST"] is Scope.READ
    path: Schema = {
        "post": {
            "operationId": route.name,
            "tags": ["reading" if is_reading else "changing"],
            "requestBody": _body(kind, required=_required(schema)),
            **described,
        }
    }
    if "GET" in route.needs:
        path["get"] = {
            "operationId": f"get_{route.name}",
            "tags": ["reading"],
            "parameters": _parameters(schema, leaving=("reset",)),
            **described,
        }
    return path


def _route(route: Route, answer: type[Struct]) -> Schema:
    takes = route.request is not None or bool(route.query)
    codes = ("403", "404", "409", "422", "500") if takes else ("403",)
    made: Schema = {
        "operationId": route.name,
        "tags": ["monitor"],
        "summary": route.summary,
        "responses": _responses(answer, {code: _REFUSALS[code] for code in codes}),
    }
    if route.query:
        texts: Schema = {"type": "string"}
        made["parameters"] = [
            {"name": name, "in": "query", "required": True, "schema": texts} for name in route.query
        ]
    if route.request is not None:
        made["requestBody"] = _body(route.request, required=True)
    return made


def _download(route: Route, schemas: Schema) -> Schema:
    download = _DOWNLOADS[route.name]
    schema = schemas[download.command]
    return {
        "operationId": download.name,
        "tags": ["reading"],
        "summary": route.summary,
        "parameters": [*_parameters(schema, leaving=("since", "limit", "place")), *download.more],
        "responses": {
            "200": {
                "description": download.what,
                "content": {one: {"schema": {"type": "string"}} for one in download.types},
            },
            **{code: _refusal(words) for code, words in _REFUSALS.items()},
        },
    }


def _body(model: type, *, required: bool) -> Schema:
    return {
        "required": required,
        "content": {"application/json": {"schema": _ref(model)}},
    }


def _responses(answer: type[Struct], refusals: dict[str, str]) -> Schema:
    good: Schema = {
        "description": "Done.",
        "content": {"application/json": {"schema": _ref(answer)}},
    }
    return {"200": good, **{code: _refusal(words) for code, words in refusals.items()}}


def _refusal(words: str) -> Schema:
    return {
        "description": words,
        "content": {"application/json": {"schema": _ref(CommandAnswer)}},
    }


def _ref(model: type) -> Schema:
    return {"$ref": _REF + model.__name__}


def _required(schema: JsonValue) -> bool:
    return isinstance(schema, dict) and bool(schema.get("required"))


def _parameters(schema: JsonValue, leaving: tuple[str, ...]) -> list[JsonValue]:
    assert isinstance(schema, dict)
    properties, required = schema.get("properties"), schema.get("required", [])
    assert isinstance(properties, dict)
    assert isinstance(required, list)
    return [
        {"name": name, "in": "query", "required": name in required, "schema": one}
        for name, one in properties.items()
        if name not in leaving
    ]
