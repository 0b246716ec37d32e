"""What is wrong with a value of a file, in the words of whoever wrote it. Pure.

pydantic says it in those of a programmer, and does not know what somebody may have meant.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel

from shotline.common.base import Struct
from shotline.common.settings.model import modelled

_WORDS: Final = {
    "missing": "is missing",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "none_required": "must be null",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least {min_length} of them",
    "too_long": "must have at most {max_length} of them",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "is not of the form {pattern}",
    "union_tag_not_found": "must say by {discriminator} which kind it is",
}
_NEAR: Final = 0.6  # of 1: how like another a word must be to have been meant for it


def in_words(error: Mapping[str, Any], model: type[BaseModel] | None = None) -> str:
    """Return one of pydantic's errors in our words; `model` is what the file was read as."""
    kind, context = str(error["type"]), error.get("ctx") or {}
    if kind == "extra_forbidden":
        *parent, key = error["loc"]
        known = _keys(model, parent) if model is not None else ()
        return "is not a known key" + _meant(str(key), known)
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        allowed = str(context.get("expected") or context.get("expected_tags"))
        words = [word.strip(" '\"") for word in allowed.replace(" or ", ",").split(",")]
        given = context.get("tag", error.get("input"))
        return f"must be one of {', '.join(words)}" + _meant(str(given), words)
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", error["msg"]))
    if kind in _WORDS:
        return _WORDS[kind].format_map({name: _number(one) for name, one in context.items()})
    return str(error["msg"])


def _number(value: object) -> object:
    """Return a number as people write it: 0, not 0.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _meant(word: str, known: Iterable[str]) -> str:
    others = [one for one in known if one != word]
    near = difflib.get_close_matches(word.lower(), others, 1, _NEAR)
    return f"; did you mean {near[0]}?" if near else ""


def _keys(model: type[BaseModel], location: Sequence[str | int]) -> set[str]:
    """Return the keys that a mapping at a place of the file may have."""
    models = {model}
    for step in location:
        models = {inner for one in models for inner in _inside(one, step)} or models
    return {field.alias or name for one in models for name, field in one.model_fields.items()}


def _inside(model: type[BaseModel], step: str | int) -> Iterator[type[BaseModel]]:
    """Yield the models that a model's field consists of; none for a step within them."""
    for name, field in model.model_fields.items():
        if step in (name, field.alias):
            pending: list[Any] = [field.annotation]
            while pending:
                annotation = pending.pop()
                pending.extend(get_args(annotation))
                if isinstance(annotation, type) and issubclass(annotation, BaseModel | Struct):
                    yield modelled(annotation)
