"""The OpenAPI 3.1 document of the HTTP interface, made from the models. Pure.

`docs/openapi.json` is this document; a test compares the two.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, get_args

from pydantic import BaseModel, JsonValue
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from shotline.common.commands import READING, AnyCommand, Command
from shotline.monitor.models import (
    CommandAnswer,
    CommandLineRequest,
    LogAnswer,
    LogRequest,
    MonitorAnswer,
    ProgramAnswer,
    ServerCommandRequest,
)

Schema = dict[str, JsonValue]

VERBS: Final[dict[str, type[Command]]] = {
    kind.model_fields["verb"].default: kind for kind in get_args(AnyCommand)
}
"""Every command by its verb."""

GET_VERBS: Final = READING | {"check"}
"""Those that may be asked for by GET; `check` only without `reset`."""

_TAKEN: Final[JsonSchemaMode] = "validation"
_GIVEN: Final[JsonSchemaMode] = "serialization"
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


@dataclass(frozen=True, slots=True)
class _Route:
    """A route that is no command."""

    path: str
    method: str
    summary: str
    answer: type[BaseModel] | None
    request: type[BaseModel] | None = None


_ROUTES: Final = (
    _Route("/api/monitor", "get", "What the monitor is connected to.", MonitorAnswer),
    _Route("/api/log", "post", "Write a test message to the live log.", LogAnswer, LogRequest),
    _Route(
        "/api/server_command",
        "post",
        "Have the site's script, or `shotline up`, start, restart or end servers.",
        ProgramAnswer,
        ServerCommandRequest,
    ),
    _Route(
        "/api/command_line",
        "post",
        "Run a line that `shotline` accepts.",
        ProgramAnswer,
        CommandLineRequest,
    ),
)


def document(version: str) -> Schema:
    """Return the whole document, in words that need no other one."""
    made = _without_rules(_document(version))
    assert isinstance(made, dict)
    return made


def _document(version: str) -> Schema:
    schemas = _schemas()
    paths: dict[str, JsonValue] = {}
    for verb, kind in VERBS.items():
        paths[f"/api/{verb}"] = _command_path(verb, kind, schemas[kind.__name__])
    for route in _ROUTES:
        paths[route.path] = {route.method: _route(route)}
    paths["/api/logs.txt"] = {"get": _download(schemas["Logs"])}
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


def text(version: str) -> str:
    """Return the document as it is committed."""
    return json.dumps(document(version), indent=1, ensure_ascii=False) + "\n"


def _without_rules(value: JsonValue) -> JsonValue:
    """Return a part of the document without the numbers of the design's rules."""
    if isinstance(value, str):
        return _RULES.sub("", value)
    if isinstance(value, list):
        return [_without_rules(one) for one in value]
    if isinstance(value, dict):
        return {name: _without_rules(one) for name, one in value.items()}
    return value


def _schemas() -> Schema:
    requests: list[type[BaseModel]] = [*VERBS.values()]
    requests += [route.request for route in _ROUTES if route.request is not None]
    answers: list[type[BaseModel]] = [CommandAnswer]
    answers += [route.answer for route in _ROUTES if route.answer is not None]
    found: Schema = {}
    for wanted in (
        [(model, _TAKEN) for model in requests],
        [(model, _GIVEN) for model in answers],
    ):
        _, definitions = models_json_schema(wanted, ref_template="#/components/schemas/{model}")
        for name, schema in definitions["$defs"].items():
            found.setdefault(name, schema)
    for kind in VERBS.values():
        schema = found[kind.__name__]
        assert isinstance(schema, dict)
        properties = schema.get("properties")
        assert isinstance(properties, dict)
        properties.pop("verb", None)  # it stands in the path
    return found


def _command_path(verb: str, kind: type[Command], schema: JsonValue) -> Schema:
    words = (kind.__doc__ or "").strip()
    path: Schema = {
        "post": {
            "operationId": verb,
            "tags": ["reading" if verb in READING else "changing"],
            "summary": words.splitlines()[0],
            "requestBody": _body(kind, required=_required(schema)),
            "responses": _responses(CommandAnswer, _REFUSALS),
        }
    }
    if verb in GET_VERBS:
        path["get"] = {
            "operationId": f"get_{verb}",
            "tags": ["reading"],
            "summary": words.splitlines()[0],
            "parameters": _parameters(schema, leaving=("reset",)),
            "responses": _responses(CommandAnswer, _REFUSALS),
        }
    return path


def _route(route: _Route) -> Schema:
    made: Schema = {
        "operationId": route.path.rpartition("/")[2],
        "tags": ["monitor"],
        "summary": route.summary,
        "responses": _responses(route.answer, {code: _REFUSALS[code] for code in _codes_of(route)}),
    }
    if route.request is not None:
        made["requestBody"] = _body(route.request, required=True)
    return made


def _codes_of(route: _Route) -> Iterable[str]:
    return ("403",) if route.request is None else ("403", "404", "409", "422", "500")


def _download(schema: JsonValue) -> Schema:
    return {
        "operationId": "download_logs",
        "tags": ["reading"],
        "summary": "An attempt's whole output as a text file.",
        "parameters": _parameters(schema, leaving=("since", "limit")),
        "responses": {
            "200": {
                "description": "The output.",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            **{code: _refusal(words) for code, words in _REFUSALS.items()},
        },
    }


def _body(model: type[BaseModel], *, required: bool) -> Schema:
    return {
        "required": required,
        "content": {"application/json": {"schema": _ref(model)}},
    }


def _responses(answer: type[BaseModel] | None, refusals: dict[str, str]) -> Schema:
    assert answer is not None
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


def _ref(model: type[BaseModel]) -> Schema:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


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
