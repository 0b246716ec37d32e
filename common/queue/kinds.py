"""Kinds of pulse plans: what a site declares once for forms, checks and bridges. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta

from shotline.common.base import Json, Struct
from shotline.common.queue.plans import Existing, FailsOn, PlanPhase
from shotline.common.ranges import Duration, Small

ParameterName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
Limit = Annotated[float, Meta(ge=-1e300, le=1e300)]
KindTree = Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=64)]
_TYPES: Final = {
    "number": "number",
    "integer": "integer",
    "text": "string",
    "switch": "boolean",
    "list": "array",
    "object": "object",
}


class Parameter(Struct):
    """One parameter of a kind, and where its value goes: a node of the pulse, or the tasks.

    Without `node` and `variable` it is a variable of the tasks under its own name.
    """

    type: Annotated[
        Literal["number", "integer", "text", "switch", "list", "object", "any"],
        Meta(description="What its values are."),
    ] = "number"
    description: Annotated[str, Meta(max_length=1000, description="For people.")] = ""
    unit: Annotated[str, Meta(max_length=40, description="The unit of its numbers.")] = ""
    required: Annotated[
        bool, Meta(description="Whether a plan without it, where it has no default, is refused.")
    ] = True
    default: Annotated[Json, Meta(description="What counts where it is not given.")] = None
    minimum: Annotated[
        Limit | None, Meta(description="The least number, also of those in a list.")
    ] = None
    maximum: Annotated[
        Limit | None, Meta(description="The greatest number, also of those in a list.")
    ] = None
    step: Annotated[Limit | None, Meta(description="By which forms change the number.")] = None
    choices: Annotated[
        tuple[Json, ...], Meta(max_length=1000, description="The values that are allowed.")
    ] = ()
    items: Annotated[
        Literal["number", "integer", "text", "switch", "any"],
        Meta(description="What is in a list."),
    ] = "any"
    length_max: Annotated[int, Meta(ge=0, le=100_000, description="The longest text, or list.")] = (
        10_000
    )
    node: Annotated[
        str | None,
        Meta(description="The node of the new pulse that it is written to, by its path."),
    ] = None
    variable: Annotated[
        ParameterName | None, Meta(description="The variable of the tasks that it becomes.")
    ] = None

    @property
    def has_default(self) -> bool:
        """Whether something counts where it is not given."""
        return self.default is not None

    @property
    def must_be_given(self) -> bool:
        """Whether a plan without it is refused."""
        return self.required and not self.has_default


class PlanKind(Struct):
    """A kind of pulse plans. What it leaves out (None) each plan says itself."""

    description: Annotated[str, Meta(max_length=4000, description="For people.")] = ""
    experiment: Annotated[
        KindTree | None, Meta(description="Its experiment; null: each plan names one.")
    ] = None
    phases: Annotated[
        tuple[PlanPhase, ...] | None,
        Meta(description="Its phases in their order; null: each plan names its own."),
    ] = None
    parameters: Annotated[
        dict[ParameterName, Parameter], Meta(description="Its parameters, by name.")
    ] = {}
    existing: Annotated[
        Existing,
        Meta(
            description="What becomes of a pulse that exists already: refuse; use it; replace it, "
            "which loses what it holds."
        ),
    ] = Existing.REFUSE
    fails_on: Annotated[
        FailsOn,
        Meta(
            description="Which failed actions make a plan a failed one: any, those that are "
            "essential, none."
        ),
    ] = FailsOn.ANY
    repeat_max: Annotated[
        int, Meta(ge=1, le=10_000, description="How often one entry may be repeated.")
    ] = 1000


class KindView(Struct):
    """A kind as it is told: with the JSON schema of its parameters, for forms and checks."""

    name: str
    kind: PlanKind
    parameters_schema: Json
    phases_known: tuple[str, ...] = ()  # of its experiment, where they are known
    users: Small = 0


class FunctionView(Struct):
    """A function that tasks may call, as it is told: for forms, as `KindView`.

    Without a schema nothing is known of its arguments: any are taken.
    """

    name: str
    description: str = ""
    server_class: str
    timeout_s: Duration | None = None
    parameters_schema: Json = None


def schema_of(kind: PlanKind) -> dict[str, Json]:
    """Return the JSON schema of a kind's parameters."""
    properties = {name: _schema(one) for name, one in kind.parameters.items()}
    required = [name for name, one in kind.parameters.items() if one.must_be_given]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _schema(parameter: Parameter) -> dict[str, Json]:
    limits: dict[str, Json] = {}
    if parameter.minimum is not None:
        limits["minimum"] = parameter.minimum
    if parameter.maximum is not None:
        limits["maximum"] = parameter.maximum
    made: dict[str, Json] = {}
    if parameter.type in _TYPES:
        made["type"] = _TYPES[parameter.type]
    if parameter.type == "list":
        made["maxItems"] = parameter.length_max
        if parameter.items != "any":
            made["items"] = {"type": _TYPES[parameter.items], **limits}
    elif parameter.type == "text":
        made["maxLength"] = parameter.length_max
    else:
        made |= limits
    if parameter.choices:
        made["enum"] = list(parameter.choices)
    if parameter.has_default:
        made["default"] = parameter.default
    if parameter.description:
        made["description"] = parameter.description
    if parameter.unit:
        made["x-unit"] = parameter.unit
    if parameter.step is not None:
        made["x-step"] = parameter.step
    return made


_IS_TYPE: Final[dict[str, Callable[[Json], bool]]] = {
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "text": lambda value: isinstance(value, str),
    "switch": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list | tuple),
    "object": lambda value: isinstance(value, dict),
    "any": lambda value: True,  # noqa: ARG005
}
_WORDS: Final = {
    "number": "a number",
    "integer": "a whole number",
    "text": "text",
    "switch": "true or false",
    "list": "a list",
    "object": "an object",
}


def problems(kind: PlanKind, given: Mapping[str, Json]) -> Iterator[str]:
    """Yield what is wrong with a plan's parameters, each by name with what is allowed."""
    for name in given:
        if name not in kind.parameters:
            known = ", ".join(sorted(kind.parameters)) or "it has none"
            yield f"unknown parameter {name}; known: {known}"
    for name, parameter in kind.parameters.items():
        if name not in given:
            if parameter.must_be_given:
                yield f"parameter {name} is missing: {_allowed(parameter)}"
        elif (wrong := _wrong(parameter, given[name])) is not None:
            yield f"parameter {name} {wrong}"


def _wrong(parameter: Parameter, value: Json) -> str | None:
    """Return what is wrong with a value; None: nothing."""
    if parameter.choices and value not in parameter.choices:
        return f"must be {_allowed(parameter)}, not {_shown(value)}"
    if not _IS_TYPE[parameter.type](value):
        return f"must be {_allowed(parameter)}, not {_shown(value)}"
    if parameter.type in ("text", "list") and len(value) > parameter.length_max:
        return f"has {len(value)} elements; at most {parameter.length_max} are allowed"
    values = value if parameter.type == "list" else (value,)
    item_type = parameter.items if parameter.type == "list" else parameter.type
    for one in values:
        if not _IS_TYPE[item_type](one):
            return f"must have only {_WORDS[item_type]} in it, not {_shown(one)}"
        if item_type in ("number", "integer") and not _is_within(parameter, one):
            return f"must be {_allowed(parameter)}, not {_shown(one)}"
    return None


def _is_within(parameter: Parameter, value: float) -> bool:
    least, most = parameter.minimum, parameter.maximum
    return value == value and (least is None or value >= least) and (most is None or value <= most)


def _allowed(parameter: Parameter) -> str:
    if parameter.choices:
        return "one of " + ", ".join(map(_shown, parameter.choices[:20]))
    words = _WORDS.get(parameter.type, "given")
    least, most = parameter.minimum, parameter.maximum
    if least is not None and most is not None:
        words += f" from {least:g} to {most:g}"
    elif least is not None:
        words += f" of at least {least:g}"
    elif most is not None:
        words += f" of at most {most:g}"
    return f"{words} {parameter.unit}".rstrip()


def _shown(value: Json) -> str:
    text = re.sub(r"\s+", " ", repr(value))
    return text if len(text) <= 80 else text[:77] + "..."


def values_of(kind: PlanKind, given: Mapping[str, Json]) -> dict[str, Json]:
    """Return the values that count: those given, and the defaults of the others."""
    defaults = {name: one.default for name, one in kind.parameters.items() if one.has_default}
    return {**defaults, **given}


def destinations(
    kind: PlanKind, values: Mapping[str, Json]
) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return what is written to nodes of the pulse, by path, and the variables of the tasks."""
    nodes: dict[str, Json] = {}
    variables: dict[str, Json] = {}
    for name, value in values.items():
        parameter = kind.parameters.get(name)
        if parameter is not None and parameter.node is not None:
            nodes[parameter.node] = value
        if parameter is None or parameter.node is None or parameter.variable is not None:
            variables[parameter.variable or name if parameter else name] = value
    return nodes, variables
