"""The base of what is read from files and forms, and how structs stand within it."""

import operator
from functools import cache, reduce
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, JsonValue, create_model
from pydantic_core import CoreSchema, core_schema

from shotline.common.base import Json, Struct


class Model(BaseModel):
    """A frozen record that refuses unknown fields, so that a typing error is never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _OfStructs:
    """Lets a field of a model hold structs: `Annotated[SomeStruct, OF_STRUCTS]`, also a union.

    They are validated as a model of the same fields would be, so that every problem of a file has
    its place, and the schema for editors tells of them.
    """

    def __get_pydantic_core_schema__(self, kind: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = handler.generate_schema(modelled(kind))
        made_here = core_schema.no_info_before_validator_function(_as_plain, inner)
        return core_schema.no_info_after_validator_function(
            lambda found: msgspec.convert(found.model_dump(), kind),
            core_schema.json_or_python_schema(json_schema=inner, python_schema=made_here),
            serialization=core_schema.plain_serializer_function_ser_schema(msgspec.to_builtins),
        )


OF_STRUCTS: Final = _OfStructs()


def modelled(kind: Any) -> Any:
    """Return a struct, or a type that is made of structs, as pydantic would have it."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _model_of(kind)
    if kind is Json:
        return JsonValue
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        meta = (_field_of(one) if isinstance(one, msgspec.Meta) else one for one in inner[1:])
        return Annotated[(modelled(inner[0]), *meta)]
    if origin in (tuple, dict):
        return origin[tuple(one if one is ... else modelled(one) for one in inner)]
    if not inner or origin is Literal:
        return kind
    either = reduce(operator.or_, map(modelled, inner))
    tag_fields = {
        one.__struct_config__.tag_field
        for one in inner
        if isinstance(one, type) and issubclass(one, Struct)
    }
    return Annotated[either, Field(discriminator=tag_fields.pop())] if tag_fields else either


@cache
def _model_of(kind: type[Struct]) -> type[Model]:
    fields: dict[str, Any] = {}
    config = kind.__struct_config__
    if config.tag_field is not None:
        fields[config.tag_field] = (Literal[config.tag], config.tag)
    for one in msgspec.structs.fields(kind):
        if one.default_factory is not msgspec.NODEFAULT:
            given = Field(default_factory=one.default_factory)
        else:
            given = ... if one.required else _as_model(one.default)
        fields[one.name] = (modelled(one.type), given)
    return create_model(
        kind.__name__, __base__=Model, __module__=kind.__module__, __doc__=kind.__doc__, **fields
    )


def _as_model(default: object) -> object:
    if not isinstance(default, Struct):
        return default
    return _model_of(type(default)).model_validate(msgspec.to_builtins(default))


def _field_of(meta: msgspec.Meta) -> Any:
    limits = ("gt", "ge", "lt", "le", "min_length", "max_length", "pattern", "description")
    given = {name: getattr(meta, name) for name in limits if getattr(meta, name) is not None}
    return Field(**given)


def _as_plain(value: object) -> object:
    return msgspec.to_builtins(value) if isinstance(value, Struct) else value
