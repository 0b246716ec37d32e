"""The base of every record that crosses a process boundary: messages, records, views, commands.

They are msgspec structs: built, copied and coded in a fraction of a microsecond. What comes from
outside is validated where it is decoded; what is built here is taken as it is.
"""

from typing import Any, Final, dataclass_transform

import msgspec

Json = Any
"""A value that JSON has: what a tree's or a command's writer gives a task, handed on as it is."""


class _Meta(msgspec.StructMeta):
    """Makes all fields keywords, in derived structs too, so that a field may come in anywhere."""

    def __new__(
        cls, name: str, bases: tuple[type, ...], body: dict[str, Any], **config: Any
    ) -> "_Meta":
        return super().__new__(cls, name, bases, body, **({"kw_only": True} | config))


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Struct(msgspec.Struct, metaclass=_Meta, frozen=True, forbid_unknown_fields=True, gc=False):
    """A frozen record that refuses unknown fields, so that a typing error is never ignored."""


def tag_of(record: "Struct | type[Struct]") -> str:
    """Return the name that tells a struct from the others of its union, as it is written."""
    return str(record.__struct_config__.tag)


_ENCODER: Final = msgspec.json.Encoder()


def to_json(record: Struct) -> bytes:
    """Return a struct as JSON, all its fields."""
    return _ENCODER.encode(record)


def as_plain(record: Struct) -> dict[str, Any]:
    """Return a struct's fields as JSON would have them."""
    fields: dict[str, Any] = msgspec.to_builtins(record)
    return fields
