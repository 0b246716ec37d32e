"""The shapes of what the monitor sends, for the type checker of the page's modules.

They are made from the models; `static/model/types.js` is this text, a test compares the two.
"""

import sys
from collections.abc import Iterable
from typing import Final

import msgspec
from pydantic import JsonValue

from shotline.common.base import Struct
from shotline.common.dangers import NamedDanger
from shotline.common.fleet.views import FleetAnswers, FleetExpectedResult
from shotline.common.past.views import FailuresResult, SearchResult, TrendResult
from shotline.common.queue.kinds import FunctionView, KindView
from shotline.common.queue.records import QueueGroup, QueueTask
from shotline.common.queue.views import QueueRefused
from shotline.common.records import Audited
from shotline.common.views import CompareResult, FoundShotsResult, ServerLogResult
from shotline.common.volumes.views import (
    RecordsFileResult,
    RecordsListResult,
    RecordsStatusResult,
)
from shotline.monitor.access.models import SessionView
from shotline.monitor.models import ChannelMessage, Estimate, ServerPastAnswer, SystemView

_HEAD: Final = """\
/**
 * The shapes of what the monitor sends (docs/websocket.md), for the type checker.
 * Nothing here runs. Made from the models: `make schema` writes it anew.
 */
"""
_WANTED: Final[tuple[type[Struct], ...]] = (
    ChannelMessage,
    SystemView,
    Estimate,
    ServerPastAnswer,
    NamedDanger,
    Audited,
    SessionView,
    KindView,
    FunctionView,
    QueueGroup,
    QueueTask,
    FleetAnswers,
    FleetExpectedResult,
    ServerLogResult,
    FoundShotsResult,
    FailuresResult,
    SearchResult,
    CompareResult,
    TrendResult,
    QueueRefused,
    RecordsListResult,
    RecordsFileResult,
    RecordsStatusResult,
)
_SHORT: Final = {
    "ChannelMessage": "Message",
    "ShownAction": "ActionView",
    "ShownServer": "ServerView",
    "Danger": "DangerCode",
    "NamedDanger": "Danger",
}
"""What the page calls them."""
_PLAIN: Final = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}
_REF: Final = "#/"

Schema = dict[str, JsonValue]


def text() -> str:
    """Return the module as it is committed."""
    _, found = msgspec.json.schema_components(_WANTED, ref_template=_REF + "{name}")
    parts = [_definition(_called(name), schema) for name, schema in sorted(found.items())]
    return "\n".join((_HEAD, *parts, "export {};\n"))


def _called(name: str) -> str:
    return _SHORT.get(name, name)


def _definition(name: str, schema: Schema) -> str:
    properties = schema.get("properties")
    words = _words(schema)
    if not isinstance(properties, dict):
        return f"/** {words}{' ' if words else ''}@typedef {{{_type(schema)}}} {name} */\n"
    required = schema.get("required", [])
    assert isinstance(required, list)
    lines = [f" * {words}"] if words else []
    lines.append(f" * @typedef {{object}} {name}")
    for field, one in properties.items():
        assert isinstance(one, dict)
        shown = field if field in required and not _is_tag(one) else f"[{field}]"
        lines.append(f" * @property {{{_type(one)}}} {shown}")
    return "\n".join(("/**", *lines, " */\n"))


def _is_tag(schema: Schema) -> bool:
    """Return whether a field tells the members of a union apart."""
    words = schema.get("enum")
    return isinstance(words, list) and len(words) == 1


def _words(schema: Schema) -> str:
    """Return what the model says of itself, in one line."""
    return str(schema.get("description", "")).partition("\n")[0].replace("*/", "* /")


def _type(schema: JsonValue) -> str:
    """Return a schema as a type of JSDoc's."""
    assert isinstance(schema, dict)
    match schema:
        case {} if schema.keys() <= {"default", "description"}:
            return "any"
        case {"$ref": str(ref)}:
            return _called(ref.removeprefix(_REF))
        case {"const": value}:
            return _literal(value)
        case {"enum": list(values)}:
            return "|".join(map(_literal, values))
        case {"anyOf": list(kinds)} | {"oneOf": list(kinds)}:
            return _either(kinds)
        case {"type": "array", "prefixItems": list(items)}:
            return f"[{', '.join(map(_type, items))}]"
        case {"type": "array", "items": items}:
            kind = _type(items)
            return f"({kind})[]" if "|" in kind and not kind.startswith("[") else f"{kind}[]"
        case {"type": "array"}:
            return "any[]"
        case {"type": "object", "additionalProperties": of, "propertyNames": dict(names)} if (
            "enum" in names or "$ref" in names
        ):
            return f"Partial<Record<{_type(names)}, {_type(of)}>>"
        case {"type": "object", "additionalProperties": of}:
            return f"Record<string, {_type(of)}>"
        case {"type": "object"}:
            return "Record<string, any>"
        case {"type": str(kind)} if kind in _PLAIN:
            return _PLAIN[kind]
    raise TypeError(f"no type of JSDoc's is known for {schema}")


def _either(kinds: Iterable[JsonValue]) -> str:
    return "|".join(dict.fromkeys(map(_type, kinds)))


def _literal(value: JsonValue) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


if __name__ == "__main__":
    sys.stdout.write(text())
