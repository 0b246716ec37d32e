"""A kind's parameters as those of a Python function: what clients bind arguments to. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from shotline.bridges.qserver.asking import Body, Sorry
from shotline.common.base import Json, Value
from shotline.common.queue.kinds import KindView, Parameter

_ANNOTATIONS: Final = {
    "number": "float",
    "integer": "int",
    "text": "str",
    "switch": "bool",
    "object": "dict",
    "any": "typing.Any",
}
_POSITIONAL: Final[Body] = {"name": "POSITIONAL_OR_KEYWORD", "value": 1}
_KEYWORD: Final[Body] = {"name": "KEYWORD_ONLY", "value": 3}


class Slot(Value):
    """A parameter of a kind. After one that may be left out, required ones are given by name."""

    name: str
    parameter: Parameter
    by_name_only: bool


def slots_of(parameters: Mapping[str, Parameter]) -> Iterator[Slot]:
    """Yield a kind's parameters in the order in which arguments are given."""
    by_name_only = False
    optional = False
    for name, parameter in parameters.items():
        optional = optional or not parameter.must_be_given
        by_name_only = by_name_only or (optional and parameter.must_be_given)
        yield Slot(name, parameter, by_name_only)


def bound(kind: KindView, args: list[Json], kwargs: Body) -> dict[str, Json]:
    """Return arguments by name. Raise Sorry, as Python words it, where they do not fit."""
    slots = list(slots_of(kind.kind.parameters))
    by_place = [one.name for one in slots if not one.by_name_only]
    if len(args) > len(by_place):
        raise Sorry("Plan validation failed: too many positional arguments")
    given = dict(zip(by_place, args, strict=False))
    for name, value in kwargs.items():
        if name not in kind.kind.parameters:
            raise Sorry(f"Plan validation failed: got an unexpected keyword argument {name!r}")
        if name in given:
            raise Sorry(f"Plan validation failed: multiple values for argument {name!r}")
        given[name] = value
    for one in slots:
        if one.parameter.must_be_given and one.name not in given:
            raise Sorry(f"Plan validation failed: missing a required argument: {one.name!r}")
    return given


def plan_told(kind: KindView) -> Body:
    """Return a kind as clients know plans."""
    about = kind.kind
    told: Body = {
        "name": kind.name,
        "module": "shotline",
        "properties": {"is_generator": True},
        "parameters": [_parameter(one) for one in slots_of(about.parameters)],
    }
    if about.description:
        told["description"] = about.description
    return told


def _parameter(slot: Slot) -> Body:
    parameter = slot.parameter
    told: Body = {
        "name": slot.name,
        "kind": dict(_KEYWORD if slot.by_name_only else _POSITIONAL),
        "annotation": {"type": _annotation(parameter)},
    }
    if not parameter.must_be_given:
        told["default"] = repr(parameter.default)
    description = parameter.description
    if parameter.unit:
        description = f"{description} ({parameter.unit})".lstrip()
    if description:
        told["description"] = description
    for name, value in (
        ("min", parameter.minimum),
        ("max", parameter.maximum),
        ("step", parameter.step),
    ):
        if value is not None:
            told[name] = repr(value)
    if parameter.choices:
        told["annotation"] = {"type": f"typing.Literal[{', '.join(map(repr, parameter.choices))}]"}
    return told


def _annotation(parameter: Parameter) -> str:
    if parameter.type == "list":
        item = _ANNOTATIONS.get(parameter.items, "typing.Any")
        return f"typing.List[{item}]"
    return _ANNOTATIONS[parameter.type]
